// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import Synchronization

/// The times of writes: the wall clock's, in steps of 10 microseconds, and always later than the one before.
package final class WriteClock: Sendable {
    private let wall: WallClock
    private let last = Mutex<Int64>(0)

    package init(_ wall: WallClock) { self.wall = wall }

    package func now() -> WriteTime {
        let ticks = wall.now().microseconds / 10
        return last.withLock { last in
            last = max(ticks, last + 1)
            return WriteTime(ticks: last)
        }
    }

    /// For ages and time limits: the wall clock, without taking a time of a write.
    var wallTime: Timestamp { wall.now() }
}

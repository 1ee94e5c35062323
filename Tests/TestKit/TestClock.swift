// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A clock that stands until it is moved.
package final class TestClock: Sendable {
    private let time: Mutex<Timestamp>

    package init(_ start: Timestamp = Timestamp(seconds: 1_700_000_000)) { time = Mutex(start) }

    package func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }

    package var clock: WallClock { WallClock { self.time.withLock { $0 } } }
}

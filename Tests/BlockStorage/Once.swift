// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A value that a closure of a test leaves for its end.
final class Once<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)
    var value: Value? { state.withLock { $0 } }
    func set(_ value: Value) { state.withLock { $0 = value } }
}

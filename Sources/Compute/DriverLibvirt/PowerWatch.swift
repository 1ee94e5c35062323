// SPDX-License-Identifier: Apache-2.0
import ComputeContract
import Synchronization

/// Tells what guests did by themselves from what the driver made them do.
///
/// libvirt's events come late and name both alike. So an event is only a hint to look: what is then seen counts as the
/// guest's own doing when no call is changing that guest, and it differs from what was last known.
final class PowerWatch: Sendable {
    private struct State {
        var changing: [ServerID: Int] = [:]
        /// Guests with an event that came while a call was changing them.
        var postponed: Set<ServerID> = []
        var known: [ServerID: PowerState] = [:]
        var sinks: [Int: AsyncStream<(ServerID, PowerState)>.Continuation] = [:]
        var nextSink = 0
        var isFinished = false
    }
    private static let bufferLimit = 10_000
    private let state = Mutex(State())
    private let lookAgain: @Sendable (ServerID) -> Void

    /// `lookAgain` is called when a call has ended that an event came into.
    init(lookAgain: @escaping @Sendable (ServerID) -> Void) { self.lookAgain = lookAgain }

    func stream() -> AsyncStream<(ServerID, PowerState)> {
        let (stream, sink) = AsyncStream.makeStream(
            of: (ServerID, PowerState).self, bufferingPolicy: .bufferingNewest(Self.bufferLimit))
        let id = state.withLock { state -> Int? in
            guard !state.isFinished else { return nil }
            state.nextSink += 1
            state.sinks[state.nextSink] = sink
            return state.nextSink
        }
        guard let id else {
            sink.finish()
            return stream
        }
        sink.onTermination = { [weak self] _ in self?.state.withLock { $0.sinks[id] = nil } }
        return stream
    }

    /// Runs a call that changes a guest and leaves it in the state that `body` returns (nil: unknown or gone).
    func changing<T>(
        _ server: ServerID, _ body: () async throws -> (PowerState?, T)
    ) async throws -> T {
        state.withLock { state in
            state.changing[server, default: 0] += 1
            state.known[server] = nil
        }
        var reached: PowerState?
        defer {
            let missedEvent = state.withLock { state in
                let others = (state.changing[server] ?? 1) - 1
                state.changing[server] = others == 0 ? nil : others
                state.known[server] = reached
                return others == 0 && state.postponed.remove(server) != nil
            }
            if missedEvent { lookAgain(server) }
        }
        let (power, value) = try await body()
        reached = power
        return value
    }

    /// Whether an event must wait, because a call is changing the guest; `lookAgain` then follows.
    func postpones(_ server: ServerID) -> Bool {
        state.withLock { state in
            guard state.changing[server] != nil else { return false }
            state.postponed.insert(server)
            return true
        }
    }

    /// What was seen after an event. Tells the listeners when it is news.
    func saw(_ server: ServerID, _ power: PowerState) {
        let sinks = state.withLock { state -> [AsyncStream<(ServerID, PowerState)>.Continuation] in
            guard state.changing[server] == nil, state.known[server] != power else { return [] }
            state.known[server] = power
            return Array(state.sinks.values)
        }
        for sink in sinks { sink.yield((server, power)) }
    }

    func finish() {
        let sinks = state.withLock { state in
            state.isFinished = true
            defer { state.sinks = [:] }
            return Array(state.sinks.values)
        }
        for sink in sinks { sink.finish() }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import Synchronization

/// Lets layers be merged only while nobody works with the volumes and snapshots that rest on them. Work never waits
/// for a merge: it cuts it short, and a later merge goes on where that one was.
final class MergeGate: Sendable {
    private struct Merge {
        var owners: Set<String>
        var stop: Signal
        var ended: Signal
    }
    private struct State {
        /// How many calls work with each.
        var active: [String: Int] = [:]
        /// Volumes that were given to a host, which opens them when it likes.
        var connected: Set<String> = []
        var merges: [UInt64: Merge] = [:]
        var nextID: UInt64 = 0
    }
    private static let poll = Duration.milliseconds(100)
    private let state = Mutex(State())

    /// Runs `body`, which works with volumes and snapshots of these ids.
    func use<T: Sendable>(_ owners: [String], _ body: @Sendable () async throws -> T) async throws -> T {
        state.withLock { state in
            for owner in owners { state.active[owner, default: 0] += 1 }
        }
        defer {
            state.withLock { state in
                for owner in owners {
                    let left = (state.active[owner] ?? 1) - 1
                    state.active[owner] = left == 0 ? nil : left
                }
            }
        }
        await interrupt(Set(owners))
        return try await body()
    }

    func setConnected(_ owner: String, _ isConnected: Bool) {
        state.withLock { state in
            if isConnected { state.connected.insert(owner) } else { state.connected.remove(owner) }
        }
    }

    /// Runs `body` unless somebody works with one of `owners`; cancels it when somebody begins to. True: it ended by
    /// itself.
    func merge(_ owners: Set<String>, _ body: @escaping @Sendable () async throws -> Void) async throws -> Bool {
        let begun = state.withLock { state -> (id: UInt64, merge: Merge)? in
            guard state.connected.isDisjoint(with: owners), !owners.contains(where: { state.active[$0] != nil }) else {
                return nil
            }
            state.nextID += 1
            let merge = Merge(owners: owners, stop: Signal(), ended: Signal())
            state.merges[state.nextID] = merge
            return (state.nextID, merge)
        }
        guard let (id, merge) = begun else { return false }
        defer {
            state.withLock { $0.merges[id] = nil }
            merge.ended.wake()
        }
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await body()
                return true
            }
            group.addTask {
                await merge.stop.wait()
                return false
            }
            defer { group.cancelAll() }
            guard try await group.next() == false else { return true }
            group.cancelAll()
            // The cancelled body has killed its program when this ends.
            do { while try await group.next() != nil {} } catch {}
            return false
        }
    }

    private func interrupt(_ owners: Set<String>) async {
        while true {
            let merges = state.withLock { state in
                state.merges.values.filter { !$0.owners.isDisjoint(with: owners) }
            }
            guard let first = merges.first else { return }
            for merge in merges { merge.stop.wake() }
            await first.ended.wait(atMost: Self.poll)
        }
    }
}

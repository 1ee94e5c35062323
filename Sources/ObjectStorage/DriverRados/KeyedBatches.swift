// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Changes of one object that wait for one another are made together: while one batch is written, the next gathers.
/// So writers of this process never meet at an object, however many there are.
final class KeyedBatches<Item: Sendable, Answer: Sendable>: Sendable {
    /// An answer for each item. Blocks.
    typealias Work = @Sendable (_ key: String, _ items: [Item], RadosPool) -> [Result<Answer, any Error>]
    private struct Waiting: Sendable {
        var item: Item
        var caller: CheckedContinuation<Answer, any Error>
    }

    private let cluster: RadosCluster
    private let limit: Int
    private let work: Work
    /// A key is there while a thread works for it.
    private let queues = Mutex<[String: [Waiting]]>([:])

    init(_ cluster: RadosCluster, limit: Int, _ work: @escaping Work) {
        self.cluster = cluster
        self.limit = limit
        self.work = work
    }

    func submit(_ item: Item, to key: String) async throws -> Answer {
        try await withCheckedThrowingContinuation { caller in
            let isFirst = queues.withLock { queues in
                let isFirst = queues[key] == nil
                queues[key, default: []].append(Waiting(item: item, caller: caller))
                return isFirst
            }
            guard isFirst else { return }
            if !cluster.start({ self.drain(key, $0) }) {
                let error = RadosFailure.away(cause: "too much waits for \(key)")
                for waiting in queues.withLock({ $0.removeValue(forKey: key) }) ?? [] {
                    waiting.caller.resume(throwing: error)
                }
            }
        }
    }

    private func drain(_ key: String, _ pool: RadosPool) {
        while true {
            let batch = queues.withLock { queues -> [Waiting] in
                guard let queue = queues[key], !queue.isEmpty else {
                    queues[key] = nil
                    return []
                }
                queues[key] = Array(queue.dropFirst(limit))
                return Array(queue.prefix(limit))
            }
            if batch.isEmpty { return }
            let answers = work(key, batch.map(\.item), pool)
            precondition(answers.count == batch.count, "a batch with other answers than items")
            for (waiting, answer) in zip(batch, answers) {
                waiting.caller.resume(with: answer.mapError(RadosFailure.describe))
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// Signed requests that were taken: one that somebody overheard is not taken again (RFC 5849, 3.3).
///
/// Kept in memory for as long as the request's time would be taken; with several API processes each has its own.
final class UsedNonces: Sendable {
    private static let capacity = 100_000

    private let ends = Mutex<[String: Timestamp]>([:])

    /// Throws `.unauthorized` for a request that was taken before. Ask only for one whose signature is right.
    func take(_ proof: OAuth1Proof, at now: Timestamp) throws {
        let key = proof.nonceKey
        let isNew = try ends.withLock { ends in
            if ends.count >= Self.capacity { ends = ends.filter { $0.value > now } }
            guard ends.count < Self.capacity else {
                throw CloudError(.unavailable, "The service is busy. Please retry later.", cause: "OAuth nonces")
            }
            // A clock that is ahead by the skew may sign for as long again.
            return ends.updateValue(now + OAuth1Proof.maximumSkew * 2, forKey: key) == nil
        }
        guard isNew else { throw IdentityError.unauthorized }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import PolicyKit
import SecurityKit

/// Public keys of users. Generated private halves are shown once and kept nowhere.
package struct KeyPairEngine: Sendable {
    private let parts: ComputeParts
    /// Key generation takes tens of milliseconds of CPU, away from the cooperative pool.
    private let threads: BlockingPool

    package init(_ parts: ComputeParts, threads: BlockingPool) {
        self.parts = parts
        self.threads = threads
    }

    package struct Draft: Sendable {
        package var name: String
        package var type: String
        /// Nil: generate a pair.
        package var publicKey: String?
        package init(name: String, type: String, publicKey: String?) {
            self.name = name
            self.type = type
            self.publicKey = publicKey
        }
    }

    /// Whose keys: the caller's, or those of another user that an administrator names.
    private func authorize(_ user: UserID?, _ context: CallContext) throws -> UserID {
        let user = user ?? context.principal.userID
        try context.authorize(["user_id": user.rawValue])
        return user
    }

    package func create(
        _ draft: Draft, user: UserID?, for context: CallContext
    ) async throws -> (KeyPair, privateKey: Secret?) {
        let user = try authorize(user, context)
        let project = context.projectID ?? ProjectID("")
        var publicKey = draft.publicKey
        var privateKey: Secret?
        var fingerprint: String
        if let given = publicKey {
            guard draft.type == "ssh" else {
                throw CloudError.badRequest(
                    "Keypair data is invalid: x509 keys are not supported.", kind: "InvalidKeypair")
            }
            fingerprint = try SSHPublicKey(given).fingerprint
        } else {
            guard draft.type == "ssh" else {
                throw CloudError.badRequest(
                    "Keypair data is invalid: x509 keys are not supported.", kind: "InvalidKeypair")
            }
            let pair = try await threads.run { try SSHKeyPair.generateRSA() }
            publicKey = pair.publicKey.line
            privateKey = pair.privateKey
            fingerprint = pair.publicKey.fingerprint
        }
        let (stores, quotas, now, text) = (parts.stores, parts.quotas, parts.clock.now(), publicKey ?? "")
        let key = try await parts.database.write { [fingerprint] transaction in
            guard try stores.keyPairs.keyPair(draft.name, of: user, transaction) == nil else {
                throw CloudError.conflict("Key pair '\(draft.name)' already exists.", kind: "KeyPairExists")
            }
            try quotas.check(project, ["key_pairs": 1], transaction) { _ in
                CloudError(.overQuota, "Quota exceeded, too many key pairs.", kind: "KeypairLimitExceeded")
            } usage: { _ in
                try stores.keyPairs.count(of: user, transaction)
            }
            let key = KeyPair(
                number: try stores.keyPairs.nextNumber(transaction), userID: user, name: draft.name, type: draft.type,
                fingerprint: fingerprint, publicKey: text, createdAt: now)
            try stores.keyPairs.insert(key, transaction)
            return key
        }
        return (key, privateKey)
    }

    /// One more than `limit`, to know whether more follow.
    package func list(
        user: UserID?, after marker: String?, limit: Int, for context: CallContext
    ) async throws -> [KeyPair] {
        let user = try authorize(user, context)
        let stores = parts.stores
        return try await parts.database.read {
            try stores.keyPairs.list(of: user, after: marker, limit: limit + 1, $0)
        }
    }

    package func keyPair(_ name: String, user: UserID?, for context: CallContext) async throws -> KeyPair {
        let user = try authorize(user, context)
        let stores = parts.stores
        guard let key = try await parts.database.read({ try stores.keyPairs.keyPair(name, of: user, $0) }) else {
            throw Self.notFound(name, user)
        }
        return key
    }

    package func delete(_ name: String, user: UserID?, for context: CallContext) async throws {
        let user = try authorize(user, context)
        let stores = parts.stores
        guard try await parts.database.write({ try stores.keyPairs.delete(name, of: user, $0) }) else {
            throw Self.notFound(name, user)
        }
    }

    private static func notFound(_ name: String, _ user: UserID) -> CloudError {
        .notFound("Keypair \(name.prefix(255)) not found for user \(user)", kind: "KeypairNotFound")
    }
}

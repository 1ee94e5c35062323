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
        let made = try await material(draft, user)
        let (stores, quotas, now) = (parts.stores, parts.quotas, parts.clock.now())
        let key = try await parts.database.write { transaction in
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
                fingerprint: made.fingerprint, publicKey: made.publicKey, createdAt: now)
            try stores.keyPairs.insert(key, transaction)
            return key
        }
        return (key, made.privateKey)
    }

    private struct Material: Sendable {
        var publicKey: String
        var fingerprint: String
        var privateKey: Secret?
    }

    /// What was sent, checked; or a new pair.
    private func material(_ draft: Draft, _ user: UserID) async throws -> Material {
        let isCertificate = draft.type == "x509"
        if let given = draft.publicKey {
            let fingerprint = try isCertificate ? X509Certificate(given).fingerprint : SSHPublicKey(given).fingerprint
            return Material(publicKey: given, fingerprint: fingerprint)
        }
        if isCertificate {
            let pair = try await threads.run { try X509KeyPair.generate(user: user.rawValue) }
            return Material(
                publicKey: pair.certificate.pem, fingerprint: pair.certificate.fingerprint,
                privateKey: pair.privateKey)
        }
        let pair = try await threads.run { try SSHKeyPair.generateRSA() }
        return Material(
            publicKey: pair.publicKey.line, fingerprint: pair.publicKey.fingerprint, privateKey: pair.privateKey)
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
        try await parts.database.write { transaction in
            guard try stores.keyPairs.delete(name, of: user, transaction) else { throw Self.notFound(name, user) }
        }
    }

    private static func notFound(_ name: String, _ user: UserID) -> CloudError {
        .notFound("Keypair \(name.prefix(255)) not found for user \(user)", kind: "KeypairNotFound")
    }
}

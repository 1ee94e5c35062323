// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import Synchronization

/// Says whose an access key is, and takes a signed request for somebody's word.
package struct EC2TokenEngine: Sendable {
    /// How old a signed request may be that asks for a token (keystone: `credential.auth_ttl`).
    package static let lifetime: Duration = .seconds(15 * 60)
    private static let cacheSize = 4096

    private let database: IdentityDatabase
    private let config: IdentityConfig
    private let clock: WallClock
    private let tokens: TokenEngine
    private let cache = EC2SecretCache(size: cacheSize)
    private let store: CredentialStore
    private let resolver = AccessResolver()

    init(
        database: IdentityDatabase, store: CredentialStore, config: IdentityConfig, clock: WallClock,
        tokens: TokenEngine
    ) {
        self.database = database
        self.store = store
        self.config = config
        self.clock = clock
        self.tokens = tokens
    }

    /// The key's secret and who it stands for now; nil when it stands for nobody.
    package func secret(accessKey: String) async throws -> EC2Secret? {
        guard accessKey.utf8.count <= EC2Credential.maximumAccessKeyLength else { return nil }
        let (now, generation) = (clock.now(), database.generation.current)
        if let known = cache[accessKey], known.generation == generation, known.expiresAt > now { return known.secret }
        let lifetime = config.tokenLifetime
        let found = try await database.read { tx -> (EC2Secret, until: Timestamp)? in
            guard let key = try find(accessKey, tx), let payload = Self.payload(key, at: now, until: now + lifetime)
            else { return nil }
            do {
                let subject = try resolver.subject(of: payload, at: now, tx)
                let end = subject.applicationCredential?.expiresAt ?? payload.expiresAt
                return (EC2Secret(secret: key.secret, principal: subject.principal), min(end, payload.expiresAt))
            } catch let error as CloudError where error.code == .unauthorized {
                return nil
            }
        }
        guard let found else { return nil }
        cache.insert(
            EC2SecretCache.Entry(secret: found.0, generation: generation, expiresAt: found.until), for: accessKey)
        return found.0
    }

    /// A token for who signed `proof`. Throws `.notFound` for an unknown key, `.unauthorized` for a wrong signature.
    package func issue(_ proof: EC2Proof) async throws -> KnownToken {
        let now = clock.now()
        guard let key = try await database.read({ try find(proof.accessKey, $0) }) else {
            throw CloudError.notFound("EC2 access key not found.")
        }
        try proof.check(secret: key.secret)
        guard !key.isForeign, let project = key.credential.projectID else { throw IdentityError.unauthorized }
        if let time = try proof.time() {
            guard now <= time + Self.lifetime else { throw CloudError(.unauthorized, "Credential is expired") }
        }
        return try await tokens.issue(
            ec2: key.credential.id, of: key.credential.userID, on: project,
            applicationCredential: key.credential.bounds.applicationCredentialID, at: now)
    }

    private func find(_ accessKey: String, _ tx: any Transaction) throws -> EC2Credential? {
        try store.find(EC2Credential.id(accessKey: accessKey), tx).flatMap { EC2Credential($0) }
    }

    private static func payload(_ key: EC2Credential, at now: Timestamp, until end: Timestamp) -> TokenPayload? {
        guard !key.isForeign, let project = key.credential.projectID else { return nil }
        return TokenPayload(
            userID: key.credential.userID, methods: .ec2Credential, scope: .project(project),
            applicationCredentialID: key.credential.bounds.applicationCredentialID,
            credentialID: key.credential.id, issuedAt: now, expiresAt: end, auditIDs: [])
    }
}

/// Access keys seen lately; what a change of Identity made old is not used.
final class EC2SecretCache: Sendable {
    struct Entry: Sendable {
        let secret: EC2Secret
        let generation: UInt64
        let expiresAt: Timestamp
    }

    private let size: Int
    private let entries = Mutex<[String: Entry]>([:])

    init(size: Int) { self.size = size }

    subscript(accessKey: String) -> Entry? { entries.withLock { $0[accessKey] } }

    func insert(_ entry: Entry, for accessKey: String) {
        entries.withLock { entries in
            if entries.count >= size { entries = [:] }
            entries[accessKey] = entry
        }
    }
}

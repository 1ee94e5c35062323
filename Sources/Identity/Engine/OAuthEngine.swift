// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import SecurityKit

package struct ConsumerChange: Sendable {
    package var description: String??
    package var extras = Extras()
    package init() {}
}

/// OAuth 1.0: a consumer asks, a user names roles, and the consumer gets an access token.
package struct OAuthEngine: Sendable {
    private static let maximumRequests = 1000
    private static let verifierLength = 8

    let database: IdentityDatabase
    let clock: WallClock
    let ids: IDSource
    private let requestLifetime: Duration
    private let accessLifetime: Duration
    private let store = OAuthStore()
    private let nonces = UsedNonces()
    private let projects = ProjectStore()
    private let roles = RoleStore()
    private let access = AccessResolver()

    init(database: IdentityDatabase, config: IdentityConfig, clock: WallClock, ids: IDSource) {
        self.database = database
        self.clock = clock
        self.ids = ids
        requestLifetime = config.oauthRequestLifetime
        accessLifetime = config.oauthAccessLifetime
    }

    // MARK: Consumers

    package func consumers(for context: CallContext) async throws -> [Consumer] {
        try context.authorize([:])
        return try await database.read { try store.consumers($0) }
    }

    package func consumer(_ id: ConsumerID, for context: CallContext) async throws -> Consumer {
        try context.authorize([:])
        return try await database.read { try existing(id, $0) }
    }

    /// Returns the secret, which is shown this once.
    package func create(description: String?, extras: Extras, for context: CallContext) async throws
        -> (Consumer, secret: Secret)
    {
        try context.authorize([:])
        try extras.checkSize()
        let consumer = Consumer(id: ids.nextHex(), description: description, extras: extras)
        let secret = Self.newSecret()
        try await database.write("consumer") { try store.insert(consumer, secret: secret, $0) }
        return (consumer, secret)
    }

    package func update(_ id: ConsumerID, _ change: ConsumerChange, for context: CallContext) async throws -> Consumer {
        try context.authorize([:])
        return try await database.write("consumer") { tx in
            var consumer = try existing(id, tx)
            if let description = change.description { consumer.description = description }
            consumer.extras.merge(change.extras)
            try consumer.extras.checkSize()
            try store.update(consumer, tx)
            return consumer
        }
    }

    package func delete(_ id: ConsumerID, for context: CallContext) async throws {
        try context.authorize([:])
        try await database.write("consumer") { tx in
            _ = try existing(id, tx)
            try store.delete(id, tx)
        }
    }

    private func existing(_ id: ConsumerID, _ tx: any Transaction) throws -> Consumer {
        guard let consumer = try store.consumer(id, tx) else { throw CloudError.notFound("Consumer not found") }
        return consumer
    }

    // MARK: The consumer's part

    package func request(_ proof: OAuth1Proof, project: ProjectID?) async throws -> IssuedOAuthToken {
        let consumer = ConsumerID(try proof.required("oauth_consumer_key"))
        guard let project else { throw IdentityError.validation("Requested-Project-Id", in: "request") }
        let now = clock.now()
        let (secret, isProject) = try await database.read { tx in
            _ = try existing(consumer, tx)
            return (try store.secret(of: consumer, tx), try projects.find(project, tx) != nil)
        }
        guard let secret, proof.isSigned(consumerSecret: secret, tokenSecret: nil, at: now) else {
            throw CloudError(.unauthorized, "Invalid signature")
        }
        // Which projects there are is for who has signed.
        guard isProject else { throw IdentityError.notFound("project", project.rawValue) }
        try nonces.take(proof, at: now)
        let request = RequestToken(
            id: ids.nextHex(), secret: Self.newSecret(), consumerID: consumer, projectID: project,
            expiresAt: requestLifetime == .zero ? nil : now + requestLifetime)
        try await database.note { tx in
            guard try store.requestCount(of: consumer, tx) < Self.maximumRequests else {
                throw CloudError.forbidden("The consumer has too many requests that nobody authorized.")
            }
            try store.insert(request, tx)
        }
        return IssuedOAuthToken(id: request.id.rawValue, secret: request.secret, expiresAt: request.expiresAt)
    }

    /// Turns an authorized request into an access token; the request is spent.
    package func access(_ proof: OAuth1Proof) async throws -> IssuedOAuthToken {
        let consumer = ConsumerID(try proof.required("oauth_consumer_key"))
        let id = RequestTokenID(try proof.required("oauth_token"))
        let verifier = try proof.required("oauth_verifier")
        let now = clock.now()
        let newID: AccessTokenID = ids.nextHex()
        let newSecret = Self.newSecret()
        let expiresAt = accessLifetime == .zero ? nil : now + accessLifetime
        try await database.write("access token") { tx in
            guard let request = try store.request(id, tx) else { throw CloudError.notFound("Request token not found") }
            guard !request.isExpired(at: now) else { throw CloudError(.unauthorized, "Request token is expired") }
            guard request.consumerID == consumer, let secret = try store.secret(of: consumer, tx) else {
                throw CloudError(.unauthorized, "Provided consumer key does not match stored consumer key.")
            }
            guard proof.isSigned(consumerSecret: secret, tokenSecret: request.secret, at: now) else {
                throw CloudError(.unauthorized, "Invalid signature")
            }
            guard let stored = request.verifier, let user = request.userID else {
                throw CloudError(.unauthorized, "Request Token does not have an authorizing user id.")
            }
            guard isEqualInConstantTime(Array(stored.reveal().utf8), Array(verifier.utf8)) else {
                // Eight letters are not to be guessed at: a wrong one spends the request.
                return try store.delete(id, tx)
            }
            let roles = try store.roles(of: id, tx)
            try store.insert(
                AccessToken(
                    id: newID, consumerID: consumer, projectID: request.projectID, userID: user, expiresAt: expiresAt,
                    roleIDs: roles.named, grantedRoleIDs: roles.granted), secret: newSecret, tx)
            try store.delete(id, tx)
        }
        guard try await database.read({ try store.accessToken(newID, $0) != nil }) else {
            throw CloudError(.unauthorized, "Provided verifier does not match stored verifier")
        }
        return IssuedOAuthToken(id: newID.rawValue, secret: newSecret, expiresAt: expiresAt)
    }

    // MARK: The user's part

    /// Says yes to a request, for some of the user's roles on its project. Returns the verifier.
    package func authorize(_ id: RequestTokenID, _ wanted: [RoleReference], for context: CallContext) async throws
        -> Secret
    {
        try context.authorize([:])
        try Self.refuseDelegated(
            context, "Cannot authorize a request token with a token issued via delegation.")
        let (user, now, verifier) = (context.principal.userID, clock.now(), Self.newVerifier())
        try await database.write("request token") { tx in
            guard let request = try store.request(id, tx) else { throw CloudError.notFound("Request token not found") }
            guard !request.isExpired(at: now) else { throw CloudError(.unauthorized, "Request token is expired") }
            let named = try roles.resolve(wanted, tx)
            let granted = try roles.graph(tx).closure(of: named)
            let own = Set(try access.effectiveRoleIDs(of: user, in: .project(request.projectID), tx))
            guard own.isSuperset(of: granted) else {
                throw CloudError(.unauthorized, "authorizing user does not have role required")
            }
            try store.authorize(id, by: user, verifier: verifier, roles: named, granted: granted, tx)
        }
        return verifier
    }

    package func accessTokens(of user: UserID, for context: CallContext) async throws -> [AccessToken] {
        try Self.authorizeManaging(context)
        return try await database.read { try store.accessTokens(of: user, $0) }
    }

    package func accessToken(_ id: AccessTokenID, of user: UserID, for context: CallContext) async throws -> AccessToken
    {
        try Self.authorizeManaging(context)
        return try await database.read { try existing(id, of: user, $0) }
    }

    package func roles(of id: AccessTokenID, of user: UserID, for context: CallContext) async throws -> [Role] {
        try Self.authorizeManaging(context)
        return try await database.read { tx in
            try existing(id, of: user, tx).roleIDs.compactMap { try roles.find($0, tx) }
        }
    }

    package func delete(_ id: AccessTokenID, of user: UserID, for context: CallContext) async throws {
        try Self.authorizeManaging(context)
        try await database.write("access token") { tx in
            _ = try existing(id, of: user, tx)
            try store.delete(id, tx)
        }
    }

    private func existing(_ id: AccessTokenID, of user: UserID, _ tx: any Transaction) throws -> AccessToken {
        guard let token = try store.accessToken(id, tx), token.userID == user else {
            throw CloudError.notFound("Access token not found")
        }
        return token
    }

    // MARK: Parts

    private static func authorizeManaging(_ context: CallContext) throws {
        try context.authorize([:])
        try refuseDelegated(context, "Cannot manage OAuth access tokens with a token issued via delegation.")
    }

    /// A delegation makes no other way in that would outlast it.
    private static func refuseDelegated(_ context: CallContext, _ message: String) throws {
        guard !context.principal.isDelegated else { throw CloudError.forbidden(message) }
    }

    private static func newSecret() -> Secret { Secret(Hex.encode(SecureRandom.bytes(16))) }

    /// Letters and digits (keystone: `VERIFIER_CHARS`).
    private static func newVerifier() -> Secret {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
        var text: [UInt8] = []
        while text.count < verifierLength {
            // The bytes past the last whole alphabet would favour its first letters.
            for byte in SecureRandom.bytes(16) where byte < 248 && text.count < verifierLength {
                text.append(alphabet[Int(byte) % alphabet.count])
            }
        }
        return Secret(String(decoding: text, as: UTF8.self))
    }
}

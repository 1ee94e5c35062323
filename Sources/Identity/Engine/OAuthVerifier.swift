// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Checks who signed a request with an OAuth access token.
struct OAuthVerifier: Sendable {
    private let database: IdentityDatabase
    private let clock: WallClock
    private let store = OAuthStore()
    private let nonces = UsedNonces()

    init(database: IdentityDatabase, clock: WallClock) {
        self.database = database
        self.clock = clock
    }

    /// The access token that it is signed with. Throws `.unauthorized`, one and the same, when it is not.
    func check(_ proof: OAuth1Proof) async throws -> AccessToken {
        let id = AccessTokenID(try proof.required("oauth_token"))
        let (store, now) = (store, clock.now())
        let found = try await database.read { tx -> (AccessToken, Secret, consumer: Secret)? in
            guard let token = try store.accessToken(id, tx), let secret = try store.secret(of: id, tx),
                let consumer = try store.secret(of: token.consumerID, tx)
            else { return nil }
            return (token, secret, consumer)
        }
        guard let (token, secret, consumer) = found, !token.isExpired(at: now),
            proof["oauth_consumer_key"] == token.consumerID.rawValue,
            proof.isSigned(consumerSecret: consumer, tokenSecret: secret, at: now)
        else { throw IdentityError.unauthorized }
        try nonces.take(proof, at: now)
        return token
    }
}

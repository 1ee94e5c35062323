// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit
import SecurityKit

/// Issues, validates and revokes tokens. Validation writes nothing.
package struct TokenEngine: Sendable {
    private let database: IdentityDatabase
    private let config: IdentityConfig
    private let clock: WallClock
    private let keys: KeyRepository
    private let cache: TokenCache
    private let verifier: PasswordVerifier
    private let login: PasswordLogin
    private let oauth: OAuthVerifier
    private let totp: TOTPVerifier
    private let trusts = TrustStore()
    private let resolver = AccessResolver()

    init(
        database: IdentityDatabase, config: IdentityConfig, clock: WallClock, keys: KeyRepository,
        verifier: PasswordVerifier, login: PasswordLogin, credentials: CredentialStore
    ) {
        self.database = database
        self.config = config
        self.clock = clock
        self.keys = keys
        self.verifier = verifier
        self.login = login
        oauth = OAuthVerifier(database: database, clock: clock)
        totp = TOTPVerifier(database: database, store: credentials, clock: clock, windows: config.passcodeWindows)
        cache = TokenCache(size: config.tokenCacheSize)
    }

    // MARK: Validate

    /// What `token` means now. Throws `.unauthorized` for one that is unknown, expired or revoked.
    ///
    /// `graceful` also takes one that expired a short while ago, for a service that ends what it began with it.
    package func validate(_ token: String, graceful: Bool = false) async throws -> KnownToken {
        let (now, generation) = (clock.now(), database.generation.current)
        let window = graceful ? config.expiredTokenWindow : .zero
        let known = cache[token]
        if let known, known.generation == generation, known.payload.expiresAt + window > now { return known }
        let payload: TokenPayload
        if let known {
            payload = known.payload
        } else {
            guard token.utf8.count <= 1024, let opened = try await keys.fernet().open(token, padded: false),
                let decoded = TokenPayload(opened.payload)
            else { throw IdentityError.unauthorized }
            payload = decoded
        }
        guard payload.expiresAt + window > now else { throw IdentityError.unauthorized }
        let resolver = resolver
        let subject: TokenSubject
        do {
            subject = try await database.read { try resolver.subject(of: payload, at: now, $0) }
        } catch let error as CloudError where error.code == .forbidden {
            // Why a trust gives no token is for who asks for one; a token of it is just none any more.
            throw IdentityError.unauthorized
        }
        let fresh = KnownToken(token: token, payload: payload, subject: subject, generation: generation)
        cache.insert(fresh)
        return fresh
    }

    /// `X-Subject-Token`: the caller needs a right, or is the token's own user.
    package func validate(_ token: String, graceful: Bool = false, for context: CallContext) async throws -> KnownToken
    {
        let known = try await foreign(token, graceful: graceful, for: context)
        try context.authorize(["target.token.user_id": known.subject.principal.userID.rawValue])
        return known
    }

    package func revoke(_ token: String, for context: CallContext) async throws {
        let known = try await foreign(token, graceful: false, for: context)
        try context.authorize(["target.token.user_id": known.subject.principal.userID.rawValue])
        guard let auditID = known.payload.auditTexts.first else { return }
        let (tokens, expiry) = (TokenStore(), known.payload.expiresAt + config.expiredTokenWindow)
        try await database.write("revocation") { try tokens.revoke(auditID, until: expiry, $0) }
    }

    /// Not found, whoever asks: upstream looks for the token before it looks at the rule (keystone: api/auth.py). A
    /// token is too long to be guessed.
    private func foreign(_ token: String, graceful: Bool, for context: CallContext) async throws -> KnownToken {
        do {
            return try await validate(token, graceful: graceful)
        } catch let error as CloudError where error.code == .unauthorized {
            context.authorizeListing()
            throw CloudError.notFound("Could not find token.")
        }
    }

    // MARK: Issue

    /// A new token. Throws `.unauthorized`, one and the same for every reason, when `request` does not hold.
    package func issue(_ request: AuthRequest) async throws -> KnownToken {
        // Before the password is checked: a change meanwhile makes this token an old one.
        let issuedAt = clock.now()
        var receipt: KnownReceipt?
        if let text = request.receipt { receipt = try await receipts.read(text) }
        var signIn: SignIn?
        // Passcodes come last: what was shown before them counts.
        for method in request.methods.filter({ $0.kind != .totp }) + request.methods.filter({ $0.kind == .totp }) {
            let next = try await check(method, proven: signIn?.proven ?? receipt?.proven)
            signIn = try signIn?.joined(by: next) ?? next
        }
        guard var signIn else { throw IdentityError.unauthorized }
        if let receipt {
            guard receipt.userID == signIn.userID else { throw IdentityError.unauthorized }
            signIn.methods.formUnion(receipt.methods)
            signIn.provenAt = receipt.provenAt
        }
        return try await issue(signIn, request.scope, at: issuedAt)
    }

    /// A token for who signed a request with an access key: on its project, ending with the key.
    func issue(
        ec2 credential: CredentialID, of user: UserID, on project: ProjectID,
        applicationCredential: ApplicationCredentialID?, at time: Timestamp
    ) async throws -> KnownToken {
        var signIn = SignIn(userID: user, methods: .ec2Credential)
        signIn.ec2Credential = (credential, project)
        signIn.applicationCredential = applicationCredential.map { ($0, project) }
        return try await issue(signIn, .project(.id(project)), at: time)
    }

    /// An unscoped token for whom an identity provider vouched.
    func issue(mapped user: UserID, until end: Timestamp, at time: Timestamp) async throws -> KnownToken {
        var signIn = SignIn(userID: user, methods: .mapped)
        signIn.expiresAt = end
        return try await issue(signIn, .unscoped, at: time)
    }

    private func issue(_ signIn: SignIn, _ wanted: AuthRequest.Scope?, at issuedAt: Timestamp) async throws
        -> KnownToken
    {
        let generation = database.generation.current
        let (resolver, lifetime) = (resolver, config.tokenLifetime)
        let (payload, subject) = try await database.read { tx in
            let (user, domain) = try resolver.signedInUser(signIn.userID, tx)
            // The user's rules for signing in were met when the access key was made.
            guard signIn.ec2Credential != nil || user.isSatisfied(by: Set(signIn.methods.names)) else {
                guard signIn.mayContinue else { throw IdentityError.unauthorized }
                throw MoreMethodsNeeded(
                    user: user, domain: domain, methods: signIn.methods, provenAt: signIn.provenAt ?? issuedAt)
            }
            try signIn.checkProof(resolver, tx)
            let (scope, trust) = try signIn.scope(wanted, resolver, tx)
            let expiresAt = signIn.expiresAt ?? issuedAt + lifetime
            let payload = TokenPayload(
                userID: signIn.userID, methods: signIn.methods, scope: scope,
                applicationCredentialID: signIn.applicationCredential?.id, trustID: trust?.id,
                accessTokenID: signIn.accessToken?.id, credentialID: signIn.ec2Credential?.id, issuedAt: issuedAt,
                expiresAt: trust?.expiresAt.map { min($0, expiresAt) } ?? expiresAt,
                auditIDs: [SecureRandom.bytes(TokenPayload.auditIDByteCount)] + (signIn.chainAuditID.map { [$0] } ?? [])
            )
            return (payload, try resolver.subject(of: payload, at: issuedAt, tx))
        }
        if let trust = subject.trust, trust.remainingUses != nil {
            let trusts = trusts
            guard try await database.note({ try trusts.consumeUse(of: trust.id, $0) }) else {
                throw IdentityError.unauthorized
            }
        }
        let token = try await keys.fernet().seal(payload.encoded(), at: issuedAt, padded: false)
        let known = KnownToken(token: token, payload: payload, subject: subject, generation: generation)
        cache.insert(known)
        return known
    }

    /// What somebody gets who has shown some of the methods that their rules ask for.
    package func receipt(for needed: MoreMethodsNeeded) async throws -> AuthReceipt {
        try await receipts.issue(needed)
    }

    private var receipts: ReceiptOffice { ReceiptOffice(keys: keys, clock: clock, lifetime: config.receiptLifetime) }

    private func check(_ method: AuthRequest.Method, proven: UserID?) async throws -> SignIn {
        let resolver = resolver
        switch method {
        case .password(let reference, let password):
            let (user, stored) = try await login.check(reference, password)
            guard !login.policy.isExpired(stored, user.options, at: clock.now()) else {
                throw CloudError(
                    .unauthorized, "The password is expired and needs to be changed for user: \(user.id).")
            }
            return SignIn(userID: user.id, methods: .password)
        case .totp(let reference, let passcode):
            return SignIn(userID: try await totp.check(reference, passcode, proven: proven), methods: .totp)
        case .oauth1(let proof):
            let access = try await oauth.check(proof)
            var signIn = SignIn(userID: access.userID, methods: .oauth1)
            signIn.expiresAt = access.expiresAt.map { min($0, clock.now() + config.tokenLifetime) }
            signIn.accessToken = (access.id, access.projectID)
            return signIn
        case .applicationCredential(let reference, let secret):
            let found = try await database.read { tx -> (ApplicationCredential, String?)? in
                guard let credential = try resolver.find(reference, tx) else { return nil }
                return (credential, try resolver.applicationCredentials.secretHash(of: credential.id, tx))
            }
            let isRight = try await verifier.verify(secret, found?.1, of: found?.0.id.rawValue ?? "")
            guard isRight, let credential = found?.0, !credential.isExpired(at: clock.now()) else {
                throw IdentityError.unauthorized
            }
            return SignIn(
                userID: credential.userID, methods: .applicationCredential, expiresAt: expiry(of: credential),
                applicationCredential: (credential.id, credential.projectID))
        case .token(let token):
            let known = try await presented(token)
            let credential = known.subject.applicationCredential
            // Upstream's words (keystone: `token_authenticate`).
            if known.payload.trustID != nil || known.payload.accessTokenID != nil {
                let kind = known.payload.trustID == nil ? "OAuth" : "trust"
                throw CloudError.forbidden(
                    "You are not authorized to perform the requested action: Using \(kind)-scoped token to create "
                        + "another token. Create a new \(kind)-scoped token instead.")
            }
            return SignIn(
                userID: known.payload.userID, methods: known.payload.methods.union(.token),
                expiresAt: known.payload.expiresAt, chainAuditID: known.payload.auditIDs.last,
                applicationCredential: credential.map { ($0.id, $0.projectID) },
                ec2Credential: known.payload.credentialID.flatMap { id in
                    known.subject.principal.projectID.map { (id, $0) }
                },
                isOfSystem: known.payload.scope == .system)
        }
    }

    /// A token that somebody signs in with is not found when it is none any more (keystone: `TokenNotFound`).
    private func presented(_ token: String) async throws -> KnownToken {
        do {
            return try await validate(token)
        } catch let error as CloudError where error.code == .unauthorized {
            throw CloudError.notFound("Failed to validate token.")
        }
    }

    /// No later than the credential's own end.
    private func expiry(of credential: ApplicationCredential) -> Timestamp? {
        credential.expiresAt.map { min($0, clock.now() + config.tokenLifetime) }
    }
}

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
    private let resolver = AccessResolver()

    init(
        database: IdentityDatabase, config: IdentityConfig, clock: WallClock, keys: KeyRepository,
        verifier: PasswordVerifier
    ) {
        self.database = database
        self.config = config
        self.clock = clock
        self.keys = keys
        self.verifier = verifier
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
        let subject = try await database.read { try resolver.subject(of: payload, at: now, $0) }
        let fresh = KnownToken(token: token, payload: payload, subject: subject, generation: generation)
        cache.insert(fresh)
        return fresh
    }

    /// `X-Subject-Token`: the caller needs a right, or is the token's own user.
    package func validate(_ token: String, graceful: Bool = false, for context: CallContext) async throws -> KnownToken
    {
        let known = try await foreign(token, graceful: graceful, for: context)
        try context.authorize(["target.token.user_id": known.payload.userID.rawValue])
        return known
    }

    package func revoke(_ token: String, for context: CallContext) async throws {
        let known = try await foreign(token, graceful: false, for: context)
        try context.authorize(["target.token.user_id": known.payload.userID.rawValue])
        guard let auditID = known.payload.auditTexts.first else { return }
        let (tokens, expiry) = (TokenStore(), known.payload.expiresAt + config.expiredTokenWindow)
        try await database.write("revocation") { try tokens.revoke(auditID, until: expiry, $0) }
    }

    /// Not found, whoever asks: upstream looks for the token before it looks at the rule (keystone: api/auth.py). A token
    /// is too long to be guessed.
    private func foreign(_ token: String, graceful: Bool, for context: CallContext) async throws -> KnownToken {
        do {
            return try await validate(token, graceful: graceful)
        } catch let error as CloudError where error.code == .unauthorized {
            context.authorizeListing()
            throw CloudError.notFound("Could not find token.")
        }
    }

    // MARK: Issue

    /// Somebody who has shown who they are.
    private struct SignIn: Sendable {
        var userID: UserID
        var methods: AuthMethods = []
        /// A token made from a token ends when the first one does.
        var expiresAt: Timestamp?
        var chainAuditID: [UInt8]?
        var applicationCredential: (id: ApplicationCredentialID, projectID: ProjectID)?
        /// The access key that signed the request.
        var ec2Credential: (id: CredentialID, projectID: ProjectID)?
        var boundProject: ProjectID? { ec2Credential?.projectID ?? applicationCredential?.projectID }
    }

    /// A new token. Throws `.unauthorized`, one and the same for every reason, when `request` does not hold.
    package func issue(_ request: AuthRequest) async throws -> KnownToken {
        // Before the password is checked: a change meanwhile makes this token an old one.
        let issuedAt = clock.now()
        var signIn: SignIn?
        for method in request.methods {
            let next = try await check(method)
            guard var merged = signIn else {
                signIn = next
                continue
            }
            guard merged.userID == next.userID else { throw IdentityError.unauthorized }
            merged.methods.formUnion(next.methods)
            merged.expiresAt = [merged.expiresAt, next.expiresAt].compactMap { $0 }.min()
            merged.chainAuditID = merged.chainAuditID ?? next.chainAuditID
            merged.applicationCredential = merged.applicationCredential ?? next.applicationCredential
            merged.ec2Credential = merged.ec2Credential ?? next.ec2Credential
            signIn = merged
        }
        guard let signIn else { throw IdentityError.unauthorized }
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

    private func issue(_ signIn: SignIn, _ wanted: AuthRequest.Scope?, at issuedAt: Timestamp) async throws
        -> KnownToken
    {
        let generation = database.generation.current
        let (resolver, lifetime) = (resolver, config.tokenLifetime)
        let (payload, subject) = try await database.read { tx in
            let scope = try Self.scope(wanted, of: signIn, resolver, tx)
            let payload = TokenPayload(
                userID: signIn.userID, methods: signIn.methods, scope: scope,
                applicationCredentialID: signIn.applicationCredential?.id, credentialID: signIn.ec2Credential?.id,
                issuedAt: issuedAt,
                expiresAt: signIn.expiresAt ?? issuedAt + lifetime,
                auditIDs: [SecureRandom.bytes(TokenPayload.auditIDByteCount)] + (signIn.chainAuditID.map { [$0] } ?? [])
            )
            let (user, _) = try resolver.signedInUser(signIn.userID, tx)
            // The user's rules for signing in were met when the access key was made.
            guard signIn.ec2Credential != nil || user.isSatisfied(by: Set(signIn.methods.names)) else {
                throw IdentityError.unauthorized
            }
            return (payload, try resolver.subject(of: payload, at: issuedAt, tx))
        }
        let token = try await keys.fernet().seal(payload.encoded(), at: issuedAt, padded: false)
        let known = KnownToken(token: token, payload: payload, subject: subject, generation: generation)
        cache.insert(known)
        return known
    }

    private func check(_ method: AuthRequest.Method) async throws -> SignIn {
        let resolver = resolver
        switch method {
        case .password(let reference, let password):
            let found = try await database.read { tx -> (UserID, String?)? in
                guard let user = try resolver.find(reference, tx) else { return nil }
                return (user.id, try resolver.users.password(of: user.id, tx)?.hash)
            }
            let isRight = try await verifier.verify(password, found?.1, of: found?.0.rawValue ?? "")
            guard isRight, let found else { throw IdentityError.unauthorized }
            return SignIn(userID: found.0, methods: .password)
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
            let known = try await validate(token)
            let credential = known.subject.applicationCredential
            return SignIn(
                userID: known.payload.userID, methods: known.payload.methods.union(.token),
                expiresAt: known.payload.expiresAt, chainAuditID: known.payload.auditIDs.last,
                applicationCredential: credential.map { ($0.id, $0.projectID) },
                ec2Credential: known.payload.credentialID.flatMap { id in
                    known.subject.principal.projectID.map { (id, $0) }
                })
        }
    }

    /// No later than the credential's own end.
    private func expiry(of credential: ApplicationCredential) -> Timestamp? {
        credential.expiresAt.map { min($0, clock.now() + config.tokenLifetime) }
    }

    private static func scope(
        _ wanted: AuthRequest.Scope?, of signIn: SignIn, _ resolver: AccessResolver, _ tx: any Transaction
    ) throws -> TokenScope {
        let scope: TokenScope
        switch wanted {
        case .unscoped: scope = .unscoped
        case .system: scope = .system
        case .domain(let reference):
            guard let domain = try resolver.find(reference, tx), domain.isDomain else {
                throw IdentityError.unauthorized
            }
            scope = .domain(domain.asDomainID)
        case .project(let reference):
            guard let project = try resolver.find(reference, tx) else { throw IdentityError.unauthorized }
            scope = .project(project.id)
        case nil:
            if let project = signIn.boundProject { return .project(project) }
            return try defaultScope(of: signIn.userID, resolver, tx)
        }
        // A delegation acts on its project and nowhere else, whatever its token is made into.
        if let project = signIn.boundProject, scope != .project(project) { throw IdentityError.unauthorized }
        return scope
    }

    /// The user's default project while it can be worked in; otherwise no scope (keystone:
    /// `_check_and_set_default_scoping`).
    private static func defaultScope(of user: UserID, _ resolver: AccessResolver, _ tx: any Transaction) throws
        -> TokenScope
    {
        guard let id = try resolver.users.find(user, tx)?.defaultProjectID,
            let project = try resolver.projects.find(id, tx), project.isEnabled, let domainID = project.domainID,
            try resolver.projects.findDomain(domainID, tx)?.isEnabled == true,
            try !resolver.effectiveRoleIDs(of: user, in: .project(id), tx).isEmpty
        else { return .unscoped }
        return .project(id)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import LifecycleKit
import LogKit
import SecurityKit

/// All of Identity, behind its API and behind the contract that other services use.
package struct IdentityEngine: IdentityService {
    package let tokens: TokenEngine
    package let reach: ReachEngine
    package let users: UserEngine
    package let groups: GroupEngine
    package let projects: ProjectEngine
    package let domains: DomainEngine
    package let roles: RoleEngine
    package let assignments: AssignmentEngine
    package let catalog: CatalogEngine
    package let applicationCredentials: ApplicationCredentialEngine
    package let credentials: CredentialEngine
    package let ec2Credentials: EC2CredentialEngine
    package let ec2Tokens: EC2TokenEngine
    package let limits: LimitEngine
    package let trusts: TrustEngine
    package let oauth: OAuthEngine
    package let endpointFilters: EndpointFilterEngine
    package let policies: PolicyBlobEngine
    package let domainConfigs: DomainConfigEngine
    package let federation: FederationEngine
    package let federatedSignIn: FederatedSignIn
    /// Turns token keys over and forgets what is past; run it with the process.
    package let keeper: IdentityKeeper

    let database: IdentityDatabase
    let ids: IDSource
    private let projectStore = ProjectStore()

    /// `credentialKeys` seal what credentials hold: the first one seals, all open. `directory` is asked about users of
    /// domains whose configuration says so; without one they cannot sign in.
    package init(
        database: any Database, credentialKeys: [FernetKey], config: IdentityConfig = IdentityConfig(),
        clock: WallClock, ids: IDSource, directory: (any UserDirectory)? = nil,
        issuers: TokenIssuers = TokenIssuers()
    ) {
        let database = IdentityDatabase(database)
        let hasher = PasswordHasher(threads: config.passwordThreads, cost: config.passwordCost)
        let verifier = PasswordVerifier(hasher: hasher, memory: LoginMemory(lifetime: config.loginMemory), clock: clock)
        let directories = directory.map { DirectoryEngine(database: database, directory: $0, clock: clock) }
        let login = PasswordLogin(
            database: database, verifier: verifier, policy: PasswordPolicy(config), clock: clock,
            directory: directories)
        let keys = KeyRepository(database: database, clock: clock)
        let credentialStore = CredentialStore(keyring: CredentialKeyring(credentialKeys, clock: clock))
        let model: LimitModel = config.limitsAreHierarchical ? .strictTwoLevel : .flat
        self.database = database
        self.ids = ids
        tokens = TokenEngine(
            database: database, config: config, clock: clock, keys: keys, verifier: verifier, login: login,
            credentials: credentialStore)
        reach = ReachEngine(database: database)
        users = UserEngine(database: database, hasher: hasher, login: login, clock: clock, ids: ids)
        groups = GroupEngine(database: database, ids: ids)
        projects = ProjectEngine(
            database: database, ids: ids, clock: clock, removal: ProjectRemoval(users: users, groups: groups),
            maximumDepth: model.maximumDepth)
        domains = DomainEngine(database: database, ids: ids, projects: projects)
        roles = RoleEngine(database: database, ids: ids)
        assignments = AssignmentEngine(database: database)
        catalog = CatalogEngine(database: database, ids: ids)
        applicationCredentials = ApplicationCredentialEngine(
            database: database, hasher: hasher, clock: clock, ids: ids)
        credentials = CredentialEngine(database: database, store: credentialStore, ids: ids)
        ec2Credentials = EC2CredentialEngine(database: database, store: credentialStore, ids: ids)
        ec2Tokens = EC2TokenEngine(
            database: database, store: credentialStore, config: config, clock: clock, tokens: tokens)
        limits = LimitEngine(database: database, ids: ids, model: model)
        trusts = TrustEngine(database: database, clock: clock, ids: ids)
        oauth = OAuthEngine(database: database, config: config, clock: clock, ids: ids)
        endpointFilters = EndpointFilterEngine(database: database, ids: ids)
        policies = PolicyBlobEngine(database: database, ids: ids)
        domainConfigs = DomainConfigEngine(database: database, policy: PasswordPolicy(config))
        federation = FederationEngine(database: database, clock: clock, ids: ids, users: users)
        federatedSignIn = FederatedSignIn(
            database: database, tokens: tokens, issuers: issuers, lifetime: config.tokenLifetime, clock: clock,
            ids: ids)
        keeper = IdentityKeeper(
            database: database, keys: keys, keyLifetime: KeyRepository.lifetime(config), clock: clock,
            directories: directories, credentials: credentialStore, users: users, federatedSignIn: federatedSignIn)
    }

    // MARK: IdentityService

    package func authenticate(token: String) async throws -> Principal {
        try await tokens.validate(token).subject.principal
    }

    package func projectExists(_ id: ProjectID) async throws -> Bool {
        try await database.read { try projectStore.find(id, $0) != nil }
    }

    package func ec2Secret(accessKey: String) async throws -> EC2Secret? {
        try await ec2Tokens.secret(accessKey: accessKey)
    }
}

/// Identity's housekeeping.
package struct IdentityKeeper: Service {
    private static let interval: Duration = .seconds(300)
    private static let sealedAtOnce = 500

    package let name = "identity-keeper"
    private let database: IdentityDatabase
    private let keys: KeyRepository
    private let keyLifetime: Duration
    private let clock: WallClock
    private let directories: DirectoryEngine?
    private let credentials: CredentialStore
    private let users: UserEngine
    private let federatedSignIn: FederatedSignIn
    private let tokens = TokenStore()
    private let oauth = OAuthStore()
    private let trusts = TrustStore()
    private let log = Logger("identity")

    init(
        database: IdentityDatabase, keys: KeyRepository, keyLifetime: Duration, clock: WallClock,
        directories: DirectoryEngine?, credentials: CredentialStore, users: UserEngine,
        federatedSignIn: FederatedSignIn
    ) {
        self.database = database
        self.credentials = credentials
        self.federatedSignIn = federatedSignIn
        self.users = users
        self.keys = keys
        self.keyLifetime = keyLifetime
        self.clock = clock
        self.directories = directories
    }

    package func run() async throws {
        while !Task.isCancelled {
            do {
                try await pass()
            } catch is CancellationError {
                return
            } catch {
                log.error("housekeeping failed", ["error": "\(error)"])
            }
            do { try await Task.sleep(for: Self.interval) } catch { return }
        }
    }

    /// One round; may be repeated at any time.
    package func pass() async throws {
        while try await database.read({ try CredentialStore.hasPlain($0) }) {
            try await database.note { [credentials] in try credentials.sealPlain(limit: Self.sealedAtOnce, $0) }
        }
        try await keys.rotate(after: keyLifetime)
        let now = clock.now()
        let hasOld = try await database.read { try tokens.hasExpired(before: now, $0) }
        if hasOld { try await database.write("revocation") { try tokens.forgetExpired(before: now, $0) } }
        if try await database.read({ try oauth.hasExpired(before: now, $0) }) {
            try await database.note { try oauth.deleteExpired(before: now, $0) }
        }
        if try await database.read({ try trusts.hasExpired(before: now, $0) }) {
            try await database.note { try trusts.deleteExpired(before: now, $0) }
        }
        try await directories?.follow()
        try await users.disableUnused()
        try await federatedSignIn.pass()
    }
}

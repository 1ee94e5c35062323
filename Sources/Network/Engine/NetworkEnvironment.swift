// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import NetworkContract
import PolicyKit
import QuotaKit

/// What every engine of this service works with.
package struct NetworkEnvironment: Sendable {
    package let database: any Database
    package let driver: any NetworkDriver
    package let config: NetworkConfig
    package let clock: WallClock
    package let ids: IDSource
    package let quotas: QuotaEngine
    /// When this process began to look after the network.
    package let startedAt: Timestamp
    let signals = NetworkSignals()

    package init(
        database: any Database, driver: any NetworkDriver, config: NetworkConfig = NetworkConfig(),
        clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.driver = driver
        self.config = config
        self.clock = clock
        self.ids = ids
        startedAt = clock.now()
        quotas = QuotaEngine(
            service: "network",
            defaults: Dictionary(uniqueKeysWithValues: NetworkQuota.allCases.map { ($0.rawValue, config.quota[$0]) }))
    }

    /// One write transaction. Objects that `body` marks are dirty when it commits, and the projector is woken then.
    func write<T: Sendable>(_ body: @escaping @Sendable (NetworkChange) throws -> T) async throws -> T {
        do {
            return try await database.write { transaction in
                let change = NetworkChange(transaction, self)
                let result = try body(change)
                try change.flush()
                return result
            }
        } catch DatabaseError.unique(let constraint) {
            // Every rule is checked before it is written; only a race with another controller comes here.
            throw CloudError(
                .conflict, "The request conflicts with another that was made at the same time; repeat it.",
                kind: "Conflict", cause: constraint)
        }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await database.read(body)
    }
}

/// Wake-ups between the parts of this service.
final class NetworkSignals: Sendable {
    /// Something is dirty.
    let dirty = Signal()
    /// A port's status changed.
    let portStatus = PortWaiters()
}

/// One write transaction with its time and its marks. Lives only inside the transaction's closure.
final class NetworkChange {
    let transaction: any Transaction
    let environment: NetworkEnvironment
    let now: Timestamp
    private var marks: Set<LogicalKey> = []

    init(_ transaction: any Transaction, _ environment: NetworkEnvironment) {
        self.transaction = transaction
        self.environment = environment
        now = environment.clock.now()
    }

    var config: NetworkConfig { environment.config }

    /// The data plane must hear of this object.
    func mark(_ key: LogicalKey) { marks.insert(key) }

    func newID<Tag>(_: Tag.Type = Tag.self) -> ID<Tag> { environment.ids.next() }

    /// A random number from the passed-in source, so that tests repeat.
    func random() -> UInt64 {
        // The first 8 digits and the last 12 are random through and through; a UUID's version sits between.
        environment.ids.hex().utf8.suffix(12).reduce(0) { $0 << 4 | UInt64(Hex.value($1) ?? 0) }
    }

    func standard(_ description: String?, _ tags: [String]?) -> StandardAttributes {
        StandardAttributes(
            description: description ?? "", tags: JSONList.encode(tags.map { Array(Set($0)).sorted() } ?? []),
            createdAt: now, updatedAt: now)
    }

    /// Refuses `count` more of `resource` when the project may not have them.
    func checkQuota(_ resource: NetworkQuota, _ project: ProjectID, adding count: Int = 1) throws {
        try environment.quotas.check(
            project, [resource.rawValue: count], transaction,
            error: { excesses in
                let names = excesses.map { "'\($0.resource)'" }.joined(separator: ", ")
                return CloudError(.overQuota, "Quota exceeded for resources: [\(names)].", kind: "OverQuota")
            },
            usage: { _ in try resource.used(by: project, self.transaction) })
    }

    /// Throws when a hint names a zone that does not exist.
    func checkZones(_ hints: [String]?) throws {
        for hint in hints ?? [] where hint != config.availabilityZone {
            throw CloudError.notFound(
                "AvailabilityZone \(hint.prefix(64)) could not be found.", kind: "AvailabilityZoneNotFound")
        }
    }

    func flush() throws {
        guard !marks.isEmpty else { return }
        // In the order of time; the random end tells marks of one microsecond apart.
        for key in marks {
            try DirtyStore.mark(key, stamp: now.microseconds << 10 | Int64(random() & 0x3FF), transaction)
        }
        let signal = environment.signals.dirty
        transaction.afterCommit { signal.wake() }
    }
}

extension NetworkQuota {
    /// Counted, never stored, so it cannot drift.
    func used(by project: ProjectID, _ transaction: any Transaction) throws -> Int {
        switch self {
        case .network: try transaction.count("SELECT COUNT(*) FROM networks WHERE project_id = \(project)")
        case .subnet: try transaction.count("SELECT COUNT(*) FROM subnets WHERE project_id = \(project)")
        case .port: try transaction.count("SELECT COUNT(*) FROM ports WHERE project_id = \(project)")
        case .router: try transaction.count("SELECT COUNT(*) FROM routers WHERE project_id = \(project)")
        case .floatingip: try transaction.count("SELECT COUNT(*) FROM floatingips WHERE project_id = \(project)")
        case .securityGroup: try transaction.count("SELECT COUNT(*) FROM security_groups WHERE project_id = \(project)")
        case .securityGroupRule:
            try transaction.count("SELECT COUNT(*) FROM security_group_rules WHERE project_id = \(project)")
        case .rbacPolicy: try transaction.count("SELECT COUNT(*) FROM network_rbac WHERE project_id = \(project)")
        case .trunk: try transaction.count("SELECT COUNT(*) FROM trunks WHERE project_id = \(project)")
        case .subnetPool: try transaction.count("SELECT COUNT(*) FROM subnetpools WHERE project_id = \(project)")
        }
    }
}

extension StandardAttributes {
    /// One change of the object.
    mutating func touch(_ change: NetworkChange) {
        revision += 1
        updatedAt = change.now
    }

    mutating func apply(description: String?, tags: [String]? = nil) {
        if let description { self.description = description }
        if let tags { self.tags = JSONList.encode(Array(Set(tags)).sorted()) }
    }

    /// `If-Match: revision_number=N`.
    func check(_ expected: Int?) throws {
        if let expected, expected != revision { throw NetworkFault.revisionMismatch(expected) }
    }
}

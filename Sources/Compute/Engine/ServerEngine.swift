// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import NetworkContract
import PatternKit
import PolicyKit
import TaskKit

/// What users do with servers. Creation is in `ServerEngine+Create`, actions in `ServerEngine+Actions`.
package struct ServerEngine: Sendable {
    package let parts: ComputeParts
    let sagas: SagaRunner
    var stores: ComputeStores { parts.stores }

    package init(_ parts: ComputeParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    // MARK: Load

    /// One server that the caller may see and act on by `policy` (the route's rule when nil). Another project's server
    /// is as absent as one that never was.
    package func server(
        _ id: ServerID, for context: CallContext, as policy: PolicyName? = nil, includesDeleted: Bool = false
    ) async throws -> Server {
        let stores = stores
        guard UUIDText.isUUID(id.rawValue),
            let server = try await parts.database.read({ try stores.servers.server(id, $0) }),
            includesDeleted || !server.isDeleted,
            context.sees(server.projectID)
        else { throw Self.notFound(id) }
        try context.authorize(Self.target(server), as: policy)
        return server
    }

    static func target(_ server: Server) -> PolicyTarget {
        PolicyTarget(project: server.projectID, user: server.userID)
    }

    static func notFound(_ id: ServerID) -> CloudError {
        .notFound("Instance \(id.rawValue.prefix(64)) could not be found.", kind: "InstanceNotFound")
    }

    /// A page of servers with what a detailed view shows beside the rows.
    package struct Page: Sendable {
        package var servers: [Server]
        package var hasMore: Bool
        package var ports: [String: [ServerPort]] = [:]
        package var hosts: [String: ComputeHost] = [:]
        /// Volumes, and root disks with an unusual name.
        package var disks: [ServerID: [ServerBlockDevice]] = [:]
    }

    /// `query` is limited to what the caller may see by who builds it: the routes, by policy.
    package func list(
        _ query: ServerQuery, isDetailed: Bool, ip: TextPattern? = nil, ip6: TextPattern? = nil,
        for context: CallContext
    ) async throws -> Page {
        context.authorizeListing()
        let limit = min(query.limit ?? parts.config.maximumPage, parts.config.maximumPage)
        var query = query
        query.limit = limit
        var servers = try await servers(query, ip, ip6)
        let hasMore = servers.count > limit
        if hasMore { servers.removeLast(servers.count - limit) }
        guard isDetailed, !servers.isEmpty else { return Page(servers: servers, hasMore: hasMore) }
        let (ids, names, stores) = (servers.map(\.id), Set(servers.compactMap(\.host)).sorted(), stores)
        let (hosts, disks) = try await parts.database.read { transaction in
            (
                try stores.hosts.hosts(names, transaction),
                try stores.blockDevices.shown(ofServers: ids, transaction)
            )
        }
        let byName = Dictionary(hosts.map { ($0.host, $0) }, uniquingKeysWith: { first, _ in first })
        let ports = try await parts.networks.ports(of: servers)
        return Page(servers: servers, hasMore: hasMore, ports: ports, hosts: byName, disks: disks)
    }

    /// A page and one more.
    private func servers(_ query: ServerQuery, _ ip: TextPattern?, _ ip6: TextPattern?) async throws -> [Server] {
        let database = parts.database
        guard ip != nil || ip6 != nil else { return try await database.read { try query.run($0) } }
        let holders = try await holders(of: ip, ip6, in: query.project)
        var query = query
        if holders.count <= Self.maximumNamed {
            let named = Set(holders.keys)
            query.ids = query.ids.map { $0.filter(named.contains) } ?? named.sorted()
        }
        // Of many, the next page is never far.
        let limit = query.limit ?? parts.config.maximumPage
        query.limit = max(limit, Self.maximumNamed)
        var found: [Server] = []
        while true {
            let part = query
            let servers = try await database.read { try part.run($0) }
            found += servers.filter { holders[$0.id]?.contains($0.projectID) == true }
            guard found.count <= limit, servers.count > query.limit ?? 0, let last = servers.dropLast().last else {
                return Array(found.prefix(limit + 1))
            }
            // The one more comes again with the next part.
            if found.last?.id == servers.last?.id { found.removeLast() }
            query.marker = last.id
        }
    }

    private static let maximumNamed = 500

    /// Whose ports have an address that each pattern takes: the projects of the ports by server.
    private func holders(
        of ip: TextPattern?, _ ip6: TextPattern?, in project: ProjectID?
    ) async throws -> [ServerID: Set<ProjectID>] {
        let addresses = try await parts.networks.serverAddresses(of: project)
        var holders: [ServerID: Set<ProjectID>]?
        for (pattern, isIPv6) in [(ip, false), (ip6, true)] {
            guard let matcher = try pattern?.compiled() else { continue }
            var matching: [ServerID: Set<ProjectID>] = [:]
            for entry in addresses where entry.address.contains(":") == isIPv6 {
                guard try matcher.matches(entry.address) else { continue }
                matching[ServerID(entry.server), default: []].insert(entry.project)
            }
            holders = holders.map { $0.filter { matching[$0.key] != nil } } ?? matching
        }
        return holders ?? [:]
    }

    /// The detailed view of one server.
    package func page(of server: Server) async throws -> Page {
        let (stores, name, id) = (stores, server.host, server.id)
        let (host, disks) = try await parts.database.read { transaction in
            (
                try name.flatMap { try stores.hosts.host($0, transaction) },
                try stores.blockDevices.shown(ofServers: [id], transaction)
            )
        }
        return Page(
            servers: [server], hasMore: false, ports: try await ports(of: server),
            hosts: host.map { [$0.host: $0] } ?? [:], disks: disks)
    }

    package func ports(of server: Server) async throws -> [String: [ServerPort]] {
        server.state.vm == .building ? [:] : try await parts.networks.ports(of: [server])
    }

    package func group(of server: Server) async throws -> ServerGroupID? {
        let stores = stores
        return try await parts.database.read { try stores.groups.group(ofServer: server.id, $0) }
    }

    package func extras(of server: Server) async throws -> ServerStore.Extras? {
        let stores = stores
        return try await parts.database.read { try stores.servers.extras(server.id, $0) }
    }

    // MARK: Change

    package func update(
        _ id: ServerID, _ changes: ServerStore.Changes, for context: CallContext
    ) async throws -> Server {
        _ = try await server(id, for: context)
        let (stores, now, defaultZone) = (stores, parts.clock.now(), parts.config.defaultZone)
        return try await parts.database.write { transaction in
            // Read here: what another request changed meanwhile stays.
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            if let zone = changes.pinnedZone.flatMap(\.self) { try Self.checkPin(server, to: zone, defaultZone) }
            try stores.servers.update(server, changes, at: now, transaction)
            return try stores.servers.server(id, transaction) ?? server
        }
    }

    /// A server that is free of zones may be pinned to the one that it is in; one that is pinned must be unpinned first
    /// (nova 2.104).
    private static func checkPin(_ server: Server, to zone: String, _ defaultZone: String) throws {
        if let pinned = server.pinnedZone {
            guard pinned == zone else {
                throw CloudError.conflict(
                    "Cannot change pinned availability zone directly. Unpin first by setting "
                        + "pinned_availability_zone to null.")
            }
            return
        }
        let current = server.zone ?? defaultZone
        guard current == zone else {
            throw CloudError.conflict(
                "Server can only be pinned to its current availability zone '\(current)', but "
                    + "'\(zone.prefix(64))' was requested.")
        }
    }

    /// Takes the row from whatever run holds it. Deleting twice is no error.
    package func delete(
        _ id: ServerID, for context: CallContext, as policy: PolicyName? = nil, isForced: Bool = false
    ) async throws {
        let server = try await server(id, for: context, as: policy)
        try Self.checkLock(server, context)
        if !isForced, parts.config.reclaimInterval > .zero, try await softDelete(server, context) { return }
        let run: SagaRunID = parts.ids.next()
        let (stores, sagas, now, request) = (stores, sagas, parts.clock.now(), context.requestID)
        let user = context.principal.userID
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            if server.state.task == .deleting, server.sagaRun != nil { return }
            guard let state = server.state.after(.deleteRequested),
                try stores.servers.move(server, to: state, run: run, at: now, transaction)
            else { throw Self.busy(server, "delete") }
            try stores.actions.begin(
                id, action: "delete", event: "compute_terminate_instance", request: request, user: user,
                project: server.projectID, at: now, transaction)
            try sagas.start(
                DeleteServerSaga.self, id: run, ledger: .init(server: id, requestID: request, host: server.host),
                in: transaction)
        }
    }

    // MARK: Checks

    /// A locked server is for administrators alone.
    static func checkLock(_ server: Server, _ context: CallContext) throws {
        guard server.lockedBy != nil, !context.isAdmin else { return }
        throw CloudError.conflict("Instance \(server.id) is locked", kind: "InstanceIsLocked")
    }

    static func invalidState(_ server: Server, _ action: String) -> CloudError {
        if let task = server.state.task {
            return .conflict(
                "Cannot '\(action)' instance \(server.id) while it is in task_state \(task.rawValue)",
                kind: "InstanceInvalidState")
        }
        return .conflict(
            "Cannot '\(action)' instance \(server.id) while it is in vm_state \(server.state.vm.rawValue)",
            kind: "InstanceInvalidState")
    }

    private static func busy(_ server: Server, _ action: String) -> CloudError {
        .conflict("Cannot '\(action)' instance \(server.id) while another operation is changing it. Please retry.")
    }
}

extension ServerEngine {
    /// A page of the servers that lived at some time of a period, ended ones too; for usage reports, whose rules the
    /// routes check. Throws `.badRequest` when there is no such `marker`.
    package func servers(
        livingFrom start: Timestamp, to stop: Timestamp, of project: ProjectID?, after marker: ServerID? = nil,
        limit: Int
    ) async throws -> [Server] {
        let stores = stores
        return try await parts.database.read {
            try stores.servers.living(from: start, to: stop, of: project, after: marker, limit: limit, $0)
        }
    }

    /// The host of each living server of `ids`; nil: it has none yet.
    package func places(of ids: Set<String>) async throws -> [String: String?] {
        let stores = stores
        let fates = try await parts.database.read { try stores.servers.fates(of: ids.map { ID($0) }, $0) }
        var places: [String: String?] = [:]
        for fate in fates where !fate.isUnknown && !fate.isDeleted {
            places.updateValue(fate.host, forKey: fate.id.rawValue)
        }
        return places
    }
}

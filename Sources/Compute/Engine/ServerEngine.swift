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
        let filtersAddresses = ip != nil || ip6 != nil
        var query = query
        let limit = min(query.limit ?? parts.config.maximumPage, parts.config.maximumPage)
        query.limit = filtersAddresses ? nil : limit
        let (final, stores) = (query, stores)
        var (servers, hosts) = try await parts.database.read { transaction in
            (try final.run(transaction), isDetailed ? try stores.hosts.all(transaction) : [])
        }
        var ports: [String: [ServerPort]] = [:]
        if filtersAddresses {
            ports = try await parts.networks.ports(of: servers)
            let (ip4, ip6) = (try ip?.compiled(), try ip6?.compiled())
            servers = try servers.filter { server in
                let own = ports[server.id.rawValue] ?? []
                return try [(ip4, false), (ip6, true)].allSatisfy { matcher, isIPv6 in
                    guard let matcher else { return true }
                    return try own.addresses(isIPv6: isIPv6).contains { try matcher.matches($0) }
                }
            }
        }
        let hasMore = servers.count > limit
        if hasMore { servers.removeLast(servers.count - limit) }
        if isDetailed, !filtersAddresses, !servers.isEmpty {
            ports = try await parts.networks.ports(of: servers)
        }
        let ids = servers.map(\.id)
        let disks =
            isDetailed ? try await parts.database.read { try stores.blockDevices.shown(ofServers: ids, $0) } : [:]
        let byName = Dictionary(hosts.map { ($0.host, $0) }, uniquingKeysWith: { first, _ in first })
        return Page(servers: servers, hasMore: hasMore, ports: ports, hosts: byName, disks: disks)
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
        let (stores, now) = (stores, parts.clock.now())
        return try await parts.database.write { transaction in
            // Read here: what another request changed meanwhile stays.
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw Self.notFound(id)
            }
            try stores.servers.update(server, changes, at: now, transaction)
            return try stores.servers.server(id, transaction) ?? server
        }
    }

    /// Takes the row from whatever run holds it. Deleting twice is no error.
    package func delete(_ id: ServerID, for context: CallContext, as policy: PolicyName? = nil) async throws {
        let server = try await server(id, for: context, as: policy)
        try Self.checkLock(server, context)
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
    /// Servers that lived at some time of a period, ended ones too; for usage reports, whose rules the routes check.
    package func servers(
        livingFrom start: Timestamp, to stop: Timestamp, of project: ProjectID?
    ) async throws -> [Server] {
        let stores = stores
        return try await parts.database.read { try stores.servers.living(from: start, to: stop, of: project, $0) }
    }

    /// Which of `ids` are living servers.
    package func known(_ ids: Set<String>) async throws -> Set<String> {
        let stores = stores
        let fates = try await parts.database.read { try stores.servers.fates(of: ids.map { ID($0) }, $0) }
        return Set(fates.lazy.filter { !$0.isUnknown && !$0.isDeleted }.map(\.id.rawValue))
    }
}

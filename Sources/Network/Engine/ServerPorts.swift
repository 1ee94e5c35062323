// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// What Compute uses. Messages are those that nova gives for the same failures.
extension NetworkEngine: NetworkService {
    package func networksForServers(of principal: Principal) async throws -> [(id: NetworkID, name: String)] {
        guard let project = principal.projectID else { return [] }
        let viewer = Viewer(seesAll: false, project: project)
        return try await environment.read { transaction in
            let networks = try NetworkStore.list(ListQuery(), for: viewer, transaction)
                .filter { $0.isEnabled && (!$0.isExternal || $0.isShared || $0.project == project) }
            let own = networks.filter { $0.project == project }
            return (own.isEmpty ? networks.filter(\.isShared) : own)
                .sorted { ($0.standard.createdAt, $0.id) < ($1.standard.createdAt, $1.id) }
                .map { ($0.id, $0.name) }
        }
    }

    package func ensureNetwork(for principal: Principal) async throws -> NetworkID {
        guard let project = principal.projectID else {
            throw CloudError(.forbidden, "Not authorized.", kind: "NotAuthorized")
        }
        return try await AutoTopologyEngine(environment).ensure(for: project).network
    }

    package func validate(networks: [ServerPortRequest], ports: [PortID], for principal: Principal) async throws {
        let environment = environment
        try await environment.read { transaction in
            for request in networks {
                let network = try Self.usable(request.network, by: principal, transaction)
                let subnets = try SubnetStore.all(on: network.id, transaction)
                guard !subnets.isEmpty else {
                    throw CloudError.badRequest(
                        "Network \(network.id) requires a subnet in order to boot instances on.",
                        kind: "NetworkRequiresSubnet")
                }
                try Self.check(request.fixedAddress, on: network, subnets, by: principal, transaction)
                for group in request.securityGroups ?? [] {
                    guard let found = try SecurityGroupStore.find(group, for: principal.projectID, transaction),
                        found.project == principal.projectID || found.isShared
                    else {
                        throw CloudError.badRequest("Security group \(group) not found.", kind: "SecurityGroupNotFound")
                    }
                }
            }
            for id in ports {
                let port = try Self.usable(id, by: principal, transaction)
                guard port.deviceID.isEmpty else {
                    throw CloudError.conflict("Port \(id) is still in use.", kind: "PortInUse")
                }
                guard port.fixedIPsJSON != "[]" else {
                    throw CloudError.badRequest(
                        "Port \(id) requires a FixedIP in order to be used.", kind: "PortRequiresFixedIP")
                }
            }
            guard let project = principal.projectID, !networks.isEmpty else { return }
            try environment.quotas.check(
                project, [NetworkQuota.port.rawValue: networks.count], transaction,
                error: { _ in CloudError(.overQuota, "Maximum number of ports exceeded", kind: "PortLimitExceeded") },
                usage: { _ in try NetworkQuota.port.used(by: project, transaction) })
        }
    }

    package func securityGroups(named names: [String], for principal: Principal) async throws -> [SecurityGroupID] {
        guard let project = principal.projectID else {
            throw CloudError.badRequest("Security groups need a token that is scoped to a project.")
        }
        return try await environment.write { change in
            let byDefault = try SecurityGroupEngine.ensureDefault(of: project, change)
            return try names.map { name in
                if name == SecurityGroupEngine.defaultName { return byDefault }
                let found = try change.transaction.query(
                    """
                    SELECT id FROM security_groups WHERE (id = \(name) OR name = \(name))
                       AND (project_id =
                           \(project) OR id IN (\(Viewer(seesAll: false, project: project).granted("security_group"))))
                    """
                ) { $0.id(0) as SecurityGroupID }
                guard let id = found.first(where: { $0.rawValue == name }) ?? found.first else {
                    throw CloudError.badRequest("Security group \(name) not found.", kind: "SecurityGroupNotFound")
                }
                guard found.count == 1 || id.rawValue == name else {
                    throw CloudError.badRequest(
                        "Multiple security_group found matching name '\(name)'. Use an ID to be more specific.",
                        kind: "NoUniqueMatch")
                }
                return id
            }
        }
    }

    package func ensureServerPort(
        _ id: PortID, _ request: ServerPortRequest, server: String, zone: String, for principal: Principal
    ) async throws -> ServerPort {
        try await environment.write { change in
            if let port = try PortStore.find(id, change.transaction) {
                guard port.deviceID == server else {
                    throw CloudError.conflict("Port \(id) is still in use.", kind: "PortInUse")
                }
                return try Self.complete(port, change)
            }
            guard let project = principal.projectID else {
                throw CloudError(.forbidden, "This needs a token that is scoped to a project.")
            }
            let network = try Self.usable(request.network, by: principal, change.transaction)
            var draft = PortDraft()
            draft.id = id
            draft.name = request.name
            draft.deviceID = server
            draft.deviceOwner = "compute:\(zone)"
            // nova: a port that it makes has the server's name, so that the network's DNS knows it.
            draft.dnsName = request.hostname
            draft.groups = network.hasPortSecurity ? request.securityGroups : nil
            draft.isOwnedByCompute = true
            if let text = request.fixedAddress {
                try Self.check(
                    text, on: network, SubnetStore.all(on: network.id, change.transaction), by: principal,
                    change.transaction)
                draft.addresses = [PortDraft.Address(address: IPAddress(text))]
            }
            let port = try PortOperations.insert(draft, project: project, on: network, change)
            return try Self.complete(port, change)
        }
    }

    package func claimPort(_ id: PortID, server: String, zone: String, for principal: Principal) async throws
        -> ServerPort
    {
        try await environment.write { change in
            let old = try Self.usable(id, by: principal, change.transaction)
            if old.deviceID == server { return try Self.complete(old, change) }
            guard old.deviceID.isEmpty else {
                throw CloudError.conflict("Port \(id) is still in use.", kind: "PortInUse")
            }
            var port = old
            port.deviceID = server
            port.deviceOwner = "compute:\(zone)"
            try PortOperations.save(&port, from: old, change)
            return try Self.complete(port, change)
        }
    }

    package func bindPort(_ id: PortID, server: String, host: String) async throws {
        try await environment.write { change in
            guard let old = try PortStore.find(id, change.transaction), old.deviceID == server else {
                throw NetworkFault.portNotFound(id)
            }
            guard old.host != host else { return }
            var port = old
            port.host = host
            if port.status == .active { port.status = .down }
            try PortOperations.save(&port, from: old, change)
        }
    }

    package func unbindPort(_ id: PortID, server: String) async throws {
        try await environment.write { change in
            guard let old = try PortStore.find(id, change.transaction), old.deviceID == server, !old.host.isEmpty else {
                return
            }
            var port = old
            port.host = ""
            if port.status == .active { port.status = .down }
            try PortOperations.save(&port, from: old, change)
        }
    }

    package func releasePort(_ id: PortID, server: String) async throws {
        try await environment.write { change in
            guard let old = try PortStore.find(id, change.transaction), old.deviceID == server else { return }
            if old.isOwnedByCompute { return try PortOperations.remove(old, change) }
            var port = old
            (port.deviceID, port.deviceOwner, port.host) = ("", "", "")
            if port.status == .active { port.status = .down }
            try PortOperations.save(&port, from: old, change)
        }
    }

    package func ports(ofServers servers: [String: ProjectID]) async throws -> [String: [ServerPort]] {
        guard !servers.isEmpty else { return [:] }
        return try await environment.read { transaction in
            var ports: [Port] = []
            for chunk in Array(servers.keys).slices() {
                ports += try PortStore.all(where: "p.device_id IN \(list: chunk)", transaction)
                    .filter { servers[$0.deviceID] == $0.project }
            }
            return Dictionary(grouping: try ServerPortStore.complete(ports, transaction), by: \.deviceID)
        }
    }

    package func serverAddresses(
        of project: ProjectID?
    ) async throws -> [(server: String, project: ProjectID, address: String)] {
        var sql: SQL = """
            SELECT p.device_id, p.project_id, a.address FROM ports p JOIN ip_allocations a ON a.port_id = p.id
             WHERE p.device_id <> ''
            """
        if let project { sql += "AND p.project_id = \(project)" }
        let final = sql
        return try await environment.read { try $0.query(final) { ($0.text(0), $0.id(1), $0.text(2)) } }
    }

    package func port(on network: NetworkID, withAddress address: String) async throws -> ServerPort? {
        guard let address = IPAddress(address) else { return nil }
        return try await environment.read { transaction in
            let ports = try PortStore.all(
                where: """
                    p.network_id = \(network) AND p.id IN
                    (SELECT port_id FROM ip_allocations WHERE address = \(address.description))
                    """, transaction)
            return try ServerPortStore.complete(ports, transaction).first
        }
    }

    package func serverDevices() async throws -> [PortID: String] {
        try await environment.read { transaction in
            var devices: [PortID: String] = [:]
            try transaction.forEach("SELECT id, device_id FROM ports WHERE device_owner LIKE 'compute:%'") {
                devices[$0.id(0)] = $0.text(1)
            }
            return devices
        }
    }

    package func waitUntilUp(_ id: PortID, limit: Duration) async throws -> Bool {
        let waiters = environment.signals.portStatus
        let (number, signal) = waiters.add(id)
        defer { waiters.remove(id, number) }
        let deadline = ContinuousClock.now + limit
        while true {
            let status = try await environment.read { try PortStore.find(id, $0)?.status }
            guard let status else { throw NetworkFault.portNotFound(id) }
            if status == .active { return true }
            let rest = deadline - .now
            guard rest > .zero else { return false }
            try Task.checkCancellation()
            await signal.wait(atMost: rest)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import NetworkContract
import PolicyKit
import TaskKit

/// Network cards of servers: `os-interface`.
package struct ServerInterfaceEngine: Sendable {
    private let servers: ServerEngine
    private var parts: ComputeParts { servers.parts }

    package init(_ servers: ServerEngine) { self.servers = servers }

    /// Where cards come and go (nova: compute/api.py).
    private static let states: Set<VMState> = [.active, .paused, .stopped]

    package struct AttachRequest: Sendable {
        package var network: NetworkID?
        package var port: PortID?
        package var fixedAddress: String?
        package var tag: String?
        package init() {}
    }

    /// A run that was begun, and the port that it is about.
    package struct Begun: Sendable {
        package let run: SagaRunID
        package let port: PortID
    }

    // MARK: Attach

    /// Returns when the guest has the card: upstream's callers wait for the port's addresses.
    package func attach(
        _ id: ServerID, _ request: AttachRequest, for context: CallContext
    ) async throws -> ServerPort {
        let begun = try await beginAttaching(id, request, for: context)
        try await servers.sagas.runToEnd(begun.run)
        let server = try await servers.server(id, for: context)
        guard let port = try await servers.ports(of: server)[id.rawValue]?.first(where: { $0.id == begun.port }) else {
            throw Self.noPort(begun.port)
        }
        return port
    }

    package func beginAttaching(
        _ id: ServerID, _ request: AttachRequest, for context: CallContext
    ) async throws -> Begun {
        let server = try await servers.server(id, for: context)
        try ServerEngine.checkLock(server, context)
        try Self.checkState(server, "attach_interface")
        guard let host = server.host else { throw ServerEngine.notReady(id) }
        // Ports are of the server's project, also when an administrator asks.
        let actor = Requester(context.principal, project: server.projectID)
        let plan = try await plan(request, actor.principal)
        let model = try await servers.imageProperties(of: server)["hw_vif_model"]
        let run: SagaRunID = parts.ids.next()
        let ledger = AttachInterfaceSaga.Ledger(
            server: id, requestID: context.requestID, actor: actor, host: host,
            zone: server.zone ?? parts.config.defaultZone, plan: plan, hostname: server.hostname, tag: request.tag,
            model: model)
        try await begin(server, "attach_interface", context) { [sagas = servers.sagas] transaction in
            try sagas.start(AttachInterfaceSaga.self, id: run, ledger: ledger, in: transaction)
        }
        return Begun(run: run, port: plan.id)
    }

    private static func checkState(_ server: Server, _ action: String) throws {
        guard server.state.task == nil, states.contains(server.state.vm) else {
            throw ServerEngine.invalidState(server, action)
        }
    }

    private func plan(
        _ request: AttachRequest, _ principal: Principal
    ) async throws -> CreateServerSaga.PortPlan {
        do {
            if let port = request.port {
                try await parts.networks.validate(networks: [], ports: [port], for: principal)
                return .init(id: port, isExisting: true, request: nil)
            }
            let network: NetworkID
            if let wanted = request.network { network = wanted } else { network = try await only(of: principal) }
            let wanted = ServerPortRequest(network: network, fixedAddress: request.fixedAddress)
            try await parts.networks.validate(networks: [wanted], ports: [], for: principal)
            return .init(id: parts.ids.next(), isExisting: false, request: wanted)
        } catch let error as CloudError {
            throw Self.asUpstream(error)
        }
    }

    /// The network of a caller who names none.
    private func only(of principal: Principal) async throws -> NetworkID {
        let available = try await parts.networks.networksForServers(of: principal)
        guard available.count <= 1 else {
            throw CloudError.badRequest(
                "More than one possible network found. Specify network ID(s) to select which one(s) to connect to.",
                kind: "NetworkAmbiguous")
        }
        guard let network = available.first else {
            throw CloudError.badRequest(
                "No specific network was requested and none are available for project "
                    + "'\(principal.projectID?.rawValue ?? "")'.", kind: "InterfaceAttachFailedNoNetwork")
        }
        return network.id
    }

    /// What is the body's fault with a new server is an absent or taken thing here.
    private static func asUpstream(_ error: CloudError) -> CloudError {
        switch error.kind {
        case "NetworkNotFound", "PortNotFound": CloudError.notFound(error.message, kind: error.kind)
        case "FixedIpAlreadyInUse": CloudError.conflict(error.message, kind: error.kind)
        default: error
        }
    }

    private static func noPort(_ port: PortID) -> CloudError {
        .notFound("Port id \(port.rawValue.prefix(64)) could not be found.", kind: "PortNotFound")
    }

    private func begin(
        _ server: Server, _ action: String, _ context: CallContext,
        _ start: @escaping @Sendable (any Transaction) throws -> Void
    ) async throws {
        let (stores, now, request) = (parts.stores, parts.clock.now(), context.requestID)
        let (id, host, user) = (server.id, server.host, context.principal.userID)
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted else {
                throw ServerEngine.notFound(id)
            }
            guard server.host == host, server.state.task == nil else { throw ServerEngine.invalidState(server, action) }
            try stores.actions.begin(
                id, action: action, event: "compute_\(action)", request: request, user: user,
                project: server.projectID, at: now, transaction)
            try start(transaction)
        }
    }

    // MARK: Detach

    /// The host does it later.
    @discardableResult
    package func detach(_ id: ServerID, _ port: PortID, for context: CallContext) async throws -> Begun {
        let server = try await servers.server(id, for: context)
        try ServerEngine.checkLock(server, context)
        try Self.checkState(server, "detach_interface")
        guard let host = server.host else { throw ServerEngine.notReady(id) }
        guard let found = try await servers.ports(of: server)[id.rawValue]?.first(where: { $0.id == port }) else {
            throw Self.noPort(port)
        }
        let run: SagaRunID = parts.ids.next()
        let ledger = DetachInterfaceSaga.Ledger(
            server: id, requestID: context.requestID, host: host,
            nic: .init(
                portID: port.rawValue, tapName: found.tapName, macAddress: found.macAddress, mtu: found.mtu))
        try await begin(server, "detach_interface", context) { [sagas = servers.sagas] transaction in
            try sagas.start(DetachInterfaceSaga.self, id: run, ledger: ledger, in: transaction)
        }
        return Begun(run: run, port: port)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Ports as users ask for them: who may, then `PortOperations`.
package struct PortEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [Port] {
        let viewer = context.viewer("get_port")
        return try await environment.read {
            try PortDetails.filled(PortStore.list(query, for: viewer, $0), fields: query.fields, $0)
        }
    }

    package func get(_ id: PortID, for context: CallContext) async throws -> Port {
        let found = try await environment.read { transaction -> (Port, Network)? in
            guard let port = try PortStore.find(id, transaction),
                let network = try NetworkStore.find(port.network, for: context.projectID, transaction)
            else { return nil }
            return (try PortDetails.filled(port, transaction), network)
        }
        guard let (port, network) = found else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight(
            "get_port", PolicyTarget(project: port.project, on: network), missing: NetworkFault.portNotFound(id))
        return port
    }

    package var hasExtraDHCPOptions: Bool { environment.driver.capabilities.hasExtraDHCPOptions }

    /// The DNS domain of ports that have none: the network's, else the cloud's.
    package var dnsDomain: String { environment.config.dnsDomain }

    // MARK: Create

    package func create(_ drafts: [PortDraft], for context: CallContext) async throws -> [Port] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    private static func create(_ draft: PortDraft, for context: CallContext, _ change: NetworkChange) throws -> Port {
        guard let networkID = draft.network else {
            throw CloudError.badRequest(
                "Failed to parse request. Required attribute 'network_id' not specified", kind: "HTTPBadRequest")
        }
        let project = try context.projectForNew(draft.project)
        guard let network = try NetworkStore.find(networkID, for: context.projectID, change.transaction) else {
            throw NetworkFault.networkNotFound(networkID)
        }
        try NetworkEngine.authorizeSight(of: network, for: context)
        let target = target(project: project, on: network, draft)
        try context.authorizeCreation("create_port", target)
        try context.authorizeAttributes("create_port", draft.given, target)
        try checkDevice(draft.deviceID, draft.deviceOwner, project: project, change)
        var checked = draft
        checked.qosPolicy = .some(try QoSBinding.changed(from: nil, to: draft.qosPolicy, for: context, change))
        let port = try PortOperations.insert(checked, project: project, on: network, change)
        return try PortDetails.filled(port, change.transaction)
    }

    private static func target(project: ProjectID, on network: Network, _ draft: PortDraft) -> PolicyTarget {
        var target = PolicyTarget(project: project, on: network)
        target["device_owner"] = draft.deviceOwner
        return target
    }

    /// Nobody plugs a port into a foreign router by its id.
    private static func checkDevice(
        _ device: String?, _ owner: String?, project: ProjectID, _ change: NetworkChange
    ) throws {
        guard let owner, DeviceOwner.router.contains(owner), let device else { return }
        guard let router = try RouterStore.find(RouterID(device), change.transaction) else { return }
        guard router.project == project else {
            throw CloudError.conflict(
                "The following device_id \(device) is not owned by your tenant or matches another tenants router.",
                kind: "DeviceIDNotOwnedByTenant")
        }
    }

    // MARK: Update

    package func update(_ id: PortID, _ draft: PortDraft, ifMatch: Int? = nil, for context: CallContext) async throws
        -> Port
    {
        try await environment.write { change in
            let (port, network) = try Self.find(id, for: context, change)
            let target = Self.target(project: port.project, on: network, draft)
            try context.authorizeChange(
                "update_port", seenBy: "get_port", target, missing: NetworkFault.portNotFound(id))
            try context.authorizeAttributes("update_port", draft.given, target)
            try port.standard.check(ifMatch)
            if draft.deviceID != nil || draft.deviceOwner != nil {
                // What the port will be counts: owner and id may come in two requests.
                try Self.checkDevice(
                    draft.deviceID ?? port.deviceID, draft.deviceOwner ?? port.deviceOwner, project: port.project,
                    change)
            }
            try Self.checkRouterAddresses(port, draft)
            var checked = draft
            checked.qosPolicy = .some(
                try QoSBinding.changed(from: port.qosPolicy, to: draft.qosPolicy, for: context, change))
            let changed = try PortOperations.update(port, checked, on: network, change)
            return try PortDetails.filled(changed, change.transaction)
        }
    }

    private static func find(_ id: PortID, for context: CallContext, _ change: NetworkChange) throws -> (Port, Network)
    {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: context.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        return (port, network)
    }

    // l3-port-ip-change-not-allowed: the address of a gateway or floating IP's port is the router's business.
    private static func checkRouterAddresses(_ port: Port, _ draft: PortDraft) throws {
        guard draft.addresses != nil,
            port.deviceOwner == DeviceOwner.floatingIP || port.deviceOwner == DeviceOwner.routerGateway
        else { return }
        throw NetworkFault.badRequest("port", "IP addresses of a port with owner \(port.deviceOwner) cannot be changed")
    }

    // MARK: Delete

    package func delete(_ id: PortID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let (port, network) = try Self.find(id, for: context, change)
            try context.authorizeChange(
                "delete_port", seenBy: "get_port", PolicyTarget(project: port.project, on: network),
                missing: NetworkFault.portNotFound(id))
            try port.standard.check(ifMatch)
            try Self.checkFree(port, change)
            try TrunkRules.checkFree(id, change)
            try PortOperations.remove(port, change)
        }
    }

    /// A router's or floating IP's port goes with its router or floating IP only.
    private static func checkFree(_ port: Port, _ change: NetworkChange) throws {
        let isHeld =
            switch port.deviceOwner {
            case DeviceOwner.routerInterface, DeviceOwner.routerGateway:
                try RouterStore.find(RouterID(port.deviceID), change.transaction) != nil
            case DeviceOwner.floatingIP:
                try FloatingIPStore.find(FloatingIPID(port.deviceID), change.transaction) != nil
            default: false
            }
        if isHeld { throw NetworkFault.servicePortInUse(port.id, "has device owner \(port.deviceOwner)") }
    }
}

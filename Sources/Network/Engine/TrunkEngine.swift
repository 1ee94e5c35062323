// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// Trunks: made, listed, changed and removed, and their subports.
package struct TrunkEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [Trunk] {
        let viewer = context.viewer("get_trunk")
        return try await environment.read { try TrunkStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: TrunkID, as rule: PolicyName = "get_trunk", for context: CallContext) async throws -> Trunk {
        let trunk = try await environment.read { try TrunkStore.find(id, $0) }
        guard let trunk else { throw NetworkFault.trunkNotFound(id) }
        try context.authorizeSight(
            rule, PolicyTarget(project: trunk.project), missing: NetworkFault.trunkNotFound(id))
        return trunk
    }

    // MARK: Create

    package func create(_ drafts: [TrunkDraft], for context: CallContext) async throws -> [Trunk] {
        try await environment.write { change in
            try drafts.map { try Self.create($0, for: context, change) }
        }
    }

    private static func create(_ draft: TrunkDraft, for context: CallContext, _ change: NetworkChange) throws -> Trunk {
        guard let parent = draft.port else {
            throw CloudError.badRequest(
                "Failed to parse request. Required attribute 'port_id' not specified", kind: "HTTPBadRequest")
        }
        let project = try context.projectForNew(draft.project)
        try context.authorizeCreation("create_trunk", PolicyTarget(project: project))
        try change.checkQuota(.trunk, project)
        let (port, network) = try TrunkRules.port(parent, for: context, change)
        try TrunkRules.checkUnused(parent, change)
        guard !DeviceOwner.isTrusted(port.deviceOwner) else { throw TrunkRules.inUse(parent) }
        var trunk = Trunk(
            id: change.newID(), project: project, name: draft.name ?? "", port: parent,
            isEnabled: draft.isEnabled ?? true, status: .active, subports: [],
            standard: change.standard(draft.description, draft.tags))
        try TrunkStore.insert(trunk, change.transaction)
        trunk.subports = try TrunkRules.add(draft.subports, to: trunk, mtu: network.mtu, for: context, change)
        return trunk
    }

    // MARK: Update

    package func update(_ id: TrunkID, _ draft: TrunkDraft, ifMatch: Int? = nil, for context: CallContext) async throws
        -> Trunk
    {
        try await environment.write { change in
            var trunk = try Self.authorized(id, "update_trunk", for: context, change)
            try trunk.standard.check(ifMatch)
            trunk.name = draft.name ?? trunk.name
            trunk.isEnabled = draft.isEnabled ?? trunk.isEnabled
            trunk.standard.apply(description: draft.description, tags: draft.tags)
            return try Self.save(trunk, change)
        }
    }

    private static func authorized(_ id: TrunkID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange)
        throws -> Trunk
    {
        guard let trunk = try TrunkStore.find(id, change.transaction) else { throw NetworkFault.trunkNotFound(id) }
        try context.authorizeChange(
            rule, seenBy: "get_trunk", PolicyTarget(project: trunk.project), missing: NetworkFault.trunkNotFound(id))
        return trunk
    }

    private static func save(_ changed: Trunk, _ change: NetworkChange) throws -> Trunk {
        var trunk = changed
        trunk.standard.touch(change)
        try TrunkStore.update(trunk, change.transaction)
        return trunk
    }

    private static func checkEnabled(_ trunk: Trunk) throws {
        guard trunk.isEnabled else {
            throw CloudError.conflict("Trunk \(trunk.id) is currently disabled.", kind: "TrunkDisabled")
        }
    }

    // MARK: Subports

    package func addSubports(_ drafts: [SubportDraft], to id: TrunkID, for context: CallContext) async throws -> Trunk {
        try await environment.write { change in
            var trunk = try Self.authorized(id, "add_subports", for: context, change)
            try Self.checkEnabled(trunk)
            let (_, network) = try TrunkRules.port(trunk.port, change)
            trunk.subports += try TrunkRules.add(drafts, to: trunk, mtu: network.mtu, for: context, change)
            trunk.status = .active
            return try Self.save(trunk, change)
        }
    }

    package func removeSubports(_ ports: [PortID], from id: TrunkID, for context: CallContext) async throws -> Trunk {
        try await environment.write { change in
            var trunk = try Self.authorized(id, "remove_subports", for: context, change)
            try Self.checkEnabled(trunk)
            for port in ports {
                guard let index = trunk.subports.firstIndex(where: { $0.port == port }) else {
                    throw CloudError.notFound(
                        "SubPort \(port) on trunk \(id) could not be found.", kind: "SubPortNotFound")
                }
                trunk.subports.remove(at: index)
                try TrunkRules.remove(port, change)
            }
            trunk.status = .active
            return try Self.save(trunk, change)
        }
    }

    // MARK: Delete

    package func delete(_ id: TrunkID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let trunk = try Self.authorized(id, "delete_trunk", for: context, change)
            try trunk.standard.check(ifMatch)
            try Self.checkEnabled(trunk)
            for subport in trunk.subports { try TrunkRules.remove(subport.port, change) }
            try TrunkStore.delete(id, change.transaction)
        }
    }
}

/// Which ports can be in a trunk (neutron/services/trunk/rules.py), and what happens to those that are.
enum TrunkRules {
    static func port(_ id: PortID, _ change: NetworkChange) throws -> (Port, Network) {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: nil, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        return (port, network)
    }

    /// The port, when the caller may see it and it is of the caller's own project.
    static func port(_ id: PortID, for context: CallContext, _ change: NetworkChange) throws -> (Port, Network) {
        guard let port = try PortStore.find(id, change.transaction),
            let network = try NetworkStore.find(port.network, for: context.projectID, change.transaction)
        else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight(
            "get_port", PolicyTarget(project: port.project, on: network), missing: NetworkFault.portNotFound(id))
        return (port, network)
    }

    static func inUse(_ port: PortID) -> CloudError {
        .conflict(
            "Port \(port) is currently in use and is not eligible for use as a parent port.", kind: "ParentPortInUse")
    }

    static func checkUnused(_ port: PortID, _ change: NetworkChange) throws {
        if try TrunkStore.trunk(carrying: port, change.transaction) != nil {
            throw CloudError.conflict("Port \(port) is in use by another trunk.", kind: "TrunkPortInUse")
        }
        if try TrunkStore.trunk(on: port, change.transaction) != nil { throw inUse(port) }
    }

    // MARK: Add

    static func add(
        _ drafts: [SubportDraft], to trunk: Trunk, mtu: Int, for context: CallContext, _ change: NetworkChange
    ) throws -> [Trunk.Subport] {
        var added: [Trunk.Subport] = []
        for draft in drafts {
            guard draft.port != trunk.port else { throw inUse(draft.port) }
            let (port, network) = try port(draft.port, for: context, change)
            guard network.mtu <= mtu else {
                throw CloudError.conflict(
                    "MTU \(network.mtu) of subport \(port.id) cannot be greater than MTU \(mtu) of trunk "
                        + "\(trunk.port).", kind: "SubPortMtuGreaterThanTrunkPortMtu")
            }
            let subport = try subport(draft, on: network)
            try checkUnused(port.id, change)
            guard port.deviceID.isEmpty else { throw NetworkFault.portInUse(port) }
            let isTaken = (trunk.subports + added).contains {
                $0.segmentationType == subport.segmentationType && $0.segmentation == subport.segmentation
            }
            guard !isTaken else {
                throw CloudError.conflict(
                    "segmentation_type \(subport.segmentationType) and segmentation_id \(subport.segmentation) already "
                        + "in use on trunk \(trunk.id).", kind: "DuplicateSubPort")
            }
            try TrunkStore.insert(subport, of: trunk.id, at: change.now, change.transaction)
            try take(port, ownedBy: Trunk.subportOwner, change)
            added.append(subport)
        }
        return added
    }

    private static func subport(_ draft: SubportDraft, on network: Network) throws -> Trunk.Subport {
        if draft.segmentationType == "inherit" {
            guard network.kind == .vlan, let segment = network.segment else {
                throw NetworkFault.invalidInput("Unknown segmentation_type '\(network.kind.rawValue)'")
            }
            return Trunk.Subport(port: draft.port, segmentationType: "vlan", segmentation: segment)
        }
        guard let type = draft.segmentationType, let segmentation = draft.segmentation else {
            throw NetworkFault.invalidInput(
                "Invalid subport details '\(draft.port)': missing segmentation information. Must specify both "
                    + "segmentation_id and segmentation_type")
        }
        guard type == "vlan" else {
            throw NetworkFault.invalidInput("Unknown segmentation_type '\(type.prefix(32))'")
        }
        guard Trunk.tags.contains(segmentation) else {
            throw NetworkFault.invalidInput("Segmentation ID '\(segmentation)' is not in range")
        }
        return Trunk.Subport(port: draft.port, segmentationType: type, segmentation: segmentation)
    }

    // MARK: Remove

    static func remove(_ id: PortID, _ change: NetworkChange) throws {
        try TrunkStore.deleteSubport(id, change.transaction)
        guard let port = try PortStore.find(id, change.transaction) else { return }
        try take(port, ownedBy: "", change)
    }

    private static func take(_ old: Port, ownedBy owner: String, _ change: NetworkChange) throws {
        var port = old
        port.deviceOwner = owner
        if owner.isEmpty, port.status == .active { port.status = .down }
        try PortOperations.save(&port, from: old, change)
    }

    /// A port that the cloud itself takes away leaves its trunk, and a parent takes the trunk along.
    static func release(_ port: PortID, _ change: NetworkChange) throws {
        try TrunkStore.deleteSubport(port, change.transaction)
        guard let trunk = try TrunkStore.trunk(on: port, change.transaction) else { return }
        for subport in trunk.subports { try remove(subport.port, change) }
        try TrunkStore.delete(trunk.id, change.transaction)
    }

    /// A port of a trunk goes only after it left the trunk.
    static func checkFree(_ port: PortID, _ change: NetworkChange) throws {
        if let trunk = try TrunkStore.trunk(carrying: port, change.transaction) {
            throw CloudError.conflict(
                "Port \(port) is currently a subport for trunk \(trunk).", kind: "PortInUseAsSubPort")
        }
        if let trunk = try TrunkStore.trunk(on: port, change.transaction) {
            throw CloudError.conflict(
                "Port \(port) is currently a parent port for trunk \(trunk.id).", kind: "PortInUseAsTrunkParent")
        }
    }
}

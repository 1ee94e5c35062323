// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

extension PolicyTarget {
    init(_ group: AddressGroup) {
        self.init(project: group.project)
        self["shared"] = group.isShared ? "True" : "False"
    }
}

/// Address groups: made, listed, changed and removed, and their addresses edited one by one.
package struct AddressGroupEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(_ query: ListQuery, for context: CallContext) async throws -> [AddressGroup] {
        let viewer = context.viewer("get_address_group")
        return try await environment.read { try AddressGroupStore.list(query, for: viewer, $0) }
    }

    package func get(_ id: AddressGroupID, for context: CallContext) async throws -> AddressGroup {
        let group = try await environment.read { try AddressGroupStore.find(id, for: context.projectID, $0) }
        guard let group else { throw NetworkFault.addressGroupNotFound(id) }
        try context.authorizeSight(
            "get_address_group", PolicyTarget(group), missing: NetworkFault.addressGroupNotFound(id))
        return group
    }

    /// The group, when the caller may put it into a rule.
    static func check(_ id: AddressGroupID, for context: CallContext, _ change: NetworkChange) throws {
        guard let group = try AddressGroupStore.find(id, for: context.projectID, change.transaction),
            context.allows("get_address_group", PolicyTarget(group))
        else { throw NetworkFault.addressGroupNotFound(id) }
    }

    // MARK: Write

    package func create(_ drafts: [AddressGroupDraft], for context: CallContext) async throws -> [AddressGroup] {
        try await environment.write { change in
            try drafts.map { draft in
                let project = try context.projectForNew(draft.project)
                try context.authorizeCreation("create_address_group", PolicyTarget(project: project))
                let id: AddressGroupID = change.newID()
                let group = AddressGroup(
                    id: id, project: project, name: draft.name ?? "",
                    addresses: try Self.checked(AddressGroupEdit.adding(draft.addresses ?? [], to: [], of: id), change),
                    isShared: false, standard: change.standard(draft.description, nil))
                try AddressGroupStore.insert(group, change.transaction)
                change.mark(.addressGroup(id))
                return group
            }
        }
    }

    private static func checked(_ addresses: [CIDR], _ change: NetworkChange) throws -> [CIDR] {
        let limit = change.config.maximum.groupAddresses
        guard addresses.count <= limit else {
            throw NetworkFault.invalidInput("An address group has at most \(limit) addresses")
        }
        return addresses
    }

    package func update(
        _ id: AddressGroupID, _ draft: AddressGroupDraft, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> AddressGroup {
        try await change(id, "update_address_group", ifMatch, for: context) { group, _ in
            group.name = draft.name ?? group.name
            group.standard.apply(description: draft.description)
        }
    }

    package func add(
        _ addresses: [CIDR], to id: AddressGroupID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> AddressGroup {
        try await change(id, "add_addresses", ifMatch, for: context) { group, change in
            group.addresses = try Self.checked(
                AddressGroupEdit.adding(addresses, to: group.addresses, of: id), change)
        }
    }

    package func remove(
        _ addresses: [CIDR], from id: AddressGroupID, ifMatch: Int? = nil, for context: CallContext
    ) async throws -> AddressGroup {
        try await change(id, "remove_addresses", ifMatch, for: context) { group, _ in
            group.addresses = try AddressGroupEdit.removing(addresses, from: group.addresses, of: id)
        }
    }

    private func change(
        _ id: AddressGroupID, _ rule: PolicyName, _ ifMatch: Int?, for context: CallContext,
        _ body: @escaping @Sendable (inout AddressGroup, NetworkChange) throws -> Void
    ) async throws -> AddressGroup {
        try await environment.write { change in
            var group = try Self.authorized(id, rule, for: context, change)
            try group.standard.check(ifMatch)
            try body(&group, change)
            group.standard.touch(change)
            try AddressGroupStore.update(group, change.transaction)
            change.mark(.addressGroup(id))
            return group
        }
    }

    private static func authorized(
        _ id: AddressGroupID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> AddressGroup {
        guard let group = try AddressGroupStore.find(id, for: context.projectID, change.transaction) else {
            throw NetworkFault.addressGroupNotFound(id)
        }
        var target = PolicyTarget(group)
        // neutron: who changes another's group is not told that it is there, shared or not: `shared` is not among the
        // attributes that the rule of a change looks at (address_group.py, policy_enforcement.py).
        if rule == "update_address_group" { target["shared"] = "False" }
        try context.authorizeChange(
            rule, seenBy: "get_address_group", target, missing: NetworkFault.addressGroupNotFound(id))
        return group
    }

    package func delete(_ id: AddressGroupID, ifMatch: Int? = nil, for context: CallContext) async throws {
        try await environment.write { change in
            let group = try Self.authorized(id, "delete_address_group", for: context, change)
            try group.standard.check(ifMatch)
            guard try !AddressGroupStore.isInUse(id, change.transaction) else {
                throw CloudError.conflict(
                    "Address group \(id) is in use on one or more security group rules.", kind: "AddressGroupInUse")
            }
            try AddressGroupStore.delete(id, change.transaction)
            change.mark(.addressGroup(id))
        }
    }
}

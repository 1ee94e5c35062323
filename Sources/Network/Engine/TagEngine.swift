// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Tags of any object that has some, by the collection it is in.
package struct TagEngine: Sendable {
    /// What a caller does to the tags of one object.
    package enum Edit: Sendable {
        case add(String)
        case addAll([String])
        case replace([String])
        case remove(String)
        case removeAll

        /// As the rules name it.
        fileprivate var action: String {
            switch self {
            case .addAll: "create"
            case .add, .replace: "update"
            case .remove, .removeAll: "delete"
            }
        }
    }

    private struct Found {
        var table: StaticString
        var target: PolicyTarget
        var id: String
        var tags: String
        var missing: CloudError
        var resource: String

        /// Each tag.
        var list: [String] { get throws { try JSONList.strings(tags, at: StoredPlace(table, id, "tags")) } }
    }

    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    package func tags(of id: String, in collection: String, for context: CallContext) async throws -> [String] {
        let found = try await environment.read { transaction -> ([String], PolicyTarget, CloudError, String) in
            let found = try Self.find(id, collection, context, transaction)
            return (try found.list, found.target, found.missing, found.resource)
        }
        // Who sees the object need not see its tags, as services do not.
        try context.authorizeChange(
            PolicyName("get_\(found.3):tags"), seenBy: PolicyName("get_\(found.3)"), found.1, missing: found.2)
        return found.0
    }

    package func has(_ tag: String, on id: String, in collection: String, for context: CallContext) async throws {
        guard try await tags(of: id, in: collection, for: context).contains(tag) else { throw Self.noTag(tag) }
    }

    private static func noTag(_ tag: String) -> CloudError {
        .notFound("Tag \(tag) could not be found.", kind: "TagNotFound")
    }

    package func edit(_ edit: Edit, of id: String, in collection: String, for context: CallContext) async throws
        -> [String]
    {
        try await environment.write { change in
            let found = try Self.find(id, collection, context, change.transaction)
            try context.authorizeChange(
                PolicyName("\(edit.action)_\(found.resource):tags"), seenBy: PolicyName("get_\(found.resource)"),
                found.target, missing: found.missing)
            let tags = try Self.apply(edit, to: Set(found.list), change.config.maximum)
            try change.transaction.execute(
                """
                UPDATE \(name: found.table)
                   SET tags = \(JSONList.encode(tags)), revision = revision + 1, updated_at = \(change.now)
                 WHERE id = \(id)
                """)
            return tags
        }
    }

    private static func apply(_ edit: Edit, to old: Set<String>, _ limits: NetworkLimits) throws -> [String] {
        var tags = old
        switch edit {
        case .add(let tag): tags.insert(tag)
        case .addAll(let more): tags.formUnion(more)
        case .replace(let new): tags = Set(new)
        case .remove(let tag): guard tags.remove(tag) != nil else { throw noTag(tag) }
        case .removeAll: tags = []
        }
        guard tags.count <= limits.tags else {
            throw NetworkFault.invalidInput("An object has at most \(limits.tags) tags")
        }
        return tags.sorted()
    }

    private static func find(_ id: String, _ collection: String, _ context: CallContext, _ transaction: any Transaction)
        throws -> Found
    {
        switch collection {
        case "networks":
            let missing = NetworkFault.networkNotFound(NetworkID(id))
            guard let network = try NetworkStore.find(NetworkID(id), for: context.projectID, transaction) else {
                throw missing
            }
            return Found(
                table: "networks", target: PolicyTarget(network), id: id, tags: network.standard.tags, missing: missing,
                resource: "network")
        case "subnets":
            let missing = NetworkFault.subnetNotFound(SubnetID(id))
            guard let subnet = try SubnetStore.find(SubnetID(id), for: context.projectID, transaction) else {
                throw missing
            }
            return Found(
                table: "subnets", target: PolicyTarget(subnet), id: id, tags: subnet.standard.tags, missing: missing,
                resource: "subnet")
        case "ports":
            let missing = NetworkFault.portNotFound(PortID(id))
            guard let port = try PortStore.find(PortID(id), transaction),
                let network = try NetworkStore.find(port.network, for: context.projectID, transaction)
            else { throw missing }
            return Found(
                table: "ports", target: PolicyTarget(project: port.project, on: network), id: id,
                tags: port.standard.tags, missing: missing, resource: "port")
        case "routers":
            let missing = NetworkFault.routerNotFound(RouterID(id))
            guard let router = try RouterStore.find(RouterID(id), transaction) else { throw missing }
            return Found(
                table: "routers", target: PolicyTarget(project: router.project), id: id, tags: router.standard.tags,
                missing: missing, resource: "router")
        case "floatingips":
            let missing = NetworkFault.floatingIPNotFound(FloatingIPID(id))
            guard let floatingIP = try FloatingIPStore.find(FloatingIPID(id), transaction) else { throw missing }
            return Found(
                table: "floatingips", target: PolicyTarget(project: floatingIP.project), id: id,
                tags: floatingIP.standard.tags, missing: missing, resource: "floatingip")
        case "security-groups", "security_groups":
            let missing = NetworkFault.groupNotFound(SecurityGroupID(id))
            guard let group = try SecurityGroupStore.find(SecurityGroupID(id), for: context.projectID, transaction)
            else {
                throw missing
            }
            return Found(
                table: "security_groups", target: PolicyTarget(group), id: id, tags: group.standard.tags,
                missing: missing, resource: "security_group")
        case "subnetpools":
            let missing = NetworkFault.subnetPoolNotFound(SubnetPoolID(id))
            guard let pool = try SubnetPoolStore.find(SubnetPoolID(id), for: context.projectID, transaction) else {
                throw missing
            }
            return Found(
                table: "subnetpools", target: PolicyTarget(pool), id: id, tags: pool.standard.tags, missing: missing,
                resource: "subnetpool")
        // The SDK asks under the collection's path, others under its name alone.
        case "policies", "qos/policies":
            let missing = NetworkFault.qosPolicyNotFound(id)
            guard let policy = try QoSStore.find(QoSPolicyID(id), for: context.projectID, transaction) else {
                throw missing
            }
            return Found(
                table: "qos_policies", target: PolicyTarget(policy), id: id, tags: policy.standard.tags,
                missing: missing, resource: "policy")
        case "trunks":
            let missing = NetworkFault.trunkNotFound(TrunkID(id))
            guard let trunk = try TrunkStore.find(TrunkID(id), transaction) else { throw missing }
            return Found(
                table: "trunks", target: PolicyTarget(project: trunk.project), id: id, tags: trunk.standard.tags,
                missing: missing, resource: "trunk")
        default:
            throw CloudError.notFound("The resource could not be found.", kind: "HTTPNotFound")
        }
    }
}

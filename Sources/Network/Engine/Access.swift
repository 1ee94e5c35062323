// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import PolicyKit

/// What the rules see of this service's objects.
extension PolicyTarget {
    fileprivate mutating func addNetwork(project: ProjectID, isShared: Bool, isExternal: Bool) {
        self["network:project_id"] = project.rawValue
        self["network:tenant_id"] = project.rawValue
        self["shared"] = isShared ? "True" : "False"
        self["router:external"] = isExternal ? "True" : "False"
    }

    init(_ network: Network) {
        self.init(project: network.project)
        addNetwork(
            project: network.project, isShared: network.isShared,
            isExternal: network.isExternal && network.isGranted)
    }

    /// An object of `project` on `network`.
    init(project: ProjectID, on network: Network) {
        self.init(project: project)
        addNetwork(
            project: network.project, isShared: network.isShared,
            isExternal: network.isExternal && network.isGranted)
    }

    init(_ subnet: Subnet) {
        self.init(project: subnet.project)
        addNetwork(
            project: subnet.networkProject, isShared: subnet.isShared,
            isExternal: subnet.isExternal && subnet.isGranted)
    }

    init(_ group: SecurityGroup) {
        self.init(project: group.project)
        self["shared"] = group.isShared ? "True" : "False"
        self["security_group:project_id"] = group.project.rawValue
        self["security_group:tenant_id"] = group.project.rawValue
    }

    init(_ rule: SecurityGroupRule, in group: SecurityGroup) {
        self.init(group)
        self["project_id"] = rule.project.rawValue
        self["belongs_to_default_sg"] = rule.belongsToDefaultGroup ? "True" : "False"
    }
}

extension CallContext {
    /// Throws `missing` unless the caller may see the object: what one may not see does not exist.
    func authorizeSight(_ rule: PolicyName, _ target: PolicyTarget, missing: @autoclosure () -> CloudError) throws {
        authorizeListing()
        guard allows(rule, target) else { throw missing() }
    }

    /// Throws `missing` when the caller may not see the object, 403 when it may be seen but not changed.
    func authorizeChange(
        _ rule: PolicyName, seenBy sight: PolicyName, _ target: PolicyTarget, missing: @autoclosure () -> CloudError
    ) throws {
        authorizeListing()
        guard !allows(rule, target) else { return }
        guard allows(sight, target) else { throw missing() }
        throw Self.refused(rule)
    }

    /// Throws 403 unless the caller may make such an object.
    func authorizeCreation(_ rule: PolicyName, _ target: PolicyTarget) throws {
        authorizeListing()
        guard allows(rule, target) else { throw Self.refused(rule) }
    }

    /// Checks the rule of each attribute that the caller gave, where there is one: `create_port:mac_address`.
    func authorizeAttributes(_ action: String, _ names: [String], _ target: PolicyTarget) throws {
        for name in names {
            let rule = PolicyName("\(action):\(name)")
            guard NetworkPolicies.attributeRules.contains(rule), !allows(rule, target) else { continue }
            throw CloudError(
                .forbidden, "(rule:\(action) and rule:\(rule)) is disallowed by policy", kind: "PolicyNotAuthorized")
        }
    }

    private static func refused(_ rule: PolicyName) -> CloudError {
        CloudError(.forbidden, "rule:\(rule) is disallowed by policy", kind: "PolicyNotAuthorized")
    }

    /// The project of a new object: the caller's, or another's when the caller is an administrator.
    func projectForNew(_ given: ProjectID?) throws -> ProjectID {
        if let given {
            guard given == projectID || allows("context_is_admin", [:]) else {
                throw CloudError.badRequest(
                    "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request "
                        + "requires admin "
                        + "privileges", kind: "HTTPBadRequest")
            }
            return given
        }
        guard let projectID else {
            throw CloudError.badRequest(
                "Running without keystone AuthN requires that tenant_id is specified", kind: "HTTPBadRequest")
        }
        return projectID
    }

    /// Whose rows a list under `rule` shows.
    func viewer(_ rule: PolicyName) -> Viewer {
        authorizeListing()
        let own = projectID.flatMap { allows(rule, PolicyTarget(project: $0)) ? $0 : nil }
        return Viewer(seesAll: allows(rule, [:]), project: own ?? (allows(rule, [:]) ? projectID : nil))
    }
}

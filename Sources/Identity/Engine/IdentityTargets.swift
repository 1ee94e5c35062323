// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import PolicyKit

/// What Identity's rules look at, under upstream's names. What does not exist has no attributes: then only who may act
/// on anything passes, and learns that it does not exist.
extension PolicyTarget {
    static func user(_ user: User?, id: UserID) -> PolicyTarget {
        var target: PolicyTarget = ["user_id": id.rawValue, "target.user.id": id.rawValue]
        target["target.user.domain_id"] = user?.domainID.rawValue
        return target
    }

    static func group(_ group: Group?, member: User? = nil) -> PolicyTarget {
        var target = PolicyTarget()
        target["target.group.id"] = group?.id.rawValue
        target["target.group.domain_id"] = group?.domainID.rawValue
        target["target.user.id"] = member?.id.rawValue
        target["target.user.domain_id"] = member?.domainID.rawValue
        return target
    }

    static func project(_ project: Project?) -> PolicyTarget {
        var target = PolicyTarget()
        target["target.project.id"] = project?.id.rawValue
        // A domain belongs to none: upstream's null, which its rules exclude by name.
        target["target.project.domain_id"] = project.map { $0.domainID?.rawValue ?? "None" }
        return target
    }

    static func domain(_ id: DomainID) -> PolicyTarget { ["target.domain.id": id.rawValue] }

    static func role(_ role: Role?) -> PolicyTarget {
        var target = PolicyTarget()
        target["target.role.id"] = role?.id.rawValue
        target["target.role.name"] = role?.name
        target["target.role.domain_id"] = role.map { $0.domainID?.rawValue ?? "None" }
        return target
    }

    /// A list for a caller whose token is for a domain shows that domain alone.
    static func listing(_ context: CallContext) -> PolicyTarget {
        var target = PolicyTarget()
        target["target.domain_id"] = context.principal.domainID?.rawValue
        target["target.domain.id"] = context.principal.domainID?.rawValue
        target["target.group.domain_id"] = context.principal.domainID?.rawValue
        return target
    }

    func merging(_ other: PolicyTarget) -> PolicyTarget {
        PolicyTarget(attributes.merging(other.attributes) { _, new in new })
    }
}

extension CallContext {
    /// Where something is made that names no domain: the token's, else the default one
    /// (keystone: `_normalize_domain_id`).
    package var domainForCreate: DomainID { principal.domainID ?? .default }
}

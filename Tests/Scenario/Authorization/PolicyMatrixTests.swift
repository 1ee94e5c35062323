// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PolicyKit
import Testing

@testable import haneul

/// Goal: every rule lets each persona do what upstream's does, and no more.
/// Method: each rule of each service is asked, for each persona, about a thing of the owner's and about the persona's
/// own; what upstream says is in a table of its own.
@Suite("Rules of access against upstream's")
struct PolicyMatrixTests {
    /// Rules that others are made of, which guard nothing themselves.
    private static let parts: Set<String> = [
        "context_is_admin", "admin_api", "admin_required", "admin_only", "admin_or_owner", "owner", "default",
        "service_api", "service_role", "service_or_admin", "regular_user", "token_subject",
        "domain_managed_target_role", "metadef_admin",
        // Compute and Placement.
        "project_manager_api", "project_member_api", "project_reader_api", "project_manager_or_admin",
        "project_member_or_admin", "project_reader_or_admin", "admin_or_service_api",
        "admin_or_project_reader_or_service_api",
        // Block Storage.
        "system_or_domain_or_project_admin", "xena_system_admin_or_project_reader",
        "xena_system_admin_or_project_member",
        // Network.
        "context_is_advsvc", "network_owner", "admin_or_network_owner", "admin_owner_or_network_owner", "shared",
        "external", "external_network", "network_device", "sg_owner", "shared_security_group", "shared_subnetpools",
        "shared_address_scopes", "shared_address_groups", "shared_qos_policy", "ext_parent_owner",
    ]

    /// Rules of this cloud for what upstream has none for. What they guard is in the matrix of routes.
    private static let unruled: Set<String> = [
        "os_compute_api:unruled", "image_discovery", "get_extension", "placement:unknown_path",
        "get_alias_packet_rate_limit_rule", "update_alias_packet_rate_limit_rule",
        "delete_alias_packet_rate_limit_rule", "update_port_binding",
    ]

    @Test("every rule has an expectation, and every expectation a rule", arguments: UpstreamRules.services)
    func complete(_ service: (type: String, text: String)) throws {
        let expected = Set(try UpstreamRules.rules(of: service.text).compactMap(\.name))
        let rules = try #require(OperatorPolicies.services.first { $0.name == service.type }).rules
        let names = Set(rules.map(\.name.rawValue)).subtracting(Self.parts).subtracting(Self.unruled)
        #expect(names.subtracting(expected).sorted() == [], "no expectation")
        #expect(expected.subtracting(names).sorted() == [], "no such rule")
        #expect(rules.count == Set(rules.map(\.name)).count, "a rule is there twice")
    }

    @Test("each rule and persona", arguments: UpstreamRules.services)
    func matrix(_ service: (type: String, text: String)) throws {
        let enforcer = try PolicyEnforcer(
            try #require(OperatorPolicies.services.first { $0.name == service.type }).rules)
        for rule in try UpstreamRules.rules(of: service.text) {
            guard let name = rule.name else { continue }
            let owners = Self.target(of: Persona.owner, in: Persona.homeDomain.id, trustee: Persona.trustee)
            let foreign = Persona.all.filter { persona in
                enforcer.allows(PolicyName(name), persona.principal, owners) != rule.word.foreign[persona]
            }
            #expect(foreign.isEmpty, "\(name): wrong for \(foreign), upstream says \(rule.word.name)")
            let own = Persona.all.filter { persona in
                let target = Self.target(of: persona, in: persona.domainID?.rawValue, trustee: persona)
                return enforcer.allows(PolicyName(name), persona.principal, target) != rule.word.own[persona]
            }
            #expect(own.isEmpty, "\(name), about their own: wrong for \(own), upstream says \(rule.word.name)")
        }
    }

    /// Something of `owner`'s, with whatever a rule of any service may ask about it. What is not there is left out.
    private static func target(of owner: Persona, in domain: String?, trustee: Persona) -> PolicyTarget {
        let project = owner.projectID?.rawValue
        let user = owner.userID.rawValue
        let attributes: [String: String?] = [
            "user_id": user, "project_id": project, "tenant_id": project, "owner": project,
            "visibility": "private", "member_id": "somebody",
            "network:project_id": project, "security_group:project_id": project, "ext_parent:project_id": project,
            "domain_id": domain,
            "target.domain_id": domain, "target.domain.id": domain, "target.group.domain_id": domain,
            "target.user.id": user, "target.user.domain_id": domain, "target.token.user_id": user,
            "target.project.id": project, "target.project.domain_id": domain,
            "target.role.name": "member", "target.role.domain_id": "None",
            "target.credential.user_id": user,
            "target.limit.project_id": project, "target.limit.project.domain_id": domain,
            "target.trust.trustor_user_id": user, "target.trust.trustee_user_id": trustee.userID.rawValue,
        ]
        return PolicyTarget(attributes.compactMapValues { $0 })
    }

    @Test("a rule's scope holds, whatever an operator writes as its check, and not where others refer to it")
    func scopes() throws {
        let rules = [
            PolicyRule("of_a_project", "role:reader", scopes: [.project]),
            PolicyRule("by_reference", "rule:of_a_project"),
        ]
        for overrides in [[:], ["of_a_project": "@"]] {
            let enforcer = try PolicyEnforcer(rules, overrides: overrides)
            for place in Persona.Place.allCases where place != .nowhere {
                let caller = Persona(place: place, role: "reader").principal
                let isOfProject = place == .own || place == .other
                #expect(enforcer.allows("of_a_project", caller, [:]) == isOfProject)
                #expect(enforcer.allows("by_reference", caller, [:]))
            }
            let nobody = Persona(place: .nowhere, role: "").principal
            #expect(enforcer.allows("of_a_project", nobody, [:]) == !overrides.isEmpty)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// `…/users/{user_id}/roles/{role_id}` and `…/groups/{group_id}/roles/{role_id}` under a project, a domain or the
/// system, and their inherited forms under `/v3/OS-INHERIT`.
struct GrantRoutes: Sendable {
    let assignments: AssignmentEngine

    private enum ActorKind: String, CaseIterable {
        case user, group
        func actor(_ request: APIRequest) -> Assignment.Actor {
            switch self {
            case .user: .user(request.id("user_id"))
            case .group: .group(request.id("group_id"))
            }
        }
        var path: String { "/\(rawValue)s/{\(rawValue)_id}/roles" }
    }

    private enum TargetKind: CaseIterable {
        case project, domain, system
        func target(_ request: APIRequest) -> Assignment.Target {
            switch self {
            case .project: .project(request.id("project_id"))
            case .domain: .domain(request.id("domain_id"))
            case .system: .system
            }
        }
        var path: String {
            switch self {
            case .project: "/projects/{project_id}"
            case .domain: "/domains/{domain_id}"
            case .system: "/system"
            }
        }
        /// `verb` is `check`, `create`, `revoke` or `list`.
        func policy(_ verb: String, _ actor: ActorKind) -> PolicyName {
            let noun = verb == "list" ? "grants" : "grant"
            return PolicyName(
                self == .system ? "identity:\(verb)_system_\(noun)_for_\(actor.rawValue)" : "identity:\(verb)_\(noun)")
        }
    }

    func register(on routes: inout RouteTable) {
        for target in TargetKind.allCases {
            for actor in ActorKind.allCases {
                let path = target.path + actor.path
                register("/v3" + path, "", target, actor, isInherited: false, on: &routes)
                if target != .system {
                    register(
                        "/v3/OS-INHERIT" + path, "/inherited_to_projects", target, actor, isInherited: true, on: &routes
                    )
                }
            }
        }
    }

    private func register(
        _ path: String, _ suffix: String, _ target: TargetKind, _ actor: ActorKind, isInherited: Bool,
        on routes: inout RouteTable
    ) {
        let assignments = assignments
        @Sendable func assignment(_ request: APIRequest) -> Assignment {
            Assignment(
                actor.actor(request), target.target(request), request.id("role_id"), isInherited: isInherited)
        }
        let one = path + "/{role_id}" + suffix
        routes.add(.put, one, object: target.policy("create", actor)) { request, context in
            try await assignments.grant(assignment(request), for: context)
            return IdentityReply.noContent()
        }
        routes.add(.get, one, object: target.policy("check", actor)) { request, context in
            try await assignments.check(assignment(request), for: context)
            return IdentityReply.noContent()
        }
        routes.add(.delete, one, object: target.policy("revoke", actor)) { request, context in
            try await assignments.revoke(assignment(request), for: context)
            return IdentityReply.noContent()
        }
        // Upstream lists inherited grants on domains only.
        guard !isInherited || target == .domain else { return }
        routes.add(.get, path + suffix, object: target.policy("list", actor)) { request, context in
            let roles = try await assignments.roles(
                of: actor.actor(request), on: target.target(request), isInherited: isInherited, for: context)
            return try ListPage(request, roles, id: \.id.rawValue, name: \.name).response("roles") {
                RoleWire.write($0, &$1, request.v3URL)
            }
        }
    }
}

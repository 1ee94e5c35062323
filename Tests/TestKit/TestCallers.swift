// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit

/// Who calls in tests: the token is the name.
package enum TestCallers {
    private static let known: [String: Principal] = [
        "admin": principal("admin", roles: ["admin", "manager", "member", "reader"], project: "project-admin"),
        "demo": demo,
        "reader": principal("reader", roles: ["reader"], project: "project-demo"),
        "other": principal("other", project: "project-other"),
        "system": Principal(
            userID: "user-system", userName: "system", userDomain: .init(id: "default", name: "Default"),
            scope: .system, roles: ["admin", "manager", "member", "reader"].map { .init(id: $0, name: $0) }),
    ]

    package static let demo = principal("demo", project: "project-demo")

    package static func principal(
        _ name: String, roles: [String] = ["member", "reader"], project: String
    ) -> Principal {
        .test(name, id: UserID("user-" + name), roles: roles, project: ProjectID(project), projectName: project)
    }

    /// Throws what a router answers to a token that nobody has.
    package static func authenticate(_ token: String) throws -> Principal {
        guard let principal = known[token] else { throw APIRouter.unauthenticated }
        return principal
    }
}

extension Principal {
    /// Of the default domain, with a token for a project of it.
    package static func test(
        _ name: String, id: UserID? = nil, roles: [String], project: ProjectID, projectName: String? = nil
    ) -> Principal {
        let domain = Named(id: "default", name: "Default")
        return Principal(
            userID: id ?? UserID(name), userName: name, userDomain: domain,
            scope: .project(project, name: projectName ?? project.rawValue, domain: domain),
            roles: roles.map { Named(id: $0, name: $0) })
    }
}

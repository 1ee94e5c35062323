// SPDX-License-Identifier: Apache-2.0

/// On whose behalf a saga acts: what it needs of the principal that asked, saved with the run.
package struct Requester: Sendable, Codable, Equatable {
    package var userID: UserID
    package var userName: String
    package var userDomainID: String
    package var projectID: ProjectID
    package var projectName: String
    package var projectDomainID: String
    package var roles: [String]

    package init(_ principal: Principal, project: ProjectID) {
        userID = principal.userID
        userName = principal.userName
        userDomainID = principal.userDomain.id
        projectID = project
        roles = principal.roles.map(\.name)
        if case .project(_, let name, let domain) = principal.scope {
            projectName = name
            projectDomainID = domain.id
        } else {
            projectName = ""
            projectDomainID = ""
        }
    }

    package var principal: Principal {
        Principal(
            userID: userID, userName: userName, userDomain: .init(id: userDomainID, name: ""),
            scope: .project(projectID, name: projectName, domain: .init(id: projectDomainID, name: "")),
            roles: roles.map { .init(id: $0, name: $0) })
    }
}

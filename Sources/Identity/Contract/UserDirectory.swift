// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Where a directory's users and groups are, and what their attributes are called.
package struct DirectorySettings: Sendable, Hashable {
    package enum Scope: Sendable { case one, subtree }
    /// What happens when the server's certificate cannot be checked.
    package enum Certificate: String, Sendable { case demand, allow, never }

    package var url = ""
    /// Who reads; nil: anybody.
    package var bindDN: String?
    package var password: Secret?
    package var scope: Scope = .one
    package var startsTLS = false
    package var certificate: Certificate = .demand
    package var caFile: String?

    package var userTree = ""
    package var userFilter: String?
    package var userClass = "inetOrgPerson"
    package var userIDAttribute = "cn"
    package var userNameAttribute = "sn"
    package var userMailAttribute = "mail"
    package var userDescriptionAttribute = "description"
    package var userEnabledAttribute = "enabled"
    package var isEnabledInverted = false
    /// For users that do not say.
    package var isEnabledByDefault = true

    package var groupTree: String?
    package var groupFilter: String?
    package var groupClass = "groupOfNames"
    package var groupIDAttribute = "cn"
    package var groupNameAttribute = "ou"
    package var groupDescriptionAttribute = "description"
    package var groupMemberAttribute = "member"
    /// Members are users' ids rather than their names in the tree.
    package var membersAreIDs = false

    package init() {}
}

package struct DirectoryUser: Sendable, Equatable {
    /// The directory's own.
    package var id: String
    /// Where it stands in the tree.
    package var dn: String
    package var name: String
    package var email: String?
    package var description: String?
    package var isEnabled: Bool
    package init(id: String, dn: String, name: String, email: String?, description: String?, isEnabled: Bool) {
        self.id = id
        self.dn = dn
        self.name = name
        self.email = email
        self.description = description
        self.isEnabled = isEnabled
    }
}

package struct DirectoryGroup: Sendable, Equatable {
    package var id: String
    package var name: String
    package var description: String?
    /// Names in the tree, or ids, as the settings say.
    package var members: [String]
    package init(id: String, name: String, description: String?, members: [String]) {
        self.id = id
        self.name = name
        self.description = description
        self.members = members
    }
}

/// A directory of users that Identity reads and never writes.
///
/// Every call may be repeated. What the directory cannot answer is `.unavailable`, never an absence.
package protocol UserDirectory: Sendable {
    func users(_ settings: DirectorySettings) async throws -> [DirectoryUser]

    func groups(_ settings: DirectorySettings) async throws -> [DirectoryGroup]

    /// Nil: there is none of that name, or several.
    func user(named name: String, _ settings: DirectorySettings) async throws -> DirectoryUser?

    /// Whether the user signs in to the directory with it. An empty password is no one's.
    func isPassword(_ password: Secret, of user: DirectoryUser, _ settings: DirectorySettings) async throws -> Bool
}

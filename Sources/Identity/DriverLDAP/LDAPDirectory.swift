// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import LifecycleKit

/// A directory that speaks LDAP, over OpenLDAP's libldap.
///
/// Each call has a connection of its own: sign-ins bind as the user, which would change a connection that others share.
package struct LDAPDirectory: UserDirectory {
    private static let threads = 4
    private static let queueLimit = 256

    private let pool = BlockingPool("ldap", threads: threads, queueLimit: queueLimit)

    package init() {}

    package func users(_ settings: DirectorySettings) async throws -> [DirectoryUser] {
        try await search(settings, settings.userTree, Self.userFilter(settings)).compactMap { Self.user($0, settings) }
    }

    package func user(named name: String, _ settings: DirectorySettings) async throws -> DirectoryUser? {
        let filter = Self.userFilter(
            settings, and: "(\(settings.userNameAttribute)=\(LDAPFilter.escaped(name)))")
        let found = try await search(settings, settings.userTree, filter).compactMap { Self.user($0, settings) }
        return found.count == 1 ? found[0] : nil
    }

    package func groups(_ settings: DirectorySettings) async throws -> [DirectoryGroup] {
        guard let tree = settings.groupTree else { return [] }
        let filter = "(&(objectClass=\(LDAPFilter.escaped(settings.groupClass)))\(settings.groupFilter ?? ""))"
        return try await search(settings, tree, filter).compactMap { Self.group($0, settings) }
    }

    package func isPassword(_ password: Secret, of user: DirectoryUser, _ settings: DirectorySettings) async throws
        -> Bool
    {
        // A bind without a password is one as nobody, which succeeds (RFC 4513, 5.1.2).
        guard !password.reveal().isEmpty, !user.dn.isEmpty else { return false }
        return try await pool.run {
            let connection = try LDAPConnection(settings)
            defer { connection.close() }
            return try connection.bind(user.dn, password)
        }
    }

    // MARK: Parts

    private func search(_ settings: DirectorySettings, _ base: String, _ filter: String) async throws -> [LDAPEntry] {
        try await pool.run {
            let connection = try LDAPConnection(settings)
            defer { connection.close() }
            if let dn = settings.bindDN {
                guard try connection.bind(dn, settings.password ?? Secret("")) else {
                    throw LDAPConnection.unavailable("the reader's name or password is wrong")
                }
            }
            return try connection.search(base, settings.scope, filter)
        }
    }

    private static func userFilter(_ settings: DirectorySettings, and more: String = "") -> String {
        "(&(objectClass=\(LDAPFilter.escaped(settings.userClass)))\(settings.userFilter ?? "")\(more))"
    }

    /// Nil for an entry without an id or a name, as upstream passes it over.
    private static func user(_ entry: LDAPEntry, _ settings: DirectorySettings) -> DirectoryUser? {
        guard let id = entry.text(settings.userIDAttribute), let name = entry.text(settings.userNameAttribute) else {
            return nil
        }
        let said = entry.text(settings.userEnabledAttribute).map { ["true", "1", "yes"].contains($0.lowercased()) }
        return DirectoryUser(
            id: id, dn: entry.dn, name: name, email: entry.text(settings.userMailAttribute),
            description: entry.text(settings.userDescriptionAttribute),
            isEnabled: (said ?? settings.isEnabledByDefault) != settings.isEnabledInverted)
    }

    private static func group(_ entry: LDAPEntry, _ settings: DirectorySettings) -> DirectoryGroup? {
        guard let id = entry.text(settings.groupIDAttribute), let name = entry.text(settings.groupNameAttribute) else {
            return nil
        }
        return DirectoryGroup(
            id: id, name: name, description: entry.text(settings.groupDescriptionAttribute),
            members: entry.texts(settings.groupMemberAttribute))
    }
}

package enum LDAPFilter {
    /// A value as it may stand in a filter (RFC 4515): nobody's name becomes a condition.
    package static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "*"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "\\"), 0, 0x80...:
                result += "\\" + Hex.encode([byte])
            default: result.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return result
    }
}

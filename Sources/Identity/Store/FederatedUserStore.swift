// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Who of the users belongs to an identity provider, and the memberships that came with a sign-in.
struct FederatedUserStore: Sendable {
    func find(_ uniqueID: String, of source: FederatedUser.Source, _ tx: any Transaction) throws -> UserID? {
        try tx.first(
            """
            SELECT user_id FROM identity_federated_users
             WHERE provider_id = \(source.providerID) AND protocol_id = \(source.protocolID)
               AND unique_id = \(uniqueID)
            """
        ) { $0.id(0) }
    }

    func identity(of user: UserID, _ tx: any Transaction) throws -> FederatedUser? {
        try tx.first(
            "SELECT provider_id, protocol_id, unique_id FROM identity_federated_users WHERE user_id = \(user)"
        ) { row in
            FederatedUser(source: .init(providerID: row.id(0), protocolID: row.text(1)), uniqueID: row.text(2))
        }
    }

    func insert(_ identity: FederatedUser, as user: UserID, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_federated_users (provider_id, protocol_id, unique_id, user_id)
            VALUES (\(identity.source.providerID), \(identity.source.protocolID), \(identity.uniqueID), \(user))
            """)
    }

    /// With nil: of every protocol.
    func users(of provider: IdentityProviderID, protocol id: String? = nil, _ tx: any Transaction) throws -> [UserID] {
        var sql: SQL = "SELECT user_id FROM identity_federated_users WHERE provider_id = \(provider)"
        if let id { sql += "AND protocol_id = \(id)" }
        return try tx.query(sql + "ORDER BY user_id") { $0.id(0) }
    }

    // MARK: Memberships

    /// Replaces those that came with earlier sign-ins. One that somebody gave by hand stays as it is.
    func setMemberships(_ groups: [GroupID], of user: UserID, until end: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_group_members WHERE user_id = \(user) AND ends_at IS NOT NULL")
        for group in groups {
            try tx.execute(
                """
                INSERT INTO identity_group_members (group_id, user_id, ends_at) VALUES (\(group), \(user), \(end))
                ON CONFLICT (group_id, user_id) DO NOTHING
                """)
        }
    }

    /// The users of memberships that ended before `time`, each once.
    func usersWithEnded(before time: Timestamp, _ tx: any Transaction) throws -> [UserID] {
        try tx.query("SELECT DISTINCT user_id FROM identity_group_members WHERE ends_at <= \(time) ORDER BY user_id") {
            $0.id(0)
        }
    }

    func deleteEnded(before time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_group_members WHERE ends_at <= \(time)")
    }
}

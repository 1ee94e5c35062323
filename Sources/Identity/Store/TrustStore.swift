// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct TrustStore: Sendable {
    private static let columns: SQL = """
        id, trustor_id, trustee_id, project_id, impersonation, expires_at, remaining_uses, redelegation_count,
        redelegated_from
        """

    func find(_ id: TrustID, _ tx: any Transaction) throws -> Trust? {
        try tx.first("SELECT \(Self.columns) FROM identity_trusts WHERE id = \(id)", Self.trust)
            .map { try complete($0, tx) }
    }

    /// Without their roles, as lists show them.
    func list(trustor: UserID?, trustee: UserID?, _ tx: any Transaction) throws -> [Trust] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_trusts WHERE 1 = 1"
        if let trustor { sql += "AND trustor_id = \(trustor)" }
        if let trustee { sql += "AND trustee_id = \(trustee)" }
        return try tx.query(sql + "ORDER BY id", Self.trust)
    }

    /// Those that can still give a token.
    func count(of trustor: UserID, at time: Timestamp, _ tx: any Transaction) throws -> Int {
        try tx.count(
            """
            SELECT COUNT(*) FROM identity_trusts
             WHERE trustor_id = \(trustor) AND (expires_at IS NULL OR expires_at > \(time))
               AND (remaining_uses IS NULL OR remaining_uses > 0)
            """)
    }

    func hasExpired(before time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_trusts WHERE expires_at < \(time)")
    }

    /// Their tokens have ended with them. One that is used up stays as long as it may have tokens.
    func deleteExpired(before time: Timestamp, _ tx: any Transaction) throws {
        let ids: [TrustID] = try tx.query("SELECT id FROM identity_trusts WHERE expires_at < \(time)") { $0.id(0) }
        for id in ids { try delete(id, tx) }
    }

    /// The trust, the one it was made from, and so on to the first. Nil when one of them is gone.
    func pedigree(of trust: Trust, _ tx: any Transaction) throws -> [Trust]? {
        var line = [trust]
        while let id = line[line.count - 1].redelegatedFrom {
            guard line.count <= Trust.maximumRedelegations + 1, let parent = try find(id, tx) else { return nil }
            line.append(parent)
        }
        return line
    }

    func insert(_ trust: Trust, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_trusts (\(Self.columns))
            VALUES (\(trust.id), \(trust.trustorID), \(trust.trusteeID), \(trust.projectID), \(trust.impersonates),
                \(trust.expiresAt), \(trust.remainingUses), \(trust.redelegationCount), \(trust.redelegatedFrom))
            """)
        let named = Set(trust.roleIDs)
        for role in trust.grantedRoleIDs {
            try tx.execute(
                """
                INSERT INTO identity_trust_roles (trust_id, role_id, implied)
                VALUES (\(trust.id), \(role), \(!named.contains(role)))
                """)
        }
    }

    /// False: there is none left. A trust without a limit is always there.
    func consumeUse(of id: TrustID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            UPDATE identity_trusts SET remaining_uses = remaining_uses - 1
             WHERE id = \(id) AND (remaining_uses IS NULL OR remaining_uses > 0)
            """) == 1
    }

    /// With all that were made from it.
    func delete(_ id: TrustID, _ tx: any Transaction) throws {
        let children: [TrustID] = try tx.query("SELECT id FROM identity_trusts WHERE redelegated_from = \(id)") {
            $0.id(0)
        }
        for child in children { try delete(child, tx) }
        try tx.execute("DELETE FROM identity_trust_roles WHERE trust_id = \(id)")
        try tx.execute("DELETE FROM identity_trusts WHERE id = \(id)")
    }

    func deleteAll(of user: UserID, _ tx: any Transaction) throws {
        for trust in try list(trustor: user, trustee: nil, tx) + list(trustor: nil, trustee: user, tx) {
            try delete(trust.id, tx)
        }
    }

    func deleteAll(on project: ProjectID, _ tx: any Transaction) throws {
        let ids: [TrustID] = try tx.query("SELECT id FROM identity_trusts WHERE project_id = \(project)") { $0.id(0) }
        for id in ids { try delete(id, tx) }
    }

    // MARK: Rows

    private func complete(_ trust: Trust, _ tx: any Transaction) throws -> Trust {
        var trust = trust
        try tx.forEach(
            "SELECT role_id, implied FROM identity_trust_roles WHERE trust_id = \(trust.id) ORDER BY role_id"
        ) { row in
            trust.grantedRoleIDs.append(row.id(0))
            if !row.bool(1) { trust.roleIDs.append(row.id(0)) }
        }
        return trust
    }

    private static func trust(_ row: any Row) throws -> Trust {
        Trust(
            id: row.id(0), trustorID: row.id(1), trusteeID: row.id(2), projectID: row.idOrNil(3),
            impersonates: row.bool(4), expiresAt: row.timestampOrNil(5), remainingUses: row.intOrNil(6),
            redelegationCount: row.int(7), redelegatedFrom: row.idOrNil(8), roleIDs: [], grantedRoleIDs: [])
    }
}

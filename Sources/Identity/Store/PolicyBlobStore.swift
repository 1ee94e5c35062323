// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Policies that operators keep, and what they are for.
struct PolicyBlobStore: Sendable {
    private static let columns: SQL = "id, type, blob, extras"

    func find(_ id: PolicyBlobID, _ tx: any Transaction) throws -> PolicyBlob? {
        try tx.first("SELECT \(Self.columns) FROM identity_policies WHERE id = \(id)", Self.policy)
    }

    func list(type: String?, _ tx: any Transaction) throws -> [PolicyBlob] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_policies"
        if let type { sql += "WHERE type = \(type)" }
        return try tx.query(sql + "ORDER BY id", Self.policy)
    }

    func insert(_ policy: PolicyBlob, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_policies (\(Self.columns))
            VALUES (\(policy.id), \(policy.type), \(policy.blob), \(policy.extras.text))
            """)
    }

    func update(_ policy: PolicyBlob, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_policies
               SET type = \(policy.type), blob = \(policy.blob), extras = \(policy.extras.text)
             WHERE id = \(policy.id)
            """)
    }

    func delete(_ id: PolicyBlobID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_policy_associations WHERE policy_id = \(id)")
        try tx.execute("DELETE FROM identity_policies WHERE id = \(id)")
    }

    // MARK: Associations

    /// A subject has one policy: the last one wins.
    func associate(_ policy: PolicyBlobID, _ subject: PolicySubject, _ tx: any Transaction) throws {
        let key = Self.key(subject)
        try tx.execute(
            """
            INSERT INTO identity_policy_associations (endpoint_id, service_id, region_id, policy_id)
            VALUES (\(key.endpoint), \(key.service), \(key.region), \(policy))
            ON CONFLICT (endpoint_id, service_id, region_id) DO UPDATE SET policy_id = excluded.policy_id
            """)
    }

    func policy(of subject: PolicySubject, _ tx: any Transaction) throws -> PolicyBlobID? {
        let key = Self.key(subject)
        return try tx.first(
            """
            SELECT policy_id FROM identity_policy_associations
             WHERE endpoint_id = \(key.endpoint) AND service_id = \(key.service) AND region_id = \(key.region)
            """
        ) { $0.id(0) }
    }

    func dissociate(_ policy: PolicyBlobID, _ subject: PolicySubject, _ tx: any Transaction) throws {
        let key = Self.key(subject)
        try tx.execute(
            """
            DELETE FROM identity_policy_associations
             WHERE endpoint_id = \(key.endpoint) AND service_id = \(key.service) AND region_id = \(key.region)
               AND policy_id = \(policy)
            """)
    }

    func subjects(of policy: PolicyBlobID, _ tx: any Transaction) throws -> [PolicySubject] {
        try tx.query(
            """
            SELECT endpoint_id, service_id, region_id FROM identity_policy_associations WHERE policy_id = \(policy)
             ORDER BY endpoint_id, service_id, region_id
            """
        ) { row in
            if !row.text(0).isEmpty { return .endpoint(row.id(0)) }
            return row.text(2).isEmpty ? .service(row.id(1)) : .region(row.id(2), of: row.id(1))
        }
    }

    private static func key(_ subject: PolicySubject) -> (endpoint: String, service: String, region: String) {
        switch subject {
        case .endpoint(let id): (id.rawValue, "", "")
        case .service(let id): ("", id.rawValue, "")
        case .region(let region, let service): ("", service.rawValue, region.rawValue)
        }
    }

    private static func policy(_ row: any Row) throws -> PolicyBlob {
        PolicyBlob(id: row.id(0), type: row.text(1), blob: row.text(2), extras: try Extras(column: row.text(3)))
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct GroupStore: Sendable {
    private static let columns: SQL = "id, domain_id, name, description, extras, directory_id"

    func find(_ id: GroupID, _ tx: any Transaction) throws -> Group? {
        try tx.first("SELECT \(Self.columns) FROM identity_groups WHERE id = \(id)", Self.group)
    }

    func list(domain: DomainID?, name: String?, _ tx: any Transaction) throws -> [Group] {
        let conditions = Self.conditions(domain, name)
        return try tx.query(
            "SELECT \(Self.columns) FROM identity_groups WHERE \(conditions) ORDER BY name_key, id", Self.group)
    }

    func groups(_ ids: [GroupID], _ tx: any Transaction) throws -> [Group] {
        try ids.slices().flatMap { slice in
            try tx.query("SELECT \(Self.columns) FROM identity_groups WHERE id IN \(list: slice)", Self.group)
        }
    }

    func list(domain: DomainID?, name: String?, _ range: ListRange, _ tx: any Transaction) throws -> ListPart<Group> {
        try range.read(Self.columns, from: "identity_groups", where: Self.conditions(domain, name), tx, Self.group)
    }

    private static func conditions(_ domain: DomainID?, _ name: String?) -> SQL {
        var sql: SQL = "1 = 1"
        if let domain { sql += "AND domain_id = \(domain)" }
        if let name { sql += "AND name_key = \(name.nameKey)" }
        return sql
    }

    func groups(of user: UserID, _ tx: any Transaction) throws -> [Group] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM identity_groups
             WHERE id IN (SELECT group_id FROM identity_group_members WHERE user_id = \(user))
             ORDER BY name_key, id
            """, Self.group)
    }

    func insert(_ group: Group, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_groups (id, domain_id, name, name_key, description, extras, directory_id)
            VALUES (\(group.id), \(group.domainID), \(group.name), \(group.name.nameKey), \(group.description),
                \(group.extras.text), \(group.directoryID))
            """)
    }

    func update(_ group: Group, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_groups
               SET name = \(group.name), name_key = \(group.name.nameKey), description = \(group.description),
                   extras = \(group.extras.text)
             WHERE id = \(group.id)
            """)
    }

    func delete(_ id: GroupID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_group_members WHERE group_id = \(id)")
        try tx.execute("DELETE FROM identity_groups WHERE id = \(id)")
    }

    // MARK: Members

    func hasMember(_ user: UserID, in group: GroupID, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_group_members WHERE group_id = \(group) AND user_id = \(user)")
    }

    func addMember(_ user: UserID, to group: GroupID, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_group_members (group_id, user_id) VALUES (\(group), \(user))
            ON CONFLICT (group_id, user_id) DO UPDATE SET ends_at = NULL
            """)
    }

    /// False: it was none.
    func removeMember(_ user: UserID, from group: GroupID, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM identity_group_members WHERE group_id = \(group) AND user_id = \(user)") == 1
    }

    func groupIDs(of user: UserID, _ tx: any Transaction) throws -> [GroupID] {
        try tx.query("SELECT group_id FROM identity_group_members WHERE user_id = \(user)") { $0.id(0) }
    }

    func memberIDs(of groups: [GroupID], _ tx: any Transaction) throws -> [GroupID: [UserID]] {
        var members: [GroupID: [UserID]] = [:]
        for slice in groups.slices() {
            try tx.forEach(
                "SELECT group_id, user_id FROM identity_group_members WHERE group_id IN \(list: slice) ORDER BY user_id"
            ) { row in members[row.id(0), default: []].append(row.id(1)) }
        }
        return members
    }

    private static func group(_ row: any Row) throws -> Group {
        Group(
            id: row.id(0), domainID: row.id(1), name: row.text(2), description: row.text(3),
            extras: try Extras(column: row.text(4)), directoryID: row.textOrNil(5))
    }
}

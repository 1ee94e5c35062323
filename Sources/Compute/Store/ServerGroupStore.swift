// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

package struct ServerGroupStore: Sendable {
    package init() {}

    private static let columns: SQL = "id, name, policy, maximum_per_host, project_id, user_id"

    private static func group(_ row: any Row) -> ServerGroup {
        ServerGroup(
            id: row.id(0), name: row.text(1), policy: ServerGroup.Policy(rawValue: row.text(2)) ?? .affinity,
            maximumPerHost: row.intOrNil(3), projectID: row.id(4), userID: row.id(5), members: [])
    }

    package func group(_ id: ServerGroupID, _ transaction: any Transaction) throws -> ServerGroup? {
        let sql: SQL = "SELECT \(Self.columns) FROM server_groups WHERE id = \(id)"
        guard var group = try transaction.first(sql, Self.group) else { return nil }
        group.members = try members(of: id, transaction)
        return group
    }

    package func members(of id: ServerGroupID, _ transaction: any Transaction) throws -> [ServerID] {
        try transaction.query("SELECT server_id FROM server_group_members WHERE group_id = \(id) ORDER BY server_id") {
            $0.id(0)
        }
    }

    package func group(ofServer id: ServerID, _ transaction: any Transaction) throws -> ServerGroupID? {
        try transaction.first("SELECT group_id FROM server_group_members WHERE server_id = \(id)") { $0.id(0) }
    }

    package func list(
        of project: ProjectID?, offset: Int, limit: Int, _ transaction: any Transaction
    ) throws -> [ServerGroup] {
        var sql: SQL = "SELECT \(Self.columns) FROM server_groups"
        if let project { sql += "WHERE project_id = \(project)" }
        sql += "ORDER BY created_at, id LIMIT \(limit) OFFSET \(offset)"
        return try transaction.query(sql, Self.group).map { group in
            var group = group
            group.members = try members(of: group.id, transaction)
            return group
        }
    }

    package func count(of project: ProjectID, _ transaction: any Transaction) throws -> Int {
        try transaction.count("SELECT COUNT(*) FROM server_groups WHERE project_id = \(project)")
    }

    package func insert(_ group: ServerGroup, at time: Timestamp, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO server_groups (\(Self.columns), created_at) VALUES (
                \(group.id), \(group.name), \(group.policy.rawValue), \(group.maximumPerHost), \(group.projectID),
                \(group.userID), \(time)
            )
            """)
    }

    package func addMember(_ server: ServerID, to group: ServerGroupID, _ transaction: any Transaction) throws {
        try transaction.execute(
            "INSERT INTO server_group_members (server_id, group_id) VALUES (\(server), \(group))")
    }

    package func delete(_ id: ServerGroupID, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM server_group_members WHERE group_id = \(id)")
        try transaction.execute("DELETE FROM server_groups WHERE id = \(id)")
    }
}

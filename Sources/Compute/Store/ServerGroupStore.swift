// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit

package struct ServerGroupStore: Sendable {
    package init() {}

    private static let columns: SQL = "id, name, policy, maximum_per_host, project_id, user_id"

    private static func group(_ row: any Row) throws -> ServerGroup {
        ServerGroup(
            id: row.id(0), name: row.text(1), policy: try row.word(2),
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
        var groups = try transaction.query(sql, Self.group)
        var members: [ServerGroupID: [ServerID]] = [:]
        for part in groups.map(\.id).slices() {
            try transaction.forEach(
                """
                SELECT group_id, server_id FROM server_group_members WHERE group_id IN \(list: part)
                 ORDER BY server_id
                """
            ) { row in members[row.id(0), default: []].append(row.id(1)) }
        }
        for index in groups.indices { groups[index].members = members[groups[index].id] ?? [] }
        return groups
    }

    package func count(
        of project: ProjectID, user: UserID? = nil, _ transaction: any Transaction
    ) throws -> Int {
        var sql: SQL = "SELECT COUNT(*) FROM server_groups WHERE project_id = \(project)"
        if let user { sql += "AND user_id = \(user)" }
        return try transaction.count(sql)
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

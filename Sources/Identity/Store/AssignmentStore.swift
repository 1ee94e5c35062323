// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct AssignmentStore: Sendable {
    private static let columns: SQL = "actor_kind, actor_id, target_kind, target_id, role_id, inherited"

    func insert(_ assignment: Assignment, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_assignments (\(Self.columns))
            VALUES (\(assignment.actor.kind), \(assignment.actor.rawID), \(assignment.target.kind),
                \(assignment.target.rawID), \(assignment.roleID), \(assignment.isInherited))
            ON CONFLICT (actor_id, target_id, role_id, inherited, actor_kind, target_kind) DO NOTHING
            """)
    }

    func exists(_ assignment: Assignment, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_assignments WHERE \(Self.matches(assignment))")
    }

    /// False: there was none.
    func delete(_ assignment: Assignment, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM identity_assignments WHERE \(Self.matches(assignment))") == 1
    }

    func deleteAll(of actor: Assignment.Actor, _ tx: any Transaction) throws {
        try tx.execute(
            "DELETE FROM identity_assignments WHERE actor_id = \(actor.rawID) AND actor_kind = \(actor.kind)")
    }

    func deleteAll(on target: Assignment.Target, _ tx: any Transaction) throws {
        try tx.execute(
            "DELETE FROM identity_assignments WHERE target_id = \(target.rawID) AND target_kind = \(target.kind)")
    }

    /// Rows as they are stored. An empty list of actors or targets matches none, nil matches all.
    func list(
        actors: [Assignment.Actor]? = nil, targets: [Assignment.Target]? = nil, role: RoleID? = nil,
        isInherited: Bool? = nil, in domain: DomainID? = nil, limit: Int? = nil, _ tx: any Transaction
    ) throws -> [Assignment] {
        var sql: SQL = "SELECT \(Self.columns) FROM identity_assignments WHERE 1 = 1"
        if let actors { sql += "AND actor_id IN \(list: actors.map(\.rawID))" }
        if let targets { sql += "AND target_id IN \(list: targets.map(\.rawID))" }
        if let role { sql += "AND role_id = \(role)" }
        if let isInherited { sql += "AND inherited = \(isInherited)" }
        if let domain {
            sql += """
                AND ((target_kind = 'domain' AND target_id = \(domain))
                     OR (target_kind = 'project' AND target_id IN
                         (SELECT id FROM identity_projects WHERE domain_id = \(domain))))
                """
        }
        let (actors, targets) = (actors.map(Set.init), targets.map(Set.init))
        var found: [Assignment] = []
        try tx.forEach(
            sql + "ORDER BY target_kind, target_id, actor_kind, actor_id, role_id, inherited",
            while: { row in
                let assignment = try Self.assignment(row)
                // An id of another kind may be the same.
                if actors?.contains(assignment.actor) ?? true, targets?.contains(assignment.target) ?? true {
                    found.append(assignment)
                }
                return limit.map { found.count < $0 } ?? true
            })
        return found
    }

    /// Roles given to the user, directly or through a group, that count on the target itself; nothing is implied yet.
    ///
    /// `above` are the ancestors of a project, its domain among them, whose inherited assignments count here.
    func roleIDs(of user: UserID, on target: Assignment.Target, above: [Assignment.Target], _ tx: any Transaction)
        throws -> [RoleID]
    {
        var sql: SQL = """
            SELECT DISTINCT role_id FROM identity_assignments
             WHERE ((actor_kind = 'user' AND actor_id = \(user))
                    OR (actor_kind = 'group'
                        AND actor_id IN (SELECT group_id FROM identity_group_members WHERE user_id = \(user))))
               AND ((target_id = \(target.rawID) AND target_kind = \(target.kind) AND inherited = 0)
            """
        for ancestor in above {
            sql += "OR (target_id = \(ancestor.rawID) AND target_kind = \(ancestor.kind) AND inherited = 1)"
        }
        return try tx.query(sql + ") ORDER BY role_id") { $0.id(0) }
    }

    private static func matches(_ assignment: Assignment) -> SQL {
        """
        actor_id = \(assignment.actor.rawID) AND actor_kind = \(assignment.actor.kind)
        AND target_id = \(assignment.target.rawID) AND target_kind = \(assignment.target.kind)
        AND role_id = \(assignment.roleID) AND inherited = \(assignment.isInherited)
        """
    }

    private static func assignment(_ row: any Row) throws -> Assignment {
        let actor: Assignment.Actor = row.text(0) == "user" ? .user(row.id(1)) : .group(row.id(1))
        let target: Assignment.Target =
            switch row.text(2) {
            case "project": .project(row.id(3))
            case "domain": .domain(row.id(3))
            default: .system
            }
        return Assignment(actor, target, row.id(4), isInherited: row.bool(5))
    }
}

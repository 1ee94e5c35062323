// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Projects and domains. A domain's row has an empty `domain_id`.
struct ProjectStore: Sendable {
    struct Filter: Sendable {
        var domainID: DomainID?
        var parentID: ProjectID?
        var name: String?
        var isEnabled: Bool?
        /// Nil lists neither rather than both: callers say what they list.
        var isDomain = false
        /// Has all of these, any of these, not all of these, none of these.
        var tags: [String]?
        var tagsAny: [String]?
        var notTags: [String]?
        var notTagsAny: [String]?
    }

    private static let columns: SQL = "id, domain_id, parent_id, name, enabled, description, options, extras"

    func find(_ id: ProjectID, _ tx: any Transaction) throws -> Project? {
        try withTags(try tx.first("SELECT \(Self.columns) FROM identity_projects WHERE id = \(id)", Self.project), tx)
    }

    func findDomain(_ id: DomainID, _ tx: any Transaction) throws -> Project? {
        try tx.first("SELECT \(Self.columns) FROM identity_projects WHERE id = \(id) AND domain_id = ''", Self.project)
    }

    /// With nil for `domain`: a domain of that name.
    func find(named name: String, in domain: DomainID?, _ tx: any Transaction) throws -> Project? {
        let project = try tx.first(
            """
            SELECT \(Self.columns) FROM identity_projects
             WHERE domain_id = \(domain?.rawValue ?? "") AND name_key = \(name.nameKey)
            """, Self.project)
        return try withTags(project, tx)
    }

    func list(_ filter: Filter, _ tx: any Transaction) throws -> [Project] {
        let found = try tx.query(
            "SELECT \(Self.columns) FROM identity_projects WHERE \(Self.conditions(filter)) ORDER BY name_key, id",
            Self.project)
        return try withTags(found, tx)
    }

    func list(_ filter: Filter, _ range: ListRange, _ tx: any Transaction) throws -> ListPart<Project> {
        var part = try range.read(
            Self.columns, from: "identity_projects", where: Self.conditions(filter), tx, Self.project)
        part.elements = try withTags(part.elements, tx)
        return part
    }

    private static func conditions(_ filter: Filter) -> SQL {
        var sql: SQL = "1 = 1"
        if let domain = filter.domainID {
            sql += "AND domain_id = \(domain)"
        } else {
            sql += filter.isDomain ? "AND domain_id = ''" : "AND domain_id <> ''"
        }
        if let parent = filter.parentID { sql += "AND parent_id = \(parent)" }
        if let name = filter.name { sql += "AND name_key = \(name.nameKey)" }
        if let isEnabled = filter.isEnabled { sql += "AND enabled = \(isEnabled)" }
        if let tags = filter.tags { sql += "AND \(having(all: tags))" }
        if let tags = filter.tagsAny {
            sql += "AND id IN (SELECT project_id FROM identity_project_tags WHERE tag IN \(list: tags))"
        }
        if let tags = filter.notTags { sql += "AND NOT \(having(all: tags))" }
        if let tags = filter.notTagsAny {
            sql += """
                AND NOT EXISTS (SELECT 1 FROM identity_project_tags t
                                 WHERE t.project_id = identity_projects.id AND t.tag IN \(list: tags))
                """
        }
        return sql
    }

    private static func having(all tags: [String]) -> SQL {
        guard !tags.isEmpty else { return "(1 = 1)" }
        return "(id IN (\(SQL.keys("project_id", of: "identity_project_tags", withAll: tags, in: "tag"))))"
    }

    /// In the order of their names.
    func ids(of domain: DomainID, _ tx: any Transaction) throws -> [ProjectID] {
        try tx.query("SELECT id FROM identity_projects WHERE domain_id = \(domain) ORDER BY name_key") { $0.id(0) }
    }

    func projects(_ ids: [ProjectID], _ tx: any Transaction) throws -> [Project] {
        var found: [Project] = []
        for slice in ids.slices() {
            found += try tx.query(
                "SELECT \(Self.columns) FROM identity_projects WHERE id IN \(list: slice)", Self.project)
        }
        return try withTags(found, tx)
    }

    /// Voids every token for the project, or of the domain's users and projects, that was issued before `time`.
    func revokeTokens(of id: ProjectID, before time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute("UPDATE identity_projects SET tokens_valid_from = \(time) WHERE id = \(id)")
    }

    /// The latest of them.
    func tokensValidFrom(_ ids: [ProjectID], _ tx: any Transaction) throws -> Timestamp {
        Timestamp(
            microseconds: try tx.first(
                "SELECT MAX(tokens_valid_from) FROM identity_projects WHERE id IN \(list: ids)"
            ) { $0.int64(0) } ?? 0)
    }

    func insert(_ project: Project, at time: Timestamp, _ tx: any Transaction) throws {
        try tx.execute(
            """
            INSERT INTO identity_projects (id, domain_id, parent_id, name, name_key, enabled, description, options,
                extras, created_at)
            VALUES (\(project.id), \(project.domainID?.rawValue ?? ""), \(project.parentID), \(project.name),
                \(project.name.nameKey), \(project.isEnabled), \(project.description), \(project.options.text),
                \(project.extras.text), \(time))
            """)
        try setTags(project.tags, of: project.id, tx)
    }

    func update(_ project: Project, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE identity_projects
               SET name = \(project.name), name_key = \(project.name.nameKey), enabled = \(project.isEnabled),
                   description = \(project.description), options = \(project.options.text),
                   extras = \(project.extras.text)
             WHERE id = \(project.id)
            """)
        try setTags(project.tags, of: project.id, tx)
    }

    func delete(_ id: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_project_tags WHERE project_id = \(id)")
        try tx.execute("DELETE FROM identity_projects WHERE id = \(id)")
    }

    // MARK: The tree

    func hasChildren(_ id: ProjectID, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM identity_projects WHERE parent_id = \(id)")
    }

    /// From the parent up to and with the domain.
    func ancestors(of project: Project, _ tx: any Transaction) throws -> [Project] {
        var ancestors: [Project] = []
        var next = project.parentID
        while let id = next, ancestors.count <= Project.maximumDepth, let parent = try find(id, tx) {
            ancestors.append(parent)
            next = parent.parentID
        }
        return ancestors
    }

    /// All below, parents before children.
    func descendants(of id: ProjectID, _ tx: any Transaction) throws -> [Project] {
        var found: [Project] = []
        var layer = [id]
        while !layer.isEmpty, found.count < 100_000 {
            var below: [Project] = []
            for slice in layer.slices() {
                below += try tx.query(
                    """
                    SELECT \(Self.columns) FROM identity_projects WHERE parent_id IN \(list: slice)
                     ORDER BY name_key, id
                    """, Self.project)
            }
            found += below
            layer = below.map(\.id)
        }
        return try withTags(found, tx)
    }

    // MARK: Tags

    func setTags(_ tags: [String], of id: ProjectID, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM identity_project_tags WHERE project_id = \(id)")
        for tag in tags { try tx.execute("INSERT INTO identity_project_tags (project_id, tag) VALUES (\(id), \(tag))") }
    }

    private func withTags(_ project: Project?, _ tx: any Transaction) throws -> Project? {
        guard var project else { return nil }
        project.tags = try tx.query(
            "SELECT tag FROM identity_project_tags WHERE project_id = \(project.id) ORDER BY tag"
        ) { $0.text(0) }
        return project
    }

    private func withTags(_ projects: [Project], _ tx: any Transaction) throws -> [Project] {
        var tags: [ProjectID: [String]] = [:]
        for slice in projects.slices() {
            try tx.forEach(
                """
                SELECT project_id, tag FROM identity_project_tags WHERE project_id IN \(list: slice.map(\.id))
                 ORDER BY tag
                """
            ) { row in tags[row.id(0), default: []].append(row.text(1)) }
        }
        return projects.map { project in
            var project = project
            project.tags = tags[project.id] ?? []
            return project
        }
    }

    private static func project(_ row: any Row) throws -> Project {
        let domain = row.text(1)
        return Project(
            id: row.id(0), domainID: domain.isEmpty ? nil : DomainID(domain), parentID: row.idOrNil(2),
            name: row.text(3), isEnabled: row.bool(4), description: row.text(5),
            options: try ResourceOptions(column: row.text(6)), extras: try Extras(column: row.text(7)), tags: [])
    }
}

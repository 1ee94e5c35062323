// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore
import PolicyKit

/// /v3/users
struct UserRoutes: Sendable {
    let users: UserEngine
    let projects: ProjectEngine

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/users", object: "identity:list_users", list)
        routes.add(.post, "/v3/users", object: "identity:create_user", create)
        routes.add(.get, "/v3/users/{user_id}", object: "identity:get_user", show)
        routes.add(.patch, "/v3/users/{user_id}", object: "identity:update_user", update)
        routes.add(.delete, "/v3/users/{user_id}", object: "identity:delete_user", delete)
        routes.open(.post, "/v3/users/{user_id}/password", changePassword)
        routes.add(.get, "/v3/users/{user_id}/groups", object: "identity:list_groups_for_user", listGroups)
        routes.add(.get, "/v3/users/{user_id}/projects", object: "identity:list_user_projects", listProjects)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var filter = UserFilter(domainID: request.queryID("domain_id"))
        filter.name = request.query("name")
        filter.isEnabled = try request.queryBool("enabled")
        filter.providerID = request.queryID("idp_id")
        filter.protocolID = request.query("protocol_id")
        filter.uniqueID = request.query("unique_id")
        let found = try await users.list(
            filter, try request.listRange(), where: try PasswordExpiryFilter.all(request), for: context)
        return ListPage(request, found, id: \.id.rawValue).response("users") {
            UserWire.write($0, &$1, request.v3URL)
        }
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try UserWire.draft(try await request.body("user"), defaultDomain: context.domainForCreate)
        let user = try await users.create(draft, for: context)
        return IdentityReply.one("user", status: 201) { UserWire.write(user, &$0, request.v3URL) }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let user = try await users.show(request.id("user_id"), for: context)
        return IdentityReply.one("user") { UserWire.write(user, &$0, request.v3URL) }
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id: UserID = request.id("user_id")
        let old = try await users.show(id, for: context)
        let change = try UserWire.change(try await request.body("user"), of: old)
        let user = try await users.update(id, change, for: context)
        return IdentityReply.one("user") { UserWire.write(user, &$0, request.v3URL) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await users.delete(request.id("user_id"), for: context)
        return IdentityReply.noContent()
    }

    private func changePassword(_ request: APIRequest) async throws -> HTTPResponse {
        var body = try await request.body("user")
        guard let old = try body.string("original_password", 0...UserWire.maximumPasswordLength) else {
            throw body.missing("original_password")
        }
        guard let new = try body.string("password", 0...UserWire.maximumPasswordLength) else {
            throw body.missing("password")
        }
        try await users.changePassword(of: request.id("user_id"), from: Secret(old), to: Secret(new))
        return IdentityReply.noContent()
    }

    private func listGroups(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let groups = try await users.groups(of: request.id("user_id"), name: request.query("name"), for: context)
        return try ListPage(request, groups, id: \.id.rawValue, name: \.name).response("groups") {
            GroupWire.write($0, &$1, request.v3URL)
        }
    }

    private func listProjects(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (domain, name) = (request.queryID("domain_id", DomainTag.self), request.query("name")?.lowercased())
        let isEnabled = try request.queryBool("enabled")
        let found = try await projects.list(of: request.id("user_id"), for: context).filter { project in
            (domain == nil || project.domainID == domain) && (name == nil || project.name.lowercased() == name)
                && (isEnabled == nil || project.isEnabled == isEnabled)
        }
        return try ListPage(request, found, id: \.id.rawValue, name: \.name).response("projects") {
            ProjectWire.write($0, &$1, request.v3URL)
        }
    }
}

/// `?password_expires_at=lt:2026-12-01T00:00:00Z`, any number of them (api-ref: list-users).
enum PasswordExpiryFilter {
    static func all(_ request: APIRequest) throws -> @Sendable (User) -> Bool {
        let conditions = try request.queryAll("password_expires_at").map { try condition($0) }
        return { user in
            conditions.isEmpty || (user.passwordExpiresAt.map { end in conditions.allSatisfy { $0(end) } } ?? false)
        }
    }

    private static func condition(_ text: String) throws -> @Sendable (Timestamp) -> Bool {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        let hasOperator = parts.count == 2 && parts[0].allSatisfy(\.isLetter)
        guard let time = Timestamp(iso8601: hasOperator ? parts[1] : text) else {
            throw CloudError.badRequest(
                "Unable to parse date '\(text.prefix(64))' in query parameter password_expires_at.")
        }
        switch hasOperator ? parts[0] : "eq" {
        case "lt": return { $0 < time }
        case "lte": return { $0 <= time }
        case "gt": return { $0 > time }
        case "gte": return { $0 >= time }
        case "eq": return { $0 == time }
        case "neq": return { $0 != time }
        default: throw CloudError.badRequest("Invalid operator: \(parts[0].prefix(16))")
        }
    }
}

enum UserWire {
    static let maximumPasswordLength = 4096

    private static let options: Set<String> = [
        "ignore_change_password_upon_first_use", "ignore_password_expiry", "ignore_lockout_failure_attempts",
        "lock_password", "ignore_user_inactivity", "multi_factor_auth_enabled",
    ]

    static func write(_ user: User, _ writer: inout JSONWriter, _ base: String) {
        writer.field("id", user.id)
        writer.field("name", user.name)
        writer.field("domain_id", user.domainID)
        writer.field("enabled", user.isEnabled)
        if let project = user.defaultProjectID { writer.field("default_project_id", project) }
        if let description = user.description { writer.field("description", description) }
        writer.field("password_expires_at", user.passwordExpiresAt?.iso8601(fraction: true, zone: false))
        writer.options(user.options)
        writer.extras(user.extras)
        writer.selfLink("\(base)/users/\(user.id)")
    }

    static func draft(_ body: ObjectReader, defaultDomain: DomainID) throws -> UserDraft {
        var body = body
        var draft = UserDraft(
            domainID: try body.optionalID("domain_id") ?? defaultDomain,
            name: try body.requiredName(maximum: User.maximumNameLength))
        if let password = try password(&body) { draft.password = password }
        draft.isEnabled = try body.looseBool("enabled") ?? true
        draft.description = try body.nullableString("description", 0...65_535) ?? nil
        draft.defaultProjectID = try body.nullableID("default_project_id") ?? nil
        draft.options = draft.options.changed(by: try readOptions(&body) ?? [:])
        _ = body.value("id")
        draft.extras = try readExtras(&body)
        return draft
    }

    static func change(_ body: ObjectReader, of user: User) throws -> UserChange {
        var body = body
        guard !body.remainingKeys.isEmpty else {
            throw CloudError.badRequest("Invalid input for field 'user': at least one property is required")
        }
        var change = UserChange()
        change.name = try body.name(maximum: User.maximumNameLength)
        change.password = try password(&body)
        change.isEnabled = try body.looseBool("enabled")
        change.description = try body.nullableString("description", 0...65_535)
        change.defaultProjectID = try body.nullableID("default_project_id")
        change.options = try readOptions(&body)
        try body.checkID("id", is: user.id.rawValue, "user ID")
        try body.checkID("domain_id", is: user.domainID.rawValue, "Domain ID")
        change.extras = try readExtras(&body)
        return change
    }

    private static func password(_ body: inout ObjectReader) throws -> Secret?? {
        switch try body.nullableString("password", 0...maximumPasswordLength) {
        case .none: .none
        case .some(nil): .some(nil)
        case .some(let text?): .some(Secret(text))
        }
    }

    /// `original_password` in a change by an administrator means nothing and must not be kept.
    private static func readExtras(_ body: inout ObjectReader) throws -> Extras {
        for key in ["original_password", "password_expires_at", "federated"] { _ = body.value(key) }
        return try body.extras()
    }

    private static func readOptions(_ body: inout ObjectReader) throws -> [String: JSON]? {
        guard case .object(var fields)? = body.value("options") else { return nil }
        let rules = fields.removeValue(forKey: "multi_factor_auth_rules")
        for (name, flag) in fields {
            guard options.contains(name), flag.isNull || flag.bool != nil else {
                throw body.invalid("options", .string(name), "is not a known option with a boolean value")
            }
        }
        if let rules, !rules.isNull {
            let isWellFormed = rules.array?.allSatisfy { rule in
                rule.array.map { !$0.isEmpty && $0.allSatisfy { $0.string != nil } } ?? false
            }
            guard isWellFormed == true else {
                throw body.invalid("options", "multi_factor_auth_rules", "is not a list of lists of methods")
            }
        }
        if let rules { fields["multi_factor_auth_rules"] = rules }
        return fields
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import PatternKit

/// Rules that make a user and groups of what a provider says (keystone: `federation/utils.py`, `RuleProcessor`).
package struct FederationMapping: Sendable, Equatable {
    package enum Version: String, Sendable {
        case first = "1.0"
        /// A domain beside `user` and `projects` is their default.
        case second = "2.0"
    }

    /// A condition on one attribute; what it leaves of the values goes into the local part by its place.
    struct Requirement: Sendable, Equatable {
        enum Check: Sendable, Equatable {
            case present
            case anyOneOf([String])
            case notAnyOf([String])
            case blacklist([String])
            case whitelist([String])
        }
        var attribute: String
        var check: Check
        var isRegex: Bool
    }

    struct Rule: Sendable, Equatable {
        var remote: [Requirement]
        var local: [JSON]
    }

    package static let maximumByteCount = 1 << 18

    package var id: FederationMappingID
    /// As it was given.
    package let source: JSON
    package let version: Version
    let rules: [Rule]

    /// Throws `.badRequest` for what is not a mapping.
    package init(id: FederationMappingID, rules source: JSON, version: Version) throws {
        self.id = id
        self.source = source
        self.version = version
        guard let list = source.array, !list.isEmpty else { throw Self.malformed("rules", "is too short") }
        guard source.text().utf8.count <= Self.maximumByteCount else { throw Self.malformed("rules", "is too long") }
        rules = try list.map { try Self.rule($0) }
    }

    // MARK: Reading

    private static func rule(_ json: JSON) throws -> Rule {
        try checkKeys(json, ["local", "remote"], in: "rules")
        guard let remote = json["remote"]?.array, !remote.isEmpty else { throw malformed("remote", "is too short") }
        guard let local = json["local"]?.array else { throw malformed("local", "is a required property") }
        for part in local {
            try checkKeys(
                part, ["user", "projects", "group", "groups", "group_ids", "domain"], in: "local")
            if let user = part["user"] {
                try checkKeys(user, ["id", "name", "email", "domain", "type"], in: "user")
                try checkTexts(user, ["id", "name", "email", "type"])
                try checkDomain(user["domain"])
                if let type = user["type"]?.string, type != "ephemeral", type != "local" {
                    throw malformed("type", "is not one of ['ephemeral', 'local']")
                }
            }
            if let group = part["group"] {
                try checkKeys(group, ["id", "name", "domain"], in: "group")
                try checkTexts(group, ["id", "name"])
                try checkDomain(group["domain"])
                let isByName = group["name"] != nil && group["domain"] != nil
                guard group["id"] != nil ? group.object?.count == 1 : isByName else {
                    throw malformed("group", "needs an id, or a name and a domain")
                }
            }
            try checkTexts(part, ["groups", "group_ids"])
            try checkDomain(part["domain"])
            if let projects = part["projects"] { try checkProjects(projects) }
        }
        return Rule(remote: try remote.map { try requirement($0) }, local: local)
    }

    private static func checkTexts(_ json: JSON, _ keys: [String]) throws {
        for key in keys where json[key] != nil && json[key]?.string == nil {
            throw malformed(key, "is not of type 'string'")
        }
    }

    private static func checkDomain(_ json: JSON?) throws {
        guard let json else { return }
        try checkKeys(json, ["id", "name"], in: "domain")
        try checkTexts(json, ["id", "name"])
    }

    private static func checkProjects(_ json: JSON) throws {
        guard let projects = json.array else { throw malformed("projects", "is not of type 'array'") }
        for project in projects {
            try checkKeys(project, ["name", "roles", "domain"], in: "projects")
            try checkDomain(project["domain"])
            guard project["name"]?.string != nil, let roles = project["roles"]?.array else {
                throw malformed("projects", "needs a name and roles")
            }
            for role in roles {
                try checkKeys(role, ["name"], in: "roles")
                guard role["name"]?.string != nil else { throw malformed("roles", "needs a name") }
            }
        }
    }

    private static func requirement(_ json: JSON) throws -> Requirement {
        try checkKeys(json, ["type", "any_one_of", "not_any_of", "blacklist", "whitelist", "regex"], in: "remote")
        guard let attribute = json["type"]?.string else { throw malformed("type", "is a required property") }
        if let regex = json["regex"], regex.bool == nil { throw malformed("regex", "is not of type 'boolean'") }
        let isRegex = json["regex"]?.bool ?? false
        var checks: [Requirement.Check] = []
        let kinds: [(String, ([String]) -> Requirement.Check)] = [
            ("any_one_of", { .anyOneOf($0) }), ("not_any_of", { .notAnyOf($0) }), ("blacklist", { .blacklist($0) }),
            ("whitelist", { .whitelist($0) }),
        ]
        for (key, check) in kinds {
            guard let value = json[key] else { continue }
            guard let values = value.array else { throw malformed(key, "is not of type 'array'") }
            let texts = values.compactMap(\.string)
            guard texts.count == values.count else { throw malformed(key, "has an element that is no string") }
            if isRegex { for text in texts { _ = try TextPattern(text, .anywhere) } }
            checks.append(check(texts))
        }
        guard checks.count <= 1 else { throw malformed("remote", "has more than one condition") }
        return Requirement(attribute: attribute, check: checks.first ?? .present, isRegex: isRegex)
    }

    private static func checkKeys(_ json: JSON, _ known: Set<String>, in path: String) throws {
        guard let fields = json.object else { throw malformed(path, "is not of type 'object'") }
        if let other = fields.keys.sorted().first(where: { !known.contains($0) }) {
            throw malformed(path, "Additional properties are not allowed ('\(other.prefix(64))' was unexpected)")
        }
    }

    private static func malformed(_ path: String, _ reason: String) -> CloudError {
        .badRequest("Invalid mapping: '\(path)' \(reason)")
    }
}

/// What a mapping makes of somebody.
package struct MappedIdentity: Sendable, Equatable {
    package struct Domain: Sendable, Hashable {
        package var id: String?
        package var name: String?
    }
    package struct GroupName: Sendable, Hashable {
        package var name: String
        package var domain: Domain
    }

    package var userID: String?
    package var userName: String?
    package var email: String?
    package var userDomain: Domain?
    /// A user of this cloud, where others are made when they first come.
    package var isLocal = false
    package var groupIDs: [String] = []
    package var groupNames: [GroupName] = []
    package var projects: [JSON] = []
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PatternKit

extension FederationMapping {
    /// What the rules make of `assertion`, the attributes that a provider gave; several values stand apart by `;`.
    ///
    /// Throws `.badRequest` when no rule fits, or a rule refers to what it does not have.
    package func process(_ assertion: [String: String]) throws -> MappedIdentity {
        try process(
            values: assertion.mapValues { text in
                text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
            })
    }

    /// The same, of attributes whose values are known apart.
    package func process(values: [String: [String]]) throws -> MappedIdentity {
        var parts: [JSON] = []
        for rule in rules {
            guard let matches = try Self.matches(rule.remote, values) else { continue }
            parts += try rule.local.map { try filled($0, matches) }
        }
        guard !parts.isEmpty else {
            throw CloudError.badRequest(
                "Could not map any federated user properties to identity values. Check debug logs or the mapping used "
                    + "for additional details.")
        }
        return try identity(parts)
    }

    // MARK: Conditions

    /// The values of each attribute that goes into the local part; nil when a condition does not hold.
    private static func matches(_ requirements: [Requirement], _ assertion: [String: [String]]) throws -> [[String]]? {
        var matches: [[String]] = []
        for requirement in requirements {
            guard let values = assertion[requirement.attribute] else { return nil }
            switch requirement.check {
            case .present: matches.append(values)
            case .anyOneOf(let wanted):
                guard try !matching(values, wanted, requirement.isRegex).isEmpty else { return nil }
            case .notAnyOf(let unwanted):
                guard try matching(values, unwanted, requirement.isRegex).isEmpty else { return nil }
            case .blacklist(let unwanted):
                let found = Set(try matching(values, unwanted, requirement.isRegex))
                matches.append(values.filter { !found.contains($0) })
            case .whitelist(let wanted): matches.append(try matching(values, wanted, requirement.isRegex))
            }
        }
        return matches
    }

    private static func matching(_ values: [String], _ wanted: [String], _ isRegex: Bool) throws -> [String] {
        guard isRegex else { return values.filter(wanted.contains) }
        let patterns = try wanted.map { try TextPattern($0, .anywhere).compiled() }
        return try values.filter { value in try patterns.contains { try $0.matches(value) } }
    }

    // MARK: Filling in

    private func filled(_ json: JSON, _ matches: [[String]]) throws -> JSON {
        switch json {
        case .object(let fields): .object(try fields.mapValues { try filled($0, matches) })
        case .array(let elements): .array(try elements.map { try filled($0, matches) })
        case .string(let text): .string(try filled(text, matches))
        default: json
        }
    }

    /// `{0}` becomes the first attribute's value, `{{` a brace (Python: `str.format`).
    private func filled(_ text: String, _ matches: [[String]]) throws -> String {
        var result = ""
        var rest = text[...]
        while let character = rest.popFirst() {
            guard character == "{" || character == "}" else {
                result.append(character)
                continue
            }
            if rest.first == character {
                result.append(character)
                rest = rest.dropFirst()
                continue
            }
            guard character == "{", let close = rest.firstIndex(of: "}"), let index = Int(rest[..<close]),
                matches.indices.contains(index)
            else {
                throw CloudError.badRequest(
                    "Local section in mapping \(id) refers to a remote match that doesn't exist (e.g. {0} in a local "
                        + "section).")
            }
            result += matches[index].count == 1 ? matches[index][0] : TextList.text(matches[index])
            rest = rest[rest.index(after: close)...]
        }
        return result
    }

    // MARK: Gathering

    private func identity(_ parts: [JSON]) throws -> MappedIdentity {
        var identity = MappedIdentity()
        var hasUser = false
        for part in parts {
            if let user = part["user"], !hasUser {
                hasUser = true
                identity.userID = user["id"]?.string
                identity.userName = user["name"]?.string
                identity.email = user["email"]?.string
                identity.userDomain = user["domain"].map(Self.domain)
                identity.isLocal = user["type"]?.string == "local"
            }
            if let group = part["group"] {
                if let id = group["id"]?.string {
                    identity.groupIDs.append(id)
                } else if let name = group["name"]?.string, let domain = group["domain"] {
                    identity.groupNames.append(.init(name: name, domain: Self.domain(domain)))
                }
            }
            if let names = part["groups"]?.string {
                guard let domain = part["domain"] else {
                    throw CloudError.badRequest(
                        "Invalid rule: \(part.text().prefix(255)). Both 'groups' and 'domain' keywords must be "
                            + "specified.")
                }
                identity.groupNames += TextList.read(names).map { .init(name: $0, domain: Self.domain(domain)) }
            }
            if let ids = part["group_ids"]?.string { identity.groupIDs += TextList.read(ids) }
            if let projects = part["projects"]?.array { identity.projects = self.projects(projects, part["domain"]) }
        }
        if version == .second, identity.userDomain == nil {
            identity.userDomain = parts.last?["domain"].map(Self.domain)
        }
        identity.groupIDs = Self.unique(identity.groupIDs)
        identity.groupNames = Self.unique(identity.groupNames)
        return identity
    }

    private func projects(_ projects: [JSON], _ domain: JSON?) -> [JSON] {
        guard version == .second, let domain else { return projects }
        return projects.map { project in
            guard case .object(var fields) = project, fields["domain"] == nil else { return project }
            fields["domain"] = domain
            return .object(fields)
        }
    }

    private static func domain(_ json: JSON) -> MappedIdentity.Domain {
        MappedIdentity.Domain(id: json["id"]?.string, name: json["name"]?.string)
    }

    private static func unique<Element: Hashable>(_ elements: [Element]) -> [Element] {
        var seen = Set<Element>()
        return elements.filter { seen.insert($0).inserted }
    }
}

/// Several values in one text, as upstream's rules pass them on: `['a', 'b']`.
enum TextList {
    static func text(_ values: [String]) -> String {
        let quoted = values.map { value in
            var text = ""
            for character in value {
                if character == "'" || character == "\\" { text.append("\\") }
                text.append(character)
            }
            return "'\(text)'"
        }
        return "[" + quoted.joined(separator: ", ") + "]"
    }

    /// A text that is no such list is one value.
    static func read(_ text: String) -> [String] {
        guard text.first == "[", text.last == "]" else { return [text] }
        var values: [String] = []
        var rest = text.dropFirst().dropLast()
        while true {
            rest = rest.drop { $0 == " " }
            guard let quote = rest.popFirst() else { return values }
            guard quote == "'" || quote == "\"" else { return [text] }
            var value = ""
            while let character = rest.popFirst(), character != quote {
                value.append(character == "\\" ? rest.popFirst() ?? character : character)
            }
            values.append(value)
            rest = rest.drop { $0 == " " }
            guard let comma = rest.popFirst() else { return values }
            guard comma == "," else { return [text] }
        }
    }
}

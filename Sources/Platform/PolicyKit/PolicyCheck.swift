// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The name of a rule, as upstream names it: `os_compute_api:servers:create`, `create_network`.
package struct PolicyName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    package let rawValue: String
    package init(_ rawValue: String) { self.rawValue = rawValue }
    package init(stringLiteral value: String) { rawValue = value }
    package var description: String { rawValue }
}

/// A rule's default: name, check string, and a sentence for the reference.
package struct PolicyRule: Sendable {
    package let name: PolicyName
    package let check: String
    package let help: String
    /// What a token must be of for the rule to let anybody in. An operator's check does not change it.
    package private(set) var scopes: Set<TokenScope>

    package init(
        _ name: PolicyName, _ check: String, _ help: String = "", scopes: Set<TokenScope> = Set(TokenScope.allCases)
    ) {
        self.name = name
        self.check = check
        self.help = help
        self.scopes = scopes
    }

    package func needing(_ scopes: Set<TokenScope>) -> PolicyRule {
        var rule = self
        rule.scopes = scopes
        return rule
    }
}

extension [PolicyRule] {
    /// The same rules for tokens of these scopes alone.
    package func needing(_ scopes: TokenScope...) -> [PolicyRule] { map { $0.needing(Set(scopes)) } }
}

/// What a token gives rights in (oslo.policy: `scope_types`). A token of nothing counts as a project's.
package enum TokenScope: String, Sendable, CaseIterable {
    case system, domain, project

    init(_ principal: Principal) {
        switch principal.scope {
        case .system: self = .system
        case .domain: self = .domain
        case .project, .unscoped: self = .project
        }
    }
}

/// What is acted on, as the rules see it: `project_id`, `user_id`, `network:tenant_id`, …
package struct PolicyTarget: Sendable, ExpressibleByDictionaryLiteral {
    package var attributes: [String: String]

    package init(_ attributes: [String: String] = [:]) { self.attributes = attributes }
    package init(dictionaryLiteral elements: (String, String)...) {
        attributes = Dictionary(elements, uniquingKeysWith: { _, last in last })
    }
    package init(project: ProjectID?) {
        attributes = project.map { ["project_id": $0.rawValue, "tenant_id": $0.rawValue] } ?? [:]
    }
    package init(project: ProjectID?, user: UserID) {
        self.init(project: project)
        attributes["user_id"] = user.rawValue
    }

    package subscript(name: String) -> String? {
        get { attributes[name] }
        set { attributes[name] = newValue }
    }
}

/// A parsed check string in oslo.policy's language.
indirect enum PolicyCheck: Sendable, Equatable {
    case always
    case never
    case not(PolicyCheck)
    case all([PolicyCheck])
    case any([PolicyCheck])
    case role(String)
    case rule(PolicyName)
    /// `left:right`, either side a literal, a credential attribute or `%(target)s`.
    case match(left: String, right: String)
}

package struct PolicySyntaxError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// oslo.policy's grammar: `@`, `!`, `not`, `and`, `or`, parentheses, `kind:match` (oslo.policy: `_parser.py`).
struct PolicyParser {
    private var tokens: [String]
    private var position = 0

    static func parse(_ text: String) throws -> PolicyCheck {
        var parser = PolicyParser(tokens: tokenize(text))
        guard !parser.tokens.isEmpty else { return .always }
        let check = try parser.disjunction()
        guard parser.position == parser.tokens.count else {
            throw PolicySyntaxError(description: "unexpected '\(parser.tokens[parser.position])' in '\(text)'")
        }
        return check
    }

    private init(tokens: [String]) { self.tokens = tokens }

    /// Parentheses stand alone unless they belong to `%(name)s`.
    private static func tokenize(_ text: String) -> [String] {
        var tokens: [String] = []
        for word in text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }) {
            var rest = word
            while rest.first == "(" {
                tokens.append("(")
                rest = rest.dropFirst()
            }
            var closing = 0
            while rest.last == ")" {
                closing += 1
                rest = rest.dropLast()
            }
            if !rest.isEmpty { tokens.append(String(rest)) }
            for _ in 0..<closing { tokens.append(")") }
        }
        return tokens
    }

    private mutating func take(_ word: String) -> Bool {
        guard position < tokens.count, tokens[position].lowercased() == word else { return false }
        position += 1
        return true
    }

    private mutating func disjunction() throws -> PolicyCheck {
        var checks = [try conjunction()]
        while take("or") { checks.append(try conjunction()) }
        return checks.count == 1 ? checks[0] : .any(checks)
    }

    private mutating func conjunction() throws -> PolicyCheck {
        var checks = [try negation()]
        while take("and") { checks.append(try negation()) }
        return checks.count == 1 ? checks[0] : .all(checks)
    }

    private mutating func negation() throws -> PolicyCheck {
        if take("not") { return .not(try negation()) }
        if take("(") {
            let check = try disjunction()
            guard take(")") else { throw PolicySyntaxError(description: "a ')' is missing") }
            return check
        }
        guard position < tokens.count else { throw PolicySyntaxError(description: "the rule ends too early") }
        let token = tokens[position]
        position += 1
        return try Self.atom(token)
    }

    private static func atom(_ token: String) throws -> PolicyCheck {
        if token == "@" { return .always }
        if token == "!" { return .never }
        // The left side may be a quoted literal that holds a colon.
        var inQuotes = false
        guard
            let colon = token.indices.first(where: { index in
                if token[index] == "'" { inQuotes.toggle() }
                return token[index] == ":" && !inQuotes
            })
        else { throw PolicySyntaxError(description: "'\(token)' is not kind:match") }
        let (left, right) = (String(token[..<colon]), String(token[token.index(after: colon)...]))
        switch left {
        case "role": return .role(right.lowercased())
        case "rule": return .rule(PolicyName(right))
        default: return .match(left: left, right: right)
        }
    }
}

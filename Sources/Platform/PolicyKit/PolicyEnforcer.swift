// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// All rules of a service, defaults overlaid by the operator's. Immutable once made, so checks take no lock.
package struct PolicyEnforcer: Sendable {
    private let checks: [PolicyName: PolicyCheck]
    /// Of rules that some tokens have nothing to do with.
    private let scopes: [PolicyName: Set<TokenScope>]
    /// For the reference: every rule with the check that is in force.
    package let rules: [PolicyRule]

    /// `overrides` is the operator's `policy.yaml`. Throws `PolicySyntaxError`, which names the rule, on a syntax error
    /// and on a rule that refers to none.
    package init(_ defaults: [PolicyRule], overrides: [String: String] = [:]) throws {
        var checks: [PolicyName: PolicyCheck] = [:]
        for rule in defaults {
            checks[rule.name] = try Self.parse(overrides[rule.name.rawValue] ?? rule.check, rule.name)
        }
        for (name, text) in overrides.sorted(by: { $0.key < $1.key }) where checks[PolicyName(name)] == nil {
            checks[PolicyName(name)] = try Self.parse(text, PolicyName(name))
        }
        self.checks = checks
        let narrow = defaults.filter { $0.scopes.count < TokenScope.allCases.count }
        scopes = Dictionary(narrow.map { ($0.name, $0.scopes) }, uniquingKeysWith: { $1 })
        rules = defaults.map {
            PolicyRule($0.name, overrides[$0.name.rawValue] ?? $0.check, $0.help, scopes: $0.scopes)
        }
        for (name, check) in checks.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            try Self.verify(check, of: name, in: checks, path: [name])
        }
    }

    private static func parse(_ text: String, _ name: PolicyName) throws -> PolicyCheck {
        do {
            return try PolicyParser.parse(text)
        } catch let error as PolicySyntaxError {
            throw PolicySyntaxError(description: "rule '\(name)': \(error.description)")
        }
    }

    package func knows(_ name: PolicyName) -> Bool { checks[name] != nil }

    /// An unknown rule refuses everybody. Scopes are those of the rule that is asked for; the ones that it refers to
    /// are checks alone (oslo.policy: `Enforcer.enforce`).
    package func allows(_ name: PolicyName, _ principal: Principal, _ target: PolicyTarget) -> Bool {
        guard scopes[name]?.contains(TokenScope(principal)) ?? true else { return false }
        return checks[name].map { evaluate($0, principal, target) } ?? false
    }

    func countsAsAdmin(_ principal: Principal) -> Bool {
        let rule: PolicyName = "context_is_admin"
        return knows(rule) ? allows(rule, principal, [:]) : principal.hasRole("admin")
    }

    private func evaluate(_ check: PolicyCheck, _ principal: Principal, _ target: PolicyTarget) -> Bool {
        switch check {
        case .always: true
        case .never: false
        case .not(let inner): !evaluate(inner, principal, target)
        case .all(let inner): inner.allSatisfy { evaluate($0, principal, target) }
        case .any(let inner): inner.contains { evaluate($0, principal, target) }
        case .role(let name): principal.roles.contains { $0.name.lowercased() == name }
        case .rule(let name): checks[name].map { evaluate($0, principal, target) } ?? false
        case .match("field", let field): Self.fieldMatches(field, target)
        case .match(let left, let right): matches(left, right, principal, target)
        }
    }

    /// neutron's `field:networks:shared=True`, and `field:port:device_owner=~^network:` for what an attribute begins with.
    private static func fieldMatches(_ text: String, _ target: PolicyTarget) -> Bool {
        guard let colon = text.firstIndex(of: ":"), let equals = text.firstIndex(of: "="), colon < equals,
            let value = target[String(text[text.index(after: colon)..<equals])]
        else { return false }
        let wanted = text[text.index(after: equals)...]
        return wanted.hasPrefix("~^") ? value.hasPrefix(wanted.dropFirst(2)) : value == wanted
    }

    /// Both sides must exist; a missing attribute never equals a missing attribute.
    private func matches(_ left: String, _ right: String, _ principal: Principal, _ target: PolicyTarget) -> Bool {
        let wanted: String
        if right.hasPrefix("%("), right.hasSuffix(")s") {
            guard let value = target[String(right.dropFirst(2).dropLast(2))] else { return false }
            wanted = value
        } else {
            wanted = right
        }
        if left.hasPrefix("'"), left.hasSuffix("'"), left.count >= 2 {
            return String(left.dropFirst().dropLast()) == wanted
        }
        if left == "True" || left == "False" { return left == wanted }
        guard let value = Self.credential(left, of: principal) else {
            // `domain_id:None`, written out in a rule, asks for a token without one (oslo.policy: GenericCheck).
            return wanted == "None" && (left == "None" || right == "None" && left == "domain_id")
        }
        return value == wanted
    }

    private static func credential(_ name: String, of principal: Principal) -> String? {
        switch name {
        case "user_id": principal.userID.rawValue
        case "project_id", "tenant_id", "tenant": principal.projectID?.rawValue
        case "domain_id": principal.domainID?.rawValue
        case "user_domain_id", "token.user.domain.id": principal.userDomain.id
        case "token.project.domain.id", "project_domain_id":
            if case .project(_, _, let domain) = principal.scope { domain.id } else { nil }
        case "token.domain.id": principal.domainID?.rawValue
        case "system_scope": principal.isSystemScoped ? "all" : nil
        case "is_admin": principal.hasRole("admin") ? "True" : "False"
        case "is_admin_project": "True"
        default: nil
        }
    }

    private static func verify(
        _ check: PolicyCheck, of name: PolicyName, in checks: [PolicyName: PolicyCheck], path: [PolicyName]
    ) throws {
        switch check {
        case .not(let inner): try verify(inner, of: name, in: checks, path: path)
        case .all(let inner), .any(let inner):
            for part in inner { try verify(part, of: name, in: checks, path: path) }
        case .rule(let other):
            guard let next = checks[other] else {
                throw PolicySyntaxError(description: "rule '\(name)' refers to '\(other)', which does not exist")
            }
            guard !path.contains(other) else {
                throw PolicySyntaxError(description: "rule '\(name)' refers to itself through '\(other)'")
            }
            try verify(next, of: other, in: checks, path: path + [other])
        case .always, .never, .role, .match: break
        }
    }
}

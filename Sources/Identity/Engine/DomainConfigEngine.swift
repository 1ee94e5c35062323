// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract
import PolicyKit

/// Options of a domain: `/domains/{id}/config`.
package struct DomainConfigEngine: Sendable {
    /// What of the configuration a call is about: all, a group, or an option in it.
    package struct Part: Sendable {
        package var group: String?
        package var option: String?
        package init(group: String? = nil, option: String? = nil) {
            self.group = group
            self.option = option
        }

        fileprivate var described: String {
            guard let group else { return "any options" }
            return option.map { "option \($0) in group \(group)" } ?? "group \(group)"
        }
    }

    let database: IdentityDatabase
    private let policy: PasswordPolicy
    private let store = DomainConfigStore()
    private let projects = ProjectStore()

    init(database: IdentityDatabase, policy: PasswordPolicy) {
        self.database = database
        self.policy = policy
    }

    // MARK: Read

    /// The configuration, or `{option: value}` for one option.
    package func show(_ part: Part, of domain: DomainID, for context: CallContext) async throws -> JSON {
        if part.group == DomainConfig.securityGroup {
            try context.authorize([:], as: "identity:get_security_compliance_domain_config")
            return try security(part.option, of: domain)
        }
        try context.authorize([:])
        try DomainConfig.check(part.group, part.option)
        let config = try await database.read { tx in
            try check(domain, tx)
            return try store.options(of: domain, withSecrets: false, tx)
        }
        guard let found = config.part(part.group, part.option) else { throw Self.notFound(part, domain) }
        return found
    }

    package func showDefaults(_ part: Part, for context: CallContext) async throws -> JSON {
        try context.authorize([:])
        try DomainConfig.check(part.group, part.option)
        guard let found = DomainConfig.defaults.part(part.group, part.option) else {
            throw DomainConfig.invalid(
                "Reading the default for option \(part.option ?? "") in group \(part.group ?? "") is not supported")
        }
        return found
    }

    /// What users may know of the rules for their passwords.
    private func security(_ option: String?, of domain: DomainID) throws -> JSON {
        guard domain == .default else {
            throw DomainConfig.invalid(
                "Reading security compliance information for any domain other than the default domain is not allowed "
                    + "or supported.")
        }
        let values: [String: JSON] = [
            "password_regex": policy.regex.map { .string($0) } ?? .null,
            "password_regex_description": policy.regexDescription.isEmpty ? .null : .string(policy.regexDescription),
        ]
        guard let option else { return .object([DomainConfig.securityGroup: .object(values)]) }
        guard let value = values[option] else {
            throw DomainConfig.invalid(
                "Reading security compliance values other than password_regex and password_regex_description is not "
                    + "allowed.")
        }
        return .object([option: value])
    }

    // MARK: Write

    /// Replaces all. Returns what may be shown, and whether there was nothing before.
    package func replace(_ config: DomainConfig, of domain: DomainID, for context: CallContext) async throws
        -> (JSON, isNew: Bool)
    {
        try context.authorize([:])
        try config.check()
        return try await database.write("domain config") { tx in
            try check(domain, tx)
            let isNew = try store.options(of: domain, withSecrets: true, tx).groups.isEmpty
            try store.deleteAll(of: domain, tx)
            try store.set(config, of: domain, tx)
            return (try store.options(of: domain, withSecrets: false, tx).json, isNew)
        }
    }

    /// Adds to what there is. A part that is named must be there, and the body names it alone.
    package func update(_ part: Part, of domain: DomainID, _ config: DomainConfig, for context: CallContext)
        async throws
        -> JSON
    {
        try context.authorize([:])
        try config.check()
        try DomainConfig.check(part.group, part.option)
        try config.checkOnly(part.group, part.option)
        return try await database.write("domain config") { tx in
            try check(domain, tx)
            let old = try store.options(of: domain, withSecrets: true, tx)
            if part.group != nil, old.part(part.group, part.option) == nil { throw Self.notFound(part, domain) }
            try store.set(config, of: domain, tx)
            return try store.options(of: domain, withSecrets: false, tx).json
        }
    }

    package func delete(_ part: Part, of domain: DomainID, for context: CallContext) async throws {
        try context.authorize([:])
        try DomainConfig.check(part.group, part.option)
        try await database.write("domain config") { tx in
            try check(domain, tx)
            let old = try store.options(of: domain, withSecrets: true, tx)
            if part.group != nil, old.part(part.group, part.option) == nil { throw Self.notFound(part, domain) }
            try store.delete(of: domain, part.group, part.option, tx)
        }
    }

    // MARK: Parts

    private func check(_ domain: DomainID, _ tx: any Transaction) throws {
        guard try projects.findDomain(domain, tx) != nil else {
            throw IdentityError.notFound("domain", domain.rawValue)
        }
    }

    private static func notFound(_ part: Part, _ domain: DomainID) -> CloudError {
        .notFound("Could not find \(part.described) in domain configuration for domain \(domain).")
    }
}

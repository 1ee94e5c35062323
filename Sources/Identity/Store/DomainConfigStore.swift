// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

struct DomainConfigStore: Sendable {
    /// `withSecrets`: for Identity's own use; nobody is shown those.
    func options(of domain: DomainID, withSecrets: Bool, _ tx: any Transaction) throws -> DomainConfig {
        var config = DomainConfig()
        var sql: SQL = """
            SELECT option_group, option_name, value FROM identity_domain_options WHERE domain_id = \(domain)
            """
        if !withSecrets { sql += "AND sensitive = 0" }
        try tx.forEach(sql) { row in
            config.groups[row.text(0), default: [:]][row.text(1)] = try JSONReader.read(row.text(2))
        }
        return config
    }

    /// The domains whose users are a directory's.
    func directories(_ tx: any Transaction) throws -> [DomainID] {
        try tx.query(
            """
            SELECT domain_id FROM identity_domain_options
             WHERE option_group = 'identity' AND option_name = 'driver' AND value = \(JSON.string("ldap").text())
             ORDER BY domain_id
            """
        ) { $0.id(0) }
    }

    func hasDirectory(_ domain: DomainID, _ tx: any Transaction) throws -> Bool {
        try directories(tx).contains(domain)
    }

    func set(_ config: DomainConfig, of domain: DomainID, _ tx: any Transaction) throws {
        for (group, options) in config.groups {
            for (name, value) in options {
                try tx.execute(
                    """
                    INSERT INTO identity_domain_options (domain_id, option_group, option_name, value, sensitive)
                    VALUES (\(domain), \(group), \(name), \(value.text()), \(DomainConfig.isSensitive(group, name)))
                    ON CONFLICT (domain_id, option_group, option_name) DO UPDATE SET value = excluded.value
                    """)
            }
        }
    }

    /// With nil: every group; every option.
    func delete(of domain: DomainID, _ group: String?, _ name: String?, _ tx: any Transaction) throws {
        var sql: SQL = "DELETE FROM identity_domain_options WHERE domain_id = \(domain)"
        if let group { sql += "AND option_group = \(group)" }
        if let name { sql += "AND option_name = \(name)" }
        try tx.execute(sql)
    }

    func deleteAll(of domain: DomainID, _ tx: any Transaction) throws { try delete(of: domain, nil, nil, tx) }
}

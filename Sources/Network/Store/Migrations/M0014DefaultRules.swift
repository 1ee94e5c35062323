// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Rules that each new security group starts with.
enum M0014DefaultRules {
    /// 2026-01-01.
    private static let seeded = "1767225600000000"

    /// One of the four that a cloud starts with. A group's own members come in as `PARENT`.
    private static func seed(
        _ number: Int, isIngress: Bool, isIPv6: Bool, fingerprint: String
    ) -> String {
        let id = "2f8d5a10-7c0e-4b6f-9d11-00000000000\(number)"
        let (ingress, six, direction) = (isIngress ? 1 : 0, isIPv6 ? 1 : 0, isIngress ? "ingress" : "egress")
        let (peer, isForAll) = (isIngress ? "'PARENT'" : "NULL", isIngress ? 0 : 1)
        return """
            INSERT INTO default_security_group_rules (id, is_ingress, is_ipv6, protocol, port_minimum, port_maximum,
                remote_prefix, remote_group, remote_address_group, fingerprint, description, for_default, for_others,
                created_at)
            VALUES ('\(id)', \(ingress), \(six), NULL, NULL, NULL, NULL, \(peer), NULL, '\(fingerprint)',
                'Legacy default SG rule for \(direction) traffic', 1, \(isForAll), \(seeded))
            """
    }

    static let migration = Migration(
        "network-0014-default-rules",
        [
            """
            CREATE TABLE default_security_group_rules (
                id TEXT PRIMARY KEY, is_ingress BIGINT NOT NULL, is_ipv6 BIGINT NOT NULL, protocol TEXT,
                port_minimum BIGINT, port_maximum BIGINT, remote_prefix TEXT, remote_group TEXT,
                remote_address_group TEXT, fingerprint TEXT NOT NULL, description TEXT NOT NULL,
                for_default BIGINT NOT NULL, for_others BIGINT NOT NULL, created_at BIGINT NOT NULL)
            """,
            "CREATE INDEX default_security_group_rules_fingerprint ON default_security_group_rules (fingerprint)",
            seed(1, isIngress: false, isIPv6: false, fingerprint: "egress_IPv4_+_+_+_+_+"),
            seed(2, isIngress: false, isIPv6: true, fingerprint: "egress_IPv6_+_+_+_+_+"),
            seed(3, isIngress: true, isIPv6: false, fingerprint: "ingress_IPv4_+_+_+_PARENT_+"),
            seed(4, isIngress: true, isIPv6: true, fingerprint: "ingress_IPv6_+_+_+_PARENT_+"),
        ])
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

extension SampleBodies {
    static let mapping: JSON = [
        "schema_version": "1.0",
        "rules": [
            [
                "local": [["user": ["name": "{0}"], "group": ["id": "g"]]],
                "remote": [["type": "Name"], ["type": "Kind", "any_one_of": ["Tester"], "regex": false]],
            ]
        ],
    ]
    static let serviceProvider: JSON = [
        "auth_url": "https://far.test/v3/auth", "sp_url": "https://far.test/saml", "enabled": false,
        "description": "d", "relay_state_prefix": "ss:mem:",
    ]

    /// Of what upstream calls extensions.
    static func identityExtensions(_ estate: Estate, _ bodies: inout [String: JSON]) {
        func sample(_ name: String) -> JSON { .string(estate["/identity {\(name)}"]) }
        let v3 = "/identity/v3"
        bodies["POST \(v3)/OS-TRUST/trusts"] = [
            "trust": [
                "trustor_user_id": sample("user_id"), "trustee_user_id": sample("user_id"),
                "project_id": sample("project_id"), "impersonation": true, "expires_at": "2099-01-01T00:00:00Z",
                "remaining_uses": 3, "allow_redelegation": false, "roles": [["name": "member"]],
            ]
        ]
        bodies["POST \(v3)/OS-OAUTH1/consumers"] = ["consumer": ["description": "d"]]
        bodies["PATCH \(v3)/OS-OAUTH1/consumers/{consumer_id}"] = ["consumer": ["description": "d"]]
        bodies["PUT \(v3)/OS-OAUTH1/authorize/{request_token_id}"] = ["roles": [["name": "member"]]]
        let group: JSON = [
            "name": "new", "description": "d", "filters": ["interface": "public", "region_id": "RegionOne"],
        ]
        bodies["POST \(v3)/OS-EP-FILTER/endpoint_groups"] = ["endpoint_group": group]
        bodies["PATCH \(v3)/OS-EP-FILTER/endpoint_groups/{endpoint_group_id}"] = ["endpoint_group": group]
        bodies["POST \(v3)/policies"] = ["policy": ["type": "application/json", "blob": "{}"]]
        bodies["PATCH \(v3)/policies/{policy_id}"] = ["policy": ["type": "application/json", "blob": "{}"]]
        let config = "\(v3)/domains/{domain_id}/config"
        for site in ["PUT \(config)", "PATCH \(config)", "PATCH \(config)/{group}"] {
            bodies[site] = ["config": ["identity": ["driver": "sql"]]]
        }
        bodies["PATCH \(config)/{group}/{option}"] = ["config": ["driver": "sql"]]
        let federation = "\(v3)/OS-FEDERATION"
        let provider = "\(federation)/identity_providers/{idp_id}"
        for verb in ["PUT", "PATCH"] {
            bodies["\(verb) \(provider)"] = [
                "identity_provider": [
                    "enabled": true, "description": "d", "authorization_ttl": 5, "remote_ids": ["https://acme.test"],
                ]
            ]
            bodies["\(verb) \(provider)/protocols/{protocol_id}"] = [
                "protocol": ["mapping_id": "plain", "remote_id_attribute": "iss"]
            ]
            bodies["\(verb) \(federation)/mappings/{mapping_id}"] = ["mapping": mapping]
            bodies["\(verb) \(federation)/service_providers/{service_provider_id}"] = [
                "service_provider": serviceProvider
            ]
        }
    }
}

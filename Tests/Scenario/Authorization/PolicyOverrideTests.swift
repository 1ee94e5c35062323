// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LinuxKit
import PolicyKit
import TestKit
import Testing

@testable import haneul

/// Goal: what an operator writes changes who may by that rule, for those whom it says, and nothing else.
/// Method: one check in one file; then every rule of every service is asked for every persona, as without the file.
@Suite("An operator's own checks")
struct PolicyOverrideTests {
    struct Override: Sendable, CustomStringConvertible {
        let service: String
        let rule: String
        let check: String
        /// Who gains by it, or loses.
        let persona: Persona
        let isAllowed: Bool

        var description: String { "\(service): \(rule)" }
        /// As a policy file has it.
        var line: String { "\"\(rule)\": \"\(check)\"\n" }
    }

    /// Each names one user, so that one persona alone differs.
    static let overrides: [Override] = {
        let (reader, other) = (Persona.trustee, Persona(place: .other, role: "member"))
        let system = Persona(place: .system, role: "reader")
        func lets(_ persona: Persona, _ check: String) -> String { "\(check) or user_id:\(persona.userID)" }
        func refuses(_ persona: Persona, _ check: String) -> String { "(\(check)) and not user_id:\(persona.userID)" }
        return [
            Override(
                service: "compute", rule: "os_compute_api:os-hypervisors:list",
                check: lets(reader, "rule:context_is_admin"), persona: reader, isAllowed: true),
            Override(
                service: "compute", rule: "os_compute_api:servers:index",
                check: refuses(reader, "rule:project_reader_or_admin"), persona: reader, isAllowed: false),
            Override(
                service: "network", rule: "create_network:shared", check: lets(reader, "rule:admin_only"),
                persona: reader, isAllowed: true),
            Override(
                service: "image", rule: "publicize_image", check: lets(other, "rule:context_is_admin"), persona: other,
                isAllowed: true),
            Override(
                service: "identity", rule: "identity:create_role",
                check: refuses(
                    Persona(place: .system, role: "admin"), "rule:admin_required"),
                persona: Persona(place: .system, role: "admin"), isAllowed: false),
            Override(
                service: "identity", rule: "identity:create_region", check: lets(system, "rule:admin_required"),
                persona: system, isAllowed: true),
            Override(
                service: "block-storage", rule: "volume_extension:services:index",
                check: lets(system, "rule:admin_api"),
                persona: system, isAllowed: true),
            Override(
                service: "placement", rule: "placement:reshaper:reshape", check: lets(other, "rule:service_api"),
                persona: other, isAllowed: true),
            Override(
                service: "object-storage", rule: "object_storage:ring:show", check: lets(reader, "rule:admin_api"),
                persona: reader, isAllowed: true),
        ]
    }()

    @Test("one rule, one persona, and nothing else", arguments: overrides)
    func alone(_ override: Override) async throws {
        let policies = try await Self.policies([override.service: override.line])
        var differences: [String] = []
        for (service, rules) in OperatorPolicies.services {
            let before = try PolicyEnforcer(rules)
            let after = try PolicyEnforcer(rules, overrides: policies[service])
            for rule in rules {
                for persona in Persona.all {
                    let target = PolicyTarget(project: Persona.ownProject, user: Persona.owner.userID)
                    let (old, new) = (
                        before.allows(rule.name, persona.principal, target),
                        after.allows(rule.name, persona.principal, target)
                    )
                    guard old != new else { continue }
                    differences.append("\(service) \(rule.name) \(persona) \(new)")
                }
            }
        }
        #expect(differences == ["\(override.service) \(override.rule) \(override.persona) \(override.isAllowed)"])
    }

    @Test("a check that lets everybody in does not reach beyond the scopes of its rule")
    func scopes() async throws {
        let policies = try await Self.policies(["compute": "\"os_compute_api:servers:index\": \"@\"\n"])
        let rules = try #require(OperatorPolicies.services.first { $0.name == "compute" }).rules
        let enforcer = try PolicyEnforcer(rules, overrides: policies["compute"])
        for persona in Persona.all {
            let isAllowed = enforcer.allows("os_compute_api:servers:index", persona.principal, [:])
            #expect(isAllowed == (persona.hasProject || persona.place == .nowhere), "\(persona)")
        }
    }

    @Test("the files reach the routes of their services")
    func routes() async throws {
        try await withTemporaryDirectory { directory in
            var ground = TestCloud.Ground(directory: directory)
            ground.policies = try await Self.policies([
                "compute": "\"os_compute_api:os-hypervisors:list\": \"role:service\"\n",
                "network": "\"create_network\": \"rule:admin_only or role:service\"\n",
                "identity": "\"identity:list_services\": \"role:service\"\n",
                "image": "\"get_images\": \"role:service\"\n",
                "placement": "\"placement:traits:list\": \"role:service or role:reader\"\n",
                "block-storage": "\"volume:get_all\": \"role:service\"\n",
                "object-storage": "\"object_storage:ring:show\": \"role:service\"\n",
            ])
            try await TestCloud.run(on: ground) { cloud in
                let network: JSON = ["network": ["name": "new"]]
                // Who may by the files: admin, member, service; and what the same may of the rules beside them.
                let table: [(HTTPMethod, String, JSON?, [Bool])] = [
                    (.get, "/compute/v2.1/os-hypervisors", nil, [false, false, true]),
                    (.get, "/compute/v2.1/os-hypervisors/detail", nil, [true, false, false]),
                    (.post, "/network/v2.0/networks", network, [true, false, true]),
                    (.get, "/identity/v3/services", nil, [false, false, true]),
                    (.get, "/identity/v3/endpoints", nil, [true, false, false]),
                    (.get, "/image/v2/images", nil, [false, false, true]),
                    (.get, "/image/v2/metadefs/namespaces", nil, [true, true, false]),
                    (.get, "/placement/traits", nil, [true, true, true]),
                    (.get, "/placement/resource_classes", nil, [true, false, true]),
                    (.get, "/volume/v3/volumes", nil, [false, false, true]),
                    (.get, "/volume/v3/snapshots", nil, [true, true, false]),
                    (.get, "/object-store/ring", nil, [false, false, true]),
                ]
                for (method, path, body, expected) in table {
                    let tokens = [cloud.admin, cloud.a.member, cloud.a.service]
                    for (token, isAllowed) in zip(tokens, expected) {
                        let answer = try await cloud.call(
                            method, path, token, body, headers: ["OpenStack-API-Version": "placement latest"])
                        #expect(
                            (answer.status < 300) == isAllowed && (answer.status == 403) == !isAllowed,
                            "\(path) \(expected): \(answer)")
                    }
                }
            }
        }
    }

    @Test(
        "a file that is wrong stops the start and says where",
        arguments: [
            ("compute", "\"os_compute_api:servers:index\": \"role:reader and\"", "rule 'os_compute_api:servers:index'"),
            (
                "compute", "\"context_is_admin\": \"rule:admin_or_nobody\"",
                "'context_is_admin' refers to 'admin_or_nobody'"
            ),
            ("identity", "\"identity:get_user\": \"role:reader)\"", "rule 'identity:get_user'"),
            ("network", "\n\n\"get_port\": [1]", "line 3: rule 'get_port'"),
            ("block-storage", "\"volume:get\": \"role:reader\"\n\"volume:gets\": \"@\"", "rule 'volume:gets'"),
        ])
    func wrong(_ service: String, _ text: String, _ reason: String) async throws {
        do {
            _ = try await Self.policies([service: text])
            Issue.record("\(text) was taken")
        } catch {
            #expect("\(error)".contains("/\(service).yaml: ") && "\(error)".contains(reason), "\(error)")
        }
    }

    private static func policies(_ files: [String: String]) async throws -> OperatorPolicies {
        try await withTemporaryDirectory { directory in
            for (service, text) in files {
                try FileSystem.writeAtomically("\(directory)/\(service).yaml", text, durably: false)
            }
            return try OperatorPolicies(directory: directory)
        }
    }
}

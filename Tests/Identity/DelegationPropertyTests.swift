// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: the rights of an application credential, a trust and an OAuth access token are never more than their maker's,
/// neither when they were made nor now.
/// Method: random changes of grants and of what roles imply; after each one every delegation is asked for a token,
/// whose roles are compared with the maker's own then and now. Tokens that were issued before are compared, too.
@Suite("Delegations never exceed their maker")
struct DelegationPropertyTests {
    private struct Delegation {
        let name: String
        /// The maker's roles when it was made.
        let then: Set<String>
        /// Nil: it gives none now.
        let login: () async throws -> IdentityWorld.Answer?
        var tokens: [String] = []
    }

    @Test("in random histories", arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func histories(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let world = try await IdentityWorld()
        let dance = try await OAuthTests.Dance(world)
        let admin = try await world.userID("admin")
        let bob = try await world.makeUser("bob")
        let names = ["r0", "r1", "r2", "r3", "r4"]
        var ids: [String: String] = [:]
        for name in names { ids[name] = try await world.make("roles", "role", ["name": .string(name)]) }
        let target = "projects/\(dance.project)"
        var delegations: [Delegation] = []

        for step in 0..<40 {
            let role = try #require(names.randomElement(using: &random))
            let path = "/v3/\(target)/users/\(admin)/roles/\(ids[role] ?? "")"
            switch Int.random(in: 0..<9, using: &random) {
            case 0, 1, 2: try await world.call(.put, path, try await world.adminToken())
            case 3: try await world.call(.delete, path, try await world.adminToken())
            case 4, 5:
                let other = try #require(names.randomElement(using: &random))
                let implication = "/v3/roles/\(ids[role] ?? "")/implies/\(ids[other] ?? "")"
                let adds = Bool.random(using: &random)
                try await world.call(adds ? .put : .delete, implication, try await world.adminToken())
            default:
                let own = try await roles(of: "admin", world, dance.project)
                let kind = Int.random(in: 0..<3, using: &random)
                if let made = try await make(kind, "\(step)", role, own, world, dance, bob: bob, maker: admin) {
                    delegations.append(made)
                }
            }
            let now = try await roles(of: "admin", world, dance.project)
            for index in delegations.indices {
                if let answer = try await delegations[index].login() {
                    check(answer, delegations[index], now)
                    if let token = answer.headers["X-Subject-Token"] { delegations[index].tokens.append(token) }
                }
                for token in delegations[index].tokens.suffix(3) {
                    let answer = try await world.call(
                        .get, "/v3/auth/tokens", try await world.adminToken(), headers: ["X-Subject-Token": token])
                    if answer.status == 200 { check(answer, delegations[index], now) }
                }
            }
        }
        #expect(!delegations.isEmpty)
    }

    private func check(_ answer: IdentityWorld.Answer, _ delegation: Delegation, _ now: Set<String>) {
        let roles = Set(answer["token", "roles"]?.strings("name") ?? [])
        #expect(!roles.isEmpty)
        #expect(roles.isSubset(of: delegation.then), "\(delegation.name) has more than its maker had")
        #expect(roles.isSubset(of: now), "\(delegation.name) has more than its maker has")
    }

    private func roles(of user: String, _ world: IdentityWorld, _ project: String) async throws -> Set<String> {
        let answer = try await world.login(
            user, IdentityWorld.adminPassword, scope: ["project": ["id": .string(project)]])
        return Set(answer["token", "roles"]?.strings("name") ?? [])
    }

    private func make(
        _ kind: Int, _ name: String, _ role: String, _ own: Set<String>, _ world: IdentityWorld,
        _ dance: OAuthTests.Dance, bob: String, maker: String
    ) async throws -> Delegation? {
        let token = try await world.adminToken()
        switch kind {
        case 0:
            let made = try await world.call(
                .post, "/v3/users/\(maker)/application_credentials", token,
                ["application_credential": ["name": .string(name), "roles": [["name": .string(role)]]]])
            guard made.status == 201 else { return nil }
            return Delegation(name: "application credential \(name)", then: own) {
                let answer = try await world.call(
                    .post, "/v3/auth/tokens", nil,
                    [
                        "auth": [
                            "identity": [
                                "methods": ["application_credential"],
                                "application_credential": [
                                    "id": made["application_credential", "id"] ?? nil,
                                    "secret": made["application_credential", "secret"] ?? nil,
                                ],
                            ]
                        ]
                    ])
                return answer.status == 201 ? answer : nil
            }
        case 1:
            let made = try await world.call(
                .post, "/v3/OS-TRUST/trusts", token,
                [
                    "trust": [
                        "trustor_user_id": .string(maker), "trustee_user_id": .string(bob), "impersonation": true,
                        "project_id": .string(dance.project), "roles": [["name": .string(role)]],
                    ]
                ])
            guard made.status == 201, let id = made["trust", "id"] else { return nil }
            return Delegation(name: "trust \(name)", then: own) {
                let answer = try await world.call(
                    .post, "/v3/auth/tokens", nil,
                    [
                        "auth": [
                            "identity": [
                                "methods": ["password"],
                                "password": ["user": ["id": .string(bob), "password": "pw-bob"]],
                            ], "scope": ["OS-TRUST:trust": ["id": id]],
                        ]
                    ])
                return answer.status == 201 ? answer : nil
            }
        default:
            guard own.contains(role) else { return nil }
            let access = try await dance.access([role])
            return Delegation(name: "access token \(name)", then: own) {
                let answer = try await world.call(
                    .post, "/v3/auth/tokens", nil, ["auth": ["identity": ["methods": ["oauth1"], "oauth1": [:]]]],
                    headers: ["Authorization": dance.header("/v3/auth/tokens", token: access)])
                return answer.status == 201 ? answer : nil
            }
        }
    }
}

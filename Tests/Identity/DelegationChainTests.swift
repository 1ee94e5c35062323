// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

/// Goal: whatever is handed on, and handed on from there, is never more than what its maker had when it was made, than
/// what the first giver has now, or than what it is tied to has now; it is for the same project; and nobody who holds
/// it reads a secret that gives more.
/// Method: random histories of a user, of two trustees and of everything that they can make of each other's tokens:
/// application credentials with and without access rules, access keys, trusts of both kinds, OAuth access tokens.
/// Roles come and go, users, projects and domains are disabled, delegations are deleted. After each step every
/// delegation is asked for a token, and tokens from before are asked whether they are any.
@Suite("Delegations of delegations")
struct DelegationChainTests {
    private static let steps = 36
    private static let maximumHolders = 12

    /// The seed is the argument: it is in the name of a case that fails, and gives the same history again.
    @Test("random histories", arguments: Array(1...8) as [UInt64])
    func histories(seed: UInt64) async throws {
        var random = SeededRandom(seed)
        let scene = try await DelegationScene()
        var holders: [DelegationScene.Holder] = []
        for step in 0..<Self.steps {
            scene.world.clock.advance(by: .seconds(1))
            let done: String
            if holders.count < Self.maximumHolders, Int.random(in: 0..<5, using: &random) < 3 {
                done = try await make(&holders, scene, "\(step)", &random)
            } else {
                done = try await disturb(&holders, scene, &random)
            }
            try await check(&holders, scene, "seed \(seed), step \(step): \(done)")
        }
        #expect(!holders.isEmpty, "seed \(seed)")
    }

    @Test("each chain that can be made, and what cannot be", arguments: DelegationScene.Kind.allCases)
    func chains(first: DelegationScene.Kind) async throws {
        let possible: [DelegationScene.Kind: Set<DelegationScene.Kind>] = [
            .applicationCredential: [.applicationCredential, .accessKey],
            .trust: [.trust],
        ]
        let scene = try await DelegationScene()
        // Who authorizes an OAuth token is an administrator.
        try await scene.grant("admin", on: scene.projects[0], .put)
        func wish(_ name: String, _ role: String, isNarrow: Bool) -> DelegationScene.Wish {
            DelegationScene.Wish(
                name: name, role: role, project: scene.projects[0], flag: true, isNarrow: isNarrow, trustee: "bob")
        }
        let ann = try #require(try await scene.ann(scene.projects[0]))
        let token = try #require(ann.headers["X-Subject-Token"])
        let admin = wish("first", "admin", isNarrow: first == .trust)
        let source = try #require(try await scene.make(first, admin, as: ann, token))
        var holders = [source]
        for kind in DelegationScene.Kind.allCases {
            let answer = try #require(try await source.login())
            let token = try #require(answer.headers["X-Subject-Token"])
            let made = try await scene.make(kind, wish("\(kind)", "member", isNarrow: false), as: answer, token)
            #expect((made != nil) == (possible[first]?.contains(kind) ?? false), "\(kind) of \(first)")
            guard var made else { continue }
            made.maker = 0
            if kind == .trust || first == .applicationCredential && kind == .accessKey { made.ties = [0] }
            #expect(try await made.login() != nil, "\(kind) of \(first)")
            holders.append(made)
        }
        try await check(&holders, scene, "made")
        for role in ["admin", "member"] { try await scene.grant(role, on: scene.projects[0], .delete) }
        try await check(&holders, scene, "ann lost her roles")
        try await scene.grant("admin", on: scene.projects[0], .put)
        try await check(&holders, scene, "ann got them back")
        try await source.remove()
        holders[0].isGone = true
        try await check(&holders, scene, "the first is deleted")
        for place in scene.places {
            try await scene.enable(place, false)
            try await check(&holders, scene, "\(place.path) is disabled")
            try await scene.enable(place, true)
        }
    }

    // MARK: Steps

    private func make(
        _ holders: inout [DelegationScene.Holder], _ scene: DelegationScene, _ name: String,
        _ random: inout SeededRandom
    ) async throws -> String {
        let maker = Bool.random(using: &random) ? nil : holders.indices.randomElement(using: &random)
        let project = scene.projects[Int.random(in: 0..<4, using: &random) == 0 ? 1 : 0]
        let login = maker.map { holders[$0].login } ?? { try await scene.ann(project) }
        guard let answer = try await login(), let token = answer.headers["X-Subject-Token"] else { return "nothing" }
        let wish = DelegationScene.Wish(
            name: name, role: try #require(DelegationScene.roles.randomElement(using: &random)),
            project: project, flag: Bool.random(using: &random), isNarrow: Bool.random(using: &random),
            trustee: Bool.random(using: &random) ? "bob" : "carol")
        let kind = try #require(DelegationScene.Kind.allCases.randomElement(using: &random))
        let what = "\(kind) of \(maker.map { holders[$0].description } ?? "ann")"
        guard var made = try await scene.make(kind, wish, as: answer, token) else { return "no \(what)" }
        made.maker = maker
        if let maker {
            let source = holders[maker]
            switch (kind, source.kind) {
            case (.trust, .trust), (.accessKey, .applicationCredential): made.ties = source.ties + [maker]
            default: break
            }
            made.mustHaveRules = source.mustHaveRules || made.mustHaveRules
        }
        holders.append(made)
        return what
    }

    private func disturb(
        _ holders: inout [DelegationScene.Holder], _ scene: DelegationScene, _ random: inout SeededRandom
    ) async throws -> String {
        let role = try #require(DelegationScene.roles.randomElement(using: &random))
        let project = try #require(scene.projects.randomElement(using: &random))
        switch Int.random(in: 0..<9, using: &random) {
        case 0, 1, 2:
            try await scene.grant(role, on: project, .put)
            return "ann gets \(role)"
        case 3, 4:
            try await scene.grant(role, on: project, .delete)
            return "ann loses \(role)"
        case 5:
            let other = try #require(DelegationScene.plainRoles.randomElement(using: &random))
            let adds = Bool.random(using: &random)
            try await scene.imply(role, other, adds ? .put : .delete)
            return "\(role) \(adds ? "implies" : "does not imply") \(other)"
        case 6, 7:
            let place = try #require(scene.places.randomElement(using: &random))
            let enabled = Int.random(in: 0..<3, using: &random) > 0
            for place in enabled ? scene.places : [place] { try await scene.enable(place, enabled) }
            return enabled ? "everything is enabled" : "\(place.path) is disabled"
        default:
            guard let index = holders.indices.randomElement(using: &random) else { return "nothing" }
            try await holders[index].remove()
            holders[index].isGone = true
            return "\(holders[index]) is deleted"
        }
    }

    // MARK: Checks

    private func check(
        _ holders: inout [DelegationScene.Holder], _ scene: DelegationScene, _ when: String
    ) async throws {
        var current: [String: Set<String>] = [:]
        for project in scene.projects { current[project] = try await scene.ann(project).map(Self.roles) ?? [] }
        // What each gives now; nothing when it gives no token.
        var given: [Set<String>] = []
        for index in holders.indices {
            let holder = holders[index]
            var bound = holder.limit.intersection(current[holder.project] ?? [])
            for tie in holder.ties { bound.formIntersection(holders[tie].isGone ? [] : given[tie]) }
            if holder.isGone { bound = [] }

            var answers: [IdentityWorld.Answer] = []
            let fresh = try await holder.login()
            if let fresh { answers.append(fresh) }
            for token in holders[index].tokens {
                if let known = try await scene.validate(token) { answers.append(known) }
            }
            for answer in answers {
                let roles = Self.roles(answer)
                #expect(
                    !roles.isEmpty && roles.isSubset(of: bound),
                    "\(when): \(holder) has \(roles.sorted()), and at most should have \(bound.sorted())")
                #expect(answer["token", "project", "id"]?.string == holder.project, "\(when): \(holder)")
                #expect(answer["token", "system"] == nil && answer["token", "domain"] == nil, "\(when): \(holder)")
                let rules = answer["token", "application_credential", "access_rules"]?.array ?? []
                #expect(!holder.mustHaveRules || !rules.isEmpty, "\(when): \(holder) is bound by no access rule")
            }
            given.append(fresh.map(Self.roles) ?? [])
            guard let fresh, let token = fresh.headers["X-Subject-Token"] else { continue }
            holders[index].tokens = [token] + holders[index].tokens.prefix(1)
            try await checkSecrets(of: token, fresh, scene, "\(when): \(holder)")
        }
    }

    /// Every access key that can be read with a token gives no more than the token.
    private func checkSecrets(
        of token: String, _ answer: IdentityWorld.Answer, _ scene: DelegationScene, _ who: String
    ) async throws {
        let roles = Self.roles(answer)
        let keys = "/v3/users/\(answer["token", "user", "id"]?.string ?? "")/credentials/OS-EC2"
        for path in [keys, "/v3/credentials"] {
            let listed = try await scene.world.call(.get, path, token)["credentials"]?.array ?? []
            for credential in listed {
                let blob = credential["blob"]?.string.flatMap { try? JSONReader.read(Array($0.utf8)) }  // nil: no key
                guard let access = (credential["access"] ?? blob?["access"])?.string else { continue }
                guard let key = try await scene.world.engine.ec2Secret(accessKey: access) else { continue }
                #expect(
                    Set(key.principal.roles.map(\.name)).isSubset(of: roles)
                        && key.principal.projectID?.rawValue == answer["token", "project", "id"]?.string,
                    "\(who) reads a key that has more")
            }
        }
    }

    private static func roles(_ answer: IdentityWorld.Answer) -> Set<String> {
        Set(answer["token", "roles"]?.strings("name") ?? [])
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// An estate in which the path of a domain names A's own, and a token for each persona.
struct MatrixGround: Sendable {
    private static let v3 = "/identity/v3"
    /// A's and B's.
    private static let home = "default"

    private(set) var estate: Estate
    private(set) var tokens: [(Persona, String)] = []

    init(_ cloud: TestCloud) async throws {
        estate = try await Estate(cloud)
        try await nameHomeDomain(cloud)
        try await makeProjectsOwn(cloud)
        let elsewhere = try await cloud.make(
            "\(Self.v3)/domains", "domain", ["name": "elsewhere"], cloud.admin)
        for persona in Persona.all {
            tokens.append((persona, try await Self.token(of: persona, cloud, elsewhere: elsewhere)))
        }
    }

    /// The estate's domain is another than that of its projects and users.
    private mutating func nameHomeDomain(_ cloud: TestCloud) async throws {
        estate.samples["/identity {domain_id}"] = Self.home
        let role = estate["/identity {role_id}"]
        for actor in ["users/\(cloud.a.memberID)", "groups/\(estate["/identity {group_id}"])"] {
            let grant = "domains/\(Self.home)/\(actor)/roles/\(role)"
            try await cloud.call(.put, "\(Self.v3)/\(grant)", cloud.system, expecting: 204)
            try await cloud.call(
                .put, "\(Self.v3)/OS-INHERIT/\(grant)/inherited_to_projects", cloud.system, expecting: 204)
        }
        try await cloud.call(
            .put, "\(Self.v3)/domains/\(Self.home)/config", cloud.admin, ["config": ["identity": ["driver": "sql"]]],
            expecting: 201)
    }

    /// What the estate has for every project, or not at all.
    private mutating func makeProjectsOwn(_ cloud: TestCloud) async throws {
        let v2 = "/network/v2.0"
        estate.samples["\(v2)/security-groups-default-statefulness/{id}"] = try await cloud.make(
            "\(v2)/security-groups-default-statefulness", "security_groups_default_statefulness",
            ["stateful": true, "project_id": .string(cloud.a.project)], cloud.admin)
        try await cloud.call(
            .put, "\(v2)/quotas/\(cloud.a.project)", cloud.admin, ["quota": ["network": 100]], expecting: 200)
    }

    private static func token(of persona: Persona, _ cloud: TestCloud, elsewhere: String) async throws -> String {
        // The owner is A's member, whom A's reader is trusted by, and no other than them.
        switch persona {
        case Persona.owner: return cloud.a.member
        case Persona.trustee: return cloud.a.reader
        default: break
        }
        let (target, scope): (String, JSON) =
            switch persona.place {
            case .own: ("projects/\(cloud.a.project)", ["project": ["id": .string(cloud.a.project)]])
            case .other: ("projects/\(cloud.b.project)", ["project": ["id": .string(cloud.b.project)]])
            case .domain: ("domains/\(home)", ["domain": ["id": .string(home)]])
            case .otherDomain: ("domains/\(elsewhere)", ["domain": ["id": .string(elsewhere)]])
            case .system: ("system", ["system": ["all": true]])
            case .nowhere: ("", .null)
            }
        if persona.place == .nowhere { return cloud.a.roleless }
        let name = "matrix-\(persona.place)-\(persona.role)"
        let user = try await cloud.user(name, role: nil, on: cloud.a.project)
        let role = try await cloud.role(named: persona.role)
        try await cloud.call(.put, "\(v3)/\(target)/users/\(user)/roles/\(role)", cloud.admin, expecting: 204)
        return try await cloud.login(name, "pw", scope: scope)
    }

    /// Actions that the other samples leave out, because they would end what they are about (here nothing lasts), or
    /// ask with a host, which only administrators may name.
    func actions(of site: APISite) -> [JSON?] {
        switch site.description {
        case "POST /compute/v2.1/servers/{server_id}/action":
            [
                ["unlock": nil], ["pause": nil], ["unpause": nil], ["suspend": nil], ["resume": nil],
                ["reboot": ["type": "SOFT"]], ["os-start": nil], ["os-stop": nil], ["rescue": nil], ["unrescue": nil],
                ["shelve": nil], ["shelveOffload": nil], ["unshelve": nil], ["forceDelete": nil], ["restore": nil],
                ["confirmResize": nil], ["revertResize": nil], ["trigger_crash_dump": nil],
                ["changePassword": ["adminPass": "pw"]], ["os-getConsoleOutput": ["length": 1]],
                ["createBackup": ["name": "new", "backup_type": "daily", "rotation": 1]],
                ["addSecurityGroup": ["name": "alpha-group"]], ["removeSecurityGroup": ["name": "alpha-group"]],
                ["os-resetState": ["state": "active"]],
                ["migrate": nil], ["os-migrateLive": ["host": nil, "block_migration": "auto"]],
            ]
        case "POST /compute/v2.1/flavors/{flavor_id}/action":
            [["removeTenantAccess": ["tenant": .string(estate.cloud.a.project)]]]
        case "POST /compute/v2.1/os-aggregates/{id}/action":
            [
                ["add_host": ["host": .string(TestCloud.hostName)]],
                ["remove_host": ["host": .string(TestCloud.hostName)]],
            ]
        default: []
        }
    }
}

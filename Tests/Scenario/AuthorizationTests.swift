// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: no route lets anybody do or see what is not theirs.
/// Method: walk every route of every service with good samples of tenant A's, as everybody who must be refused:
/// nobody, a token that is none, an expired one, a user without a role, another tenant, and A's own reader.
@Suite("Authorization of every route", .serialized)
struct AuthorizationTests {
    /// Runs `body` for each route that asks for a token, with its path and its good request.
    private func walk(
        _ body: @escaping @Sendable (TestCloud, Estate, APISite, Ask) async throws -> Void
    ) async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let bodies = SampleBodies(estate)
            for site in APISite.all(cloud) where !site.isOpen {
                guard let path = site.path(estate.samples) else { continue }
                let known = bodies.all(of: site).map(Optional.some)
                for sample in known.isEmpty ? [nil] : known {
                    try await body(
                        cloud, estate, site,
                        Ask(
                            cloud: cloud, site: site, path: path, body: sample,
                            sampleQuery: site.sampleQuery(estate.samples)))
                }
            }
            // Whoever was refused changed nothing.
            #expect(try await cloud.status(of: estate["/compute {server_id}"], cloud.a.member) == "ACTIVE")
        }
    }

    /// One route's good request, for whoever asks.
    struct Ask: Sendable {
        let cloud: TestCloud
        let site: APISite
        let path: String
        let body: JSON?
        let sampleQuery: String

        /// The action that the body names.
        var action: String? { site.route.path.hasSuffix("/action") ? body?.object?.keys.first : nil }

        func callAsFunction(_ token: String?, query: String = "", headers more: HTTPHeaders = [:]) async throws
            -> TestCloud.Answer
        {
            var headers = site.headers
            // Routes of tokens name the token that they are about: A's.
            if site.route.path == "/v3/auth/tokens" { headers.set("X-Subject-Token", cloud.a.member) }
            for field in more.fields { headers.set(field.name, field.value) }
            return try await cloud.call(
                site.route.method, path + (query.isEmpty ? sampleQuery : query), token, body, headers: headers)
        }
    }

    @Test("without a token, with a false one, with an expired one: 401 in the service's own shape")
    func unauthenticated() async throws {
        try await walk { cloud, _, site, ask in
            for (who, token) in [("nobody", nil), ("a false token", "gAAAAABfalse"), ("an expired token", cloud.expired)] {
                let answer = try await ask(token)
                #expect(answer.status == 401, "\(site) as \(who): \(answer)")
                #expect(answer.headers["WWW-Authenticate"] != nil, "\(site) as \(who)")
                if site.route.method != .head {
                    let flaw = FaultShape.flaw(answer, site.service)
                    #expect(flaw == nil, "\(site) as \(who): \(flaw ?? "") \(answer)")
                }
            }
        }
    }

    /// What upstream lets every token do, whatever its scope and roles.
    private static let forEveryToken: Set<String> = [
        // keystone: the projects, domains and rights of the caller itself.
        "GET /identity/v3/auth/projects", "GET /identity/v3/auth/domains", "GET /identity/v3/auth/system",
        "GET /identity/v3/OS-FEDERATION/projects", "GET /identity/v3/OS-FEDERATION/domains",
        // keystone: rule "" (everybody): how the cloud is laid out.
        "GET /identity/v3/regions", "GET /identity/v3/regions/{region_id}", "GET /identity/v3/registered_limits",
        "GET /identity/v3/registered_limits/{registered_limit_id}", "GET /identity/v3/limits/model",
        // keystone: lists of what is the caller's own; here nothing.
        "GET /identity/v3/limits", "GET /identity/v3/credentials",
        // glance: what the service can do has no rule.
        "GET /image/v2/info/import", "GET /image/v2/info/stores", "GET /image/v2/schemas/image",
        "GET /image/v2/schemas/images", "GET /image/v2/schemas/member", "GET /image/v2/schemas/members",
        "GET /image/v2/schemas/task", "GET /image/v2/schemas/tasks", "GET /image/v2/info/usage",
        "GET /image/v2/schemas/metadefs/namespace", "GET /image/v2/schemas/metadefs/namespaces",
        "GET /image/v2/schemas/metadefs/object", "GET /image/v2/schemas/metadefs/objects",
        "GET /image/v2/schemas/metadefs/property", "GET /image/v2/schemas/metadefs/properties",
        "GET /image/v2/schemas/metadefs/resource_type", "GET /image/v2/schemas/metadefs/resource_types",
        "GET /image/v2/schemas/metadefs/tag", "GET /image/v2/schemas/metadefs/tags",
        // neutron: what the service can do.
        "GET /network/v2.0/extensions/{alias}",
        // nova: rule "@" (everybody): what the service can do, zones, public flavors, limits of nobody.
        "GET /compute/v2.1/extensions", "GET /compute/v2.1/extensions/{alias}", "GET /compute/v2.1/flavors",
        "GET /compute/v2.1/flavors/detail", "GET /compute/v2.1/os-availability-zone", "GET /compute/v2.1/limits",
        "GET /compute/v2.1/os-quota-sets/{project}/defaults",
        // cinder: what the service can do, zones, kinds of groups and limits of nobody have no rule.
        "GET /volume/v3/extensions", "GET /volume/v3/extensions/{alias}", "GET /volume/v3/resource_filters",
        "GET /volume/v3/os-availability-zone", "GET /volume/v3/group_types", "GET /volume/v3/limits",
        // nova: keys are a user's own.
        "GET /compute/v2.1/os-keypairs", "POST /compute/v2.1/os-keypairs",
    ]

    @Test("without a role: nothing but what every token may")
    func roleless() async throws {
        try await walk { cloud, estate, site, ask in
            let answer = try await ask(cloud.a.roleless)
            guard !site.isRemoved(answer) else { return }
            let isNetworks = site.service == "network" && site.parameters.isEmpty
            let leak = site.route.method == .get ? Self.leak(answer, estate, asked: ask.path) : nil
            #expect(leak == nil, "\(site) shows \(leak ?? ""): \(answer)")
            if Self.forEveryToken.contains(site.description) {
                #expect(answer.status < 300, "\(site): \(answer)")
            } else if isNetworks, site.route.method == .get {
                // neutron's lists show whoever asks what that may see: here what is everybody's.
                #expect([200, 403].contains(answer.status), "\(site): \(answer)")
            } else if isNetworks {
                // neutron asks an unscoped caller for a project before it asks for a right.
                #expect([400, 403, 404].contains(answer.status), "\(site): \(answer)")
            } else {
                #expect([401, 403, 404].contains(answer.status), "\(site): \(answer)")
            }
        }
    }

    @Test("nobody makes anything in another's project")
    func foreignProject() async throws {
        try await walk { cloud, _, site, ask in
            guard site.route.method == .post, site.parameters.isEmpty, case .object(let body)? = ask.body else { return }
            // Other names are properties of an image like any other.
            for key in site.service == "image" ? ["owner"] : ["project_id", "tenant_id"] {
                var fields = body
                if body.count == 1, let (envelope, inner) = body.first, case .object(var object) = inner {
                    object[key] = .string(cloud.a.project)
                    fields = [envelope: .object(object)]
                } else {
                    fields[key] = .string(cloud.a.project)
                }
                let request = Ask(cloud: cloud, site: site, path: ask.path, body: .object(fields), sampleQuery: ask.sampleQuery)
                for token in [cloud.a.roleless, cloud.b.member] {
                    let answer = try await request(token)
                    let isMade = answer.status < 300 && answer.text.contains(cloud.a.project)
                    #expect(!isMade && answer.status < 500, "\(site) with \(key): \(answer)")
                }
            }
        }
    }

    /// Paths whose objects are everybody's, or whose answer is about the caller.
    private static let shared: Set<String> = [
        // The layout of the cloud, as above.
        "GET /identity/v3/regions/{region_id}", "GET /identity/v3/registered_limits/{registered_limit_id}",
        // What the service can do.
        "GET /network/v2.0/extensions/{alias}", "GET /compute/v2.1/extensions/{alias}",
        "GET /volume/v3/extensions/{alias}",
        // neutron: what every group begins with, and what every user may choose from.
        "GET /network/v2.0/default-security-group-rules/{id}", "GET /network/v2.0/flavors/{id}",
        "GET /network/v2.0/flavors/{id}/next_providers",
        // Limits that hold for every project.
        "GET /compute/v2.1/os-quota-sets/{project}/defaults",
    ]

    @Test("another tenant reaches nothing of A's by its id, and cannot tell it from nothing")
    func otherTenant() async throws {
        try await walk { cloud, estate, site, ask in
            guard !site.parameters.isEmpty || site.route.path == "/v3/auth/tokens" else { return }
            // Whoever has a transfer's key takes the volume, whichever its project.
            guard !site.route.path.hasSuffix("/accept") else { return }
            let answer = try await ask(cloud.b.member)
            guard !site.isRemoved(answer) else { return }
            if Self.shared.contains(site.description) {
                #expect(answer.status == 200, "\(site): \(answer)")
                #expect(Self.leak(answer, estate, asked: ask.path) == nil, "\(site): \(answer)")
                return
            }
            #expect([403, 404].contains(answer.status), "\(site): \(answer)")
            guard !site.parameters.isEmpty, site.service != "placement" else { return }
            // The same question about an object that never was.
            let absent = site.path(estate.samples.mapValues { Self.absent($0) }) ?? ""
            let other = try await Ask(
                cloud: cloud, site: site, path: absent, body: ask.body, sampleQuery: ask.sampleQuery)(cloud.b.member)
            #expect(other.status == answer.status, "\(site): \(answer.status) for A's, \(other.status) for none")
        }
    }

    private static func absent(_ id: String) -> String {
        guard id.contains("-"), id.utf8.count == 36 else { return id }
        return "00000000-0000-4000-8000-000000000000"
    }

    @Test("lists show another tenant nothing of A's, whatever it asks for")
    func lists() async throws {
        try await walk { cloud, estate, site, ask in
            guard site.route.method == .get, site.parameters.isEmpty else { return }
            let a = cloud.a
            let queries = [
                "", "?all_tenants=1", "?all_projects=1", "?project_id=\(a.project)", "?tenant_id=\(a.project)",
                "?all_tenants=1&project_id=\(a.project)", "?user_id=\(a.memberID)", "?owner=\(a.project)",
                "?owner=\(a.project)&visibility=all", "?visibility=shared&member_status=all", "?shared=true",
                "?name=alpha-server", "?deleted=true&all_tenants=1", "?target_tenant=\(a.project)",
                "?scope.project.id=\(a.project)", "?fields=id&project_id=\(a.project)",
                "?all_tenants=true&name=alpha-volume", "?all_tenants=1&is_public=none", "?is_public=false",
                "?volume_id=\(estate["/volume {volume_id}"])", "?instance_id=\(estate["/compute {server_id}"])",
                "?all_tenants=1&metadata={\"alpha\":\"alpha\"}", "?with_count=true&all_tenants=1",
            ]
            for query in queries {
                let answer = try await ask(cloud.b.member, query: query)
                #expect(answer.status < 500, "\(site)\(query): \(answer)")
                let leak = Self.leak(answer, estate, asked: ask.path)
                #expect(leak == nil, "\(site)\(query) shows \(leak ?? ""): \(answer)")
            }
        }
    }

    /// What a good answer shows of A's. A refusal may repeat what it was asked for, as links do.
    private static func leak(_ answer: TestCloud.Answer, _ estate: Estate, asked path: String) -> String? {
        guard answer.status < 300, let json = answer.json else { return nil }
        let texts = texts(of: json).filter { !$0.contains("?") }
        let secrets = estate.secrets.filter { !path.contains($0) }
        return texts.first { text in text.contains("alpha") || secrets.contains { text.contains($0) } }
    }

    private static func texts(of json: JSON) -> [String] {
        switch json {
        case .string(let text): [text]
        case .array(let elements): elements.flatMap(texts)
        case .object(let fields): fields.flatMap { [$0.key] + texts(of: $0.value) }
        default: []
        }
    }

    @Test("another tenant makes nothing of A's parts")
    func foreignParts() async throws {
        try await walk { cloud, estate, site, ask in
            guard site.isMutating, site.parameters.isEmpty, let body = ask.body?.text(),
                estate.secrets.contains(where: { body.contains($0) })
            else { return }
            let answer = try await ask(cloud.b.member)
            #expect((400..<500).contains(answer.status), "\(site): \(answer)")
        }
    }

    /// What is a user's own, whatever the role.
    private static let usersOwn: Set<String> = [
        // nova: os-keypairs:create is for the user itself.
        "POST /compute/v2.1/os-keypairs"
    ]

    @Test("a reader changes nothing")
    func reader() async throws {
        try await walk { cloud, _, site, ask in
            guard site.isMutating, ask.action != "os-show_image_metadata" else { return }
            let answer = try await ask(cloud.a.reader)
            guard !Self.usersOwn.contains(site.description), !site.isRemoved(answer) else { return }
            #expect([403, 404].contains(answer.status), "\(site): \(answer)")
        }
    }

    private static let membersOnly: Set<String> = [
        // glance: download_image asks for a member.
        "GET /image/v2/images/{id}/file",
        // nova: a key is its user's.
        "GET /compute/v2.1/os-keypairs/{keypair_name}",
    ]

    @Test("A's reader reads what A's member reads")
    func readerReads() async throws {
        try await walk { cloud, _, site, ask in
            guard site.route.method == .get, ["network", "compute", "image", "volume"].contains(site.service),
                !Self.membersOnly.contains(site.description)
            else { return }
            let member = try await ask(cloud.a.member)
            let reader = try await ask(cloud.a.reader)
            #expect(member.status < 500, "\(site): \(member)")
            #expect(reader.status == member.status, "\(site): member \(member), reader \(reader)")
        }
    }
}

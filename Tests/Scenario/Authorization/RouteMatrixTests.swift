// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: every route of every service lets each persona in whom upstream lets in, and nobody else.
/// Method: every route that the cloud has, with a good request about tenant A's things, as every persona, on a database
/// that takes back what is written. Who may is not asked of this product's rules but read from upstream's.
@Suite("Every route as every persona", .serialized)
struct RouteMatrixTests {
    /// A route with one good request.
    private struct Question: Sendable {
        let site: APISite
        let path: String
        let body: JSON?
        let word: UpstreamRules.Word
        /// What it is about is A's, not the caller's own.
        let isForeign: Bool
        /// It names things of A's that others have not.
        let namesForeignParts: Bool
        /// It was made for this matrix, so nothing of it excuses another answer than the table's.
        let isMadeHere: Bool

        var description: String { site.description + (action.map { "(\($0))" } ?? "") }
        var action: String? { Self.action(site, body) }

        static func action(_ site: APISite, _ body: JSON?) -> String? {
            site.route.path.hasSuffix("/action") ? body?.object?.keys.first : nil
        }

        private var who: UpstreamRules.Who { isForeign ? word.foreign : word.own }
        func isAllowed(_ persona: Persona) -> Bool { who[persona] ?? false }

        /// Whether another persona's answer does not say already what `persona` gets.
        ///
        /// A role that implies another has it: of those in between, the weakest that is let in and the strongest that
        /// is refused speak for the others. Another domain is asked where it is more or less than the things' own.
        func asks(_ persona: Persona) -> Bool {
            if persona.place == .otherDomain {
                let isAsOwnDomain = Persona.roles.allSatisfy { role in
                    isAllowed(Persona(place: .domain, role: role))
                        == isAllowed(Persona(place: .otherDomain, role: role))
                }
                if isAsOwnDomain { return false }
            }
            // A thing's owner, who is trusted, and administrators are more than their roles.
            if persona == Persona.owner || persona == Persona.trustee || persona.role == "admin" { return true }
            return isAllowed(persona)
                ? persona.next(weaker: true).map { !isAllowed($0) } ?? true
                : persona.next(weaker: false).map(isAllowed) ?? true
        }
    }

    @Test("upstream's table")
    func matrix() async throws {
        try await TestCloud.run { cloud in
            let estate = try await MatrixGround(cloud)
            let questions = try Self.questions(cloud, estate)
            let problems = try await withThrowingTaskGroup(of: [String].self) { group in
                for (persona, token) in estate.tokens {
                    group.addTask { try await Self.ask(questions, persona, token, cloud, estate) }
                }
                return try await group.reduce(into: [String]()) { $0 += $1 }
            }
            // Thousands of single issues would say less than one list.
            #expect(problems.isEmpty, "\(problems.count):\n\(problems.sorted().joined(separator: "\n"))")
            // Nothing was changed by anybody.
            #expect(try await cloud.status(of: estate.estate["/compute {server_id}"], cloud.a.member) == "ACTIVE")
        }
    }

    // MARK: Questions

    private static func questions(_ cloud: TestCloud, _ ground: MatrixGround) throws -> [Question] {
        let expectations = try Expectations()
        let bodies = SampleBodies(ground.estate)
        var missing: Set<String> = []
        var questions: [Question] = []
        for site in APISite.all(cloud) where !site.isOpen && !site.route.path.contains("*}") {
            guard let path = site.path(ground.estate.samples) else { continue }
            var samples = bodies.all(of: site).map { (Optional.some($0), false) }
            samples += ground.actions(of: site).map { ($0, true) }
            if samples.isEmpty { samples = [(nil, false)] }
            for (body, isMadeHere) in samples {
                let action = Question.action(site, body)
                guard let word = expectations.word(of: site, action: action) else {
                    if !removed.contains(site.template) {
                        missing.insert(site.description + (action.map { "(\($0))" } ?? ""))
                    }
                    continue
                }
                let text = body?.text() ?? ""
                questions.append(
                    Question(
                        site: site, path: path, body: body, word: word, isForeign: isForeign(site),
                        namesForeignParts: ground.estate.secrets.contains { text.contains($0) },
                        isMadeHere: isMadeHere))
            }
        }
        #expect(missing.sorted() == [], "routes without an expectation; look upstream for who may and write it down")
        return questions
    }

    /// Whether it is about something of A's: named by the path, by Identity's bodies, by the token that a header names,
    /// or by a query that cannot be left out.
    private static func isForeign(_ site: APISite) -> Bool {
        !site.parameters.isEmpty && !isOffer(site) || ["/v3/auth/tokens", "/usages"].contains(site.route.path)
            || site.service == "identity" && site.isMutating
    }

    /// Of the parameters, this one names an offer to whoever has its key (cinder/transfer/api.py: accept).
    private static func isOffer(_ site: APISite) -> Bool { site.template.hasSuffix("/{transfer_id}/accept") }

    // MARK: Answers

    private static func ask(
        _ questions: [Question], _ persona: Persona, _ token: String, _ cloud: TestCloud, _ ground: MatrixGround
    ) async throws -> [String] {
        var problems: [String] = []
        for question in questions where question.asks(persona) {
            let site = question.site
            var headers = site.headers
            if site.route.path == "/v3/auth/tokens" { headers.set("X-Subject-Token", cloud.a.member) }
            let answer = try await UndoingDatabase.$undoes.withValue(true) {
                try await cloud.call(
                    site.route.method, question.path + site.sampleQuery(ground.estate.samples), token, question.body,
                    headers: headers)
            }
            if let problem = problem(answer, question, persona) {
                problems.append("\(question.description) as \(persona): \(problem), \(answer)")
            }
        }
        return problems
    }

    private static func problem(_ answer: TestCloud.Answer, _ question: Question, _ persona: Persona) -> String? {
        let site = question.site
        if site.isRemoved(answer) { return nil }
        if answer.status == 500 { return "a fault" }
        let exception = question.isMadeHere ? nil : exceptions[question.description]
        if exception?.covers(answer, persona) ?? false { return nil }
        let isRefused = [401, 403, 404].contains(answer.status)
        if question.isAllowed(persona) {
            guard isRefused else { return nil }
            if forbiddenToAll.contains(question.description), answer.status != 401 { return nil }
            // What another project's request names is not there for it.
            let isHidden = question.namesForeignParts || hidden.contains(question.description)
            if isHidden, !persona.isOfOwnProject, answer.status != 401 { return nil }
            // What is to be a project's needs one.
            if !question.isForeign, site.isMutating, !persona.hasProject, answer.status == 403 { return nil }
            return "upstream lets in (\(question.word.name))"
        }
        if isRefused && answer.status != 401 { return nil }
        // neutron's lists show whoever asks what that may see, which is nothing; and who has no project is asked for
        // one before anything else.
        if site.service == "network" {
            let isList = !site.template.hasSuffix("}") && !site.template.hasSuffix("/tags") && !site.isOfQuotas
            if site.route.method == .get, isList, answer.status == 200 { return nil }
            if site.isMutating, !persona.hasProject, answer.status == 400 { return nil }
        }
        return "upstream refuses (\(question.word.name))"
    }

    /// What the state of the samples, or this cloud's lack of something, keeps even those from who may.
    private static let forbiddenToAll: Set<String> = [
        // keystone: a domain that is enabled, the role that is immutable and the access rule in use stay.
        "DELETE /identity/v3/domains/{domain_id}", "DELETE /identity/v3/roles/{role_id}",
        "DELETE /identity/v3/users/{user_id}/access_rules/{access_rule_id}",
        // It shows what Network shows whoever asks.
        "GET /compute/v2.1/os-floating-ip-pools",
        // This cloud has no shared file systems, no clusters and no other hypervisor to go to.
        "GET /compute/v2.1/servers/{server_id}/shares/{share_id}",
        "DELETE /compute/v2.1/servers/{server_id}/shares/{share_id}",
        "GET /volume/v3/clusters/{cluster}", "PUT /volume/v3/clusters/enable", "PUT /volume/v3/clusters/disable",
        "GET /compute/v2.1/servers/{server_id}/migrations/{id}",
        "DELETE /compute/v2.1/servers/{server_id}/migrations/{id}",
        "POST /compute/v2.1/servers/{server_id}/migrations/{id}/action(force_complete)",
        "PUT /compute/v2.1/os-hosts/{host}", "GET /compute/v2.1/os-hosts/{host}/startup",
        "GET /compute/v2.1/os-hosts/{host}/shutdown", "GET /compute/v2.1/os-hosts/{host}/reboot",
        // The samples ask for names that are nobody's: they get past the rule and no further.
        "POST /compute/v2.1/os-assisted-volume-snapshots",
        "DELETE /compute/v2.1/os-assisted-volume-snapshots/{id}",
        "POST /compute/v2.1/os-server-external-events",
        "POST /volume/v3/os-snapshot-manage", "POST /volume/v3/manageable_snapshots",
        "POST /volume/v3/os-volume-manage", "POST /volume/v3/manageable_volumes",
    ]

    /// An answer that differs from the table's for a reason that the table does not see.
    private struct Exception {
        let status: Int
        /// Empty: of any.
        var roles: Set<String> = []
        var places: Set<Persona.Place> = Set(Persona.Place.allCases)

        func covers(_ answer: TestCloud.Answer, _ persona: Persona) -> Bool {
            answer.status == status && (roles.isEmpty || roles.contains(persona.role)) && places.contains(persona.place)
        }
    }

    private static let exceptions: [String: Exception] = {
        let admins: Set = ["admin"]
        let beyondProjects: Set<Persona.Place> = [.domain, .otherDomain, .system]
        return [
            // keystone: what others refer to stays. Who authorizes a consumer has the roles that it asked for, which
            // only the owner has (keystone/api/os_oauth1.py).
            "DELETE /identity/v3/regions/{region_id}": Exception(status: 403, roles: admins),
            "DELETE /identity/v3/services/{service_id}": Exception(status: 403, roles: admins),
            "DELETE /identity/v3/registered_limits/{registered_limit_id}": Exception(status: 403, roles: admins),
            "PUT /identity/v3/OS-OAUTH1/authorize/{request_token_id}": Exception(status: 401, roles: admins),
            // The only store that has the image.
            "DELETE /image/v2/stores/{store_id}/{id}": Exception(status: 403, roles: admins),

            // A service makes its project's default group by asking, as neutron's create_default_security_group says.
            "GET /network/v2.0/security-groups": Exception(status: 503, roles: ["service"], places: [.other]),
            "GET /network/v2.0/security-group-rules": Exception(status: 503, roles: ["service"], places: [.other]),
            // The sample is a setting for all, which is an administrator's.
            "POST /network/v2.0/security-groups-default-statefulness": Exception(status: 403, roles: ["manager"]),
            // The sample's network is the administrator's (neutron: db_base_plugin_v2.py, onboard_network_subnets).
            "PUT /network/v2.0/subnetpools/{id}/onboard_network_subnets":
                Exception(status: 403, roles: ["manager", "member"], places: [.own]),
            // Nothing was added that could be taken away.
            "PUT /network/v2.0/routers/{id}/remove_router_interface": Exception(status: 404, places: [.own]),
            "PUT /network/v2.0/address-groups/{id}/remove_addresses": Exception(status: 404),
            // The sample is no agent for DHCP.
            "POST /network/v2.0/agents/{id}/dhcp-networks": Exception(status: 404, roles: admins),

            // The sample names a host that is none, and what only administrators name: a host, other projects.
            "POST /compute/v2.1/servers/{server_id}/action(evacuate)": Exception(status: 404, roles: admins),
            "POST /compute/v2.1/servers/{server_id}/action(migrate)":
                Exception(status: 403, roles: ["manager"], places: [.own]),
            "POST /compute/v2.1/servers/{server_id}/action(os-migrateLive)":
                Exception(status: 403, roles: ["manager"], places: [.own]),
            "GET /compute/v2.1/os-migrations": Exception(status: 403, roles: ["manager"]),

            // A's type is private.
            "POST /volume/v3/volumes": Exception(status: 404, places: [.other]),
            "POST /volume/v3/groups": Exception(status: 404, places: [.other]),
            // There is none of what is to be taken away.
            "POST /volume/v3/volumes/{volume_id}/action(os-unset_image_metadata)": Exception(status: 404),
            "POST /volume/v3/types/{type_id}/action(removeProjectAccess)": Exception(status: 404, roles: admins),
            // A new image or volume needs a project to be of; an image's is checked by Image.
            "POST /volume/v3/volumes/{volume_id}/action(os-volume_upload_image)":
                Exception(status: 403, roles: admins, places: beyondProjects),
            "POST /volume/v3/backups/{backup_id}/restore":
                Exception(status: 403, roles: admins, places: beyondProjects),
        ]
    }()

    /// The rule lets other projects' services in, but a private image is not there for them (glance: is_image_visible);
    /// and administrators, but A's security group is not there for their projects.
    private static let hidden: Set<String> = [
        "POST /compute/v2.1/servers/{server_id}/action(addSecurityGroup)",
        "POST /compute/v2.1/servers/{server_id}/action(removeSecurityGroup)",
        "GET /image/v2/images/{id}/locations", "POST /image/v2/images/{id}/locations",
    ]

    /// nova answers 410 to everybody: nothing is guarded.
    private static let removed: Set<String> = Set(
        [
            "os-agents", "os-agents/{id}", "os-cells", "os-cells/capacities", "os-cells/detail", "os-cells/info",
            "os-cells/sync_instances", "os-cells/{id}", "os-cells/{id}/capacities", "os-certificates",
            "os-certificates/{id}", "os-cloudpipe", "os-cloudpipe/{id}", "os-fixed-ips/{id}",
            "os-fixed-ips/{id}/action", "os-floating-ip-dns", "os-floating-ip-dns/{domain}",
            "os-floating-ip-dns/{domain}/entries/{id}", "os-floating-ips-bulk", "os-floating-ips-bulk/{id}", "os-fping",
            "os-fping/{id}", "os-networks", "os-networks/add", "os-networks/{network_id}",
            "os-networks/{network_id}/action", "os-security-group-default-rules",
            "os-security-group-default-rules/{id}", "os-tenant-networks", "os-tenant-networks/{network_id}",
            "servers/{server_id}/consoles", "servers/{server_id}/consoles/{console_id}",
            "servers/{server_id}/os-virtual-interfaces",
        ].map { "/compute/v2.1/" + $0 })
}

/// Which word of upstream's stands for a route.
private struct Expectations {
    /// By service, method and path.
    private var words: [String: UpstreamRules.Word] = [:]

    init() throws {
        for (service, text) in UpstreamRules.services {
            for rule in try UpstreamRules.rules(of: text) {
                for call in rule.calls {
                    let key = "\(service) \(call)"
                    if let other = words[key], other.name != rule.word.name {
                        throw UpstreamRules.Misread(
                            description: "\(key) is both \(other.name) and \(rule.word.name)")
                    }
                    words[key] = rule.word
                }
            }
        }
    }

    func word(of site: APISite, action: String?) -> UpstreamRules.Word? {
        let (service, path) = (Self.service(site), Self.path(site))
        let key = "\(service) \(site.route.method.rawValue) \(path)"
        let known = action.flatMap { words["\(key)(\($0))"] } ?? words[key]
        return known ?? (site.route.method == .head ? words["\(service) GET \(path)"] : nil)
    }

    private static func service(_ site: APISite) -> String {
        switch site.service {
        case "object-store-ring": "object-storage"
        case "volume", "volumev3": "block-storage"
        default: site.service
        }
    }

    /// As upstream writes it: without the service's own beginning and without the names of parameters.
    private static func path(_ site: APISite) -> String {
        let roots = [
            "/identity", "/image", "/network/v2.0", "/compute/v2.1", "/volume/v3", "/placement", "/object-store",
        ]
        let root = roots.first { site.template.hasPrefix($0) } ?? ""
        var segments = site.template.dropFirst(root.count).split(separator: "/").map { segment in
            segment.hasPrefix("{") ? "{}" : String(segment)
        }
        // neutron's rules write the aliases of QoS rules otherwise than its paths.
        if segments.first == "qos", segments.count > 1, segments[1].hasPrefix("alias-") {
            segments[1] = String(segments[1].map { $0 == "-" ? "_" : $0 })
        }
        // Other names of the same.
        if root == "/compute/v2.1", segments.first == "os-volumes_boot" { segments[0] = "servers" }
        if root == "/network/v2.0", segments.first == "policies" { segments.insert("qos", at: 0) }
        return "/" + segments.joined(separator: "/")
    }
}

extension APISite {
    fileprivate var isOfQuotas: Bool { template.hasPrefix("/network/v2.0/quotas") }
}

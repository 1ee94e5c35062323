// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: nobody adds a route that the tests of authorization and bad input do not walk.
/// Method: every parameter of every path has a sample object, every body a good sample that the route takes.
@Suite("Samples of routes")
struct RouteSampleTests {
    @Test("every route has its samples, and the sample bodies are good")
    func complete() async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let bodies = SampleBodies(estate)
            let sites = APISite.all(cloud)
            let known = Set(sites.map(\.description))
            #expect(bodies.bodies.keys.filter { !known.contains($0) }.sorted() == [], "samples of no route")
            for site in sites.sorted(by: { $0.rank < $1.rank }) {
                guard let path = site.path(estate.samples) else {
                    Issue.record("\(site) needs an object in Estate for \(site.parameters)")
                    continue
                }
                if site.route.method == .get, !Self.elsewhere.contains(site.description) {
                    let answer = try await cloud.call(
                        .get, path + site.sampleQuery(estate.samples), site.sampleToken(cloud),
                        headers: site.sampleHeaders(cloud))
                    #expect(
                        answer.status < 400 || site.isRemoved(answer), "\(site) has no such sample: \(answer)")
                }
                guard site.isMutating, !SampleBodies.takesNone(site), !Self.elsewhere.contains(site.description)
                else { continue }
                guard let body = bodies.bodies[site.description] else {
                    let answer = try await cloud.call(
                        site.route.method, path, site.sampleToken(cloud), nil, headers: site.headers)
                    if site.isRemoved(answer) { continue }
                    Issue.record("\(site) needs a body in SampleBodies")
                    continue
                }
                let answer = try await cloud.call(
                    site.route.method, path, site.sampleToken(cloud), body, headers: site.headers)
                // A sample may find its work done: 409.
                #expect(answer.status < 300 || answer.status == 409, "\(site) refuses its sample: \(answer)")
                for other in bodies.others[site.description] ?? [] {
                    let answer = try await cloud.call(
                        site.route.method, path, site.sampleToken(cloud), other, headers: site.headers)
                    // The state may forbid it, but never the form.
                    let isMisread = answer.text.contains("field/attribute") || answer.text.contains("no such action")
                    #expect(answer.status < 500 && !isMisread, "\(site) misreads \(other.text()): \(answer)")
                }
            }
        }
    }

    private static let elsewhere: Set<String> = [
        // Signed requests without a body.
        "POST /identity/v3/OS-OAUTH1/request_token", "POST /identity/v3/OS-OAUTH1/access_token",
        // Signed by a provider, which this cloud has none of.
        "GET /identity/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
        "POST /identity/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
        // An application credential, in a form.
        "POST /identity/v3/OS-OAUTH2/token",
        // All paths that no other route has.
        "GET /placement/{path*}",
        // Of installations: pages, and a socket.
        "GET /console", "GET /console/{file*}", "GET /console/websockify",
        // A user's own, and the administrator is another.
        "GET /compute/v2.1/os-keypairs/{keypair_name}",
        // This cloud has no shared file systems.
        "GET /compute/v2.1/servers/{server_id}/shares/{share_id}",
        // No hypervisor of this cloud takes hosts away, and it has no bare machines.
        "PUT /compute/v2.1/os-hosts/{host}", "GET /compute/v2.1/os-hosts/{host}/startup",
        "GET /compute/v2.1/os-hosts/{host}/shutdown", "GET /compute/v2.1/os-hosts/{host}/reboot",
        "GET /compute/v2.1/os-baremetal-nodes", "GET /compute/v2.1/os-baremetal-nodes/{id}",
        "POST /compute/v2.1/os-baremetal-nodes", "POST /compute/v2.1/os-baremetal-nodes/{id}/action",
        // No agent answers DHCP: each host does for its own guests.
        "POST /network/v2.0/agents/{id}/dhcp-networks",
        // The volume of the sample is attached to no server of Compute's.
        "POST /compute/v2.1/os-assisted-volume-snapshots",
        // No guest of a cloud with one host moves while it runs.
        "GET /compute/v2.1/servers/{server_id}/migrations/{id}",
        // This cloud has no clusters and nothing to fail over to, and no backend has snapshots of others' making.
        "GET /volume/v3/clusters/{cluster}", "PUT /volume/v3/clusters/enable", "PUT /volume/v3/clusters/disable",
        "PUT /volume/v3/os-services/failover_host", "PUT /volume/v3/os-services/failover",
        // The record in the sample is of a backup whose bytes are gone.
        "POST /volume/v3/backups/import_record",
        "POST /volume/v3/os-snapshot-manage", "POST /volume/v3/manageable_snapshots",
    ]

    @Test("what needs no token is listed here, with why")
    func open() async throws {
        try await TestCloud.run { cloud in
            let open = Set(APISite.all(cloud).filter(\.isOpen).map(\.description))
            let known: Set<String> = [
                // Version documents.
                "GET /identity", "GET /identity/v3", "GET /image", "GET /image/versions", "GET /placement",
                "GET /network", "GET /network/v2.0", "GET /compute", "GET /compute/v2", "GET /compute/v2.1",
                "GET /volume", "GET /volume/v3",
                // They carry a password of their own.
                "POST /identity/v3/auth/tokens", "POST /identity/v3/users/{user_id}/password",
                // They are signed, by a consumer.
                "POST /identity/v3/OS-OAUTH1/request_token", "POST /identity/v3/OS-OAUTH1/access_token",
                // They carry a provider's signature, and an application credential.
                "GET /identity/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
                "POST /identity/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth",
                "POST /identity/v3/OS-OAUTH2/token",
                // keystone: what was taken away says so to everybody.
                "GET /identity/v3/OS-SIMPLE-CERT/ca", "GET /identity/v3/OS-SIMPLE-CERT/certificates",
                // The console's pages are for everybody; the connection carries a token of its own.
                "GET /console", "GET /console/websockify", "GET /console/{file*}",
            ]
            #expect(open.subtracting(known).sorted() == [])
        }
    }
}

extension APISite {
    /// Whether upstream has taken the API away, and so does this.
    func isRemoved(_ answer: TestCloud.Answer) -> Bool {
        ["compute", "identity"].contains(service) && answer.status == 410
    }

    fileprivate func sampleHeaders(_ cloud: TestCloud) -> HTTPHeaders {
        var headers = headers
        if route.path == "/v3/auth/tokens" { headers.set("X-Subject-Token", cloud.a.member) }
        return headers
    }

    /// Who may: the owner where the object is a user's own, else the administrator.
    func sampleToken(_ cloud: TestCloud) -> String {
        switch description {
        case "POST /compute/v2.1/servers", "POST /compute/v2.1/os-volumes_boot", "POST /compute/v2.1/os-volumes",
            "POST /compute/v2.1/os-snapshots", "POST /identity/v3/users/{user_id}/application_credentials",
            "POST /identity/v3/OS-TRUST/trusts", "POST /network/v2.0/ports", "POST /volume/v3/volumes",
            "POST /volume/v3/snapshots",
            "POST /volume/v3/attachments", "POST /volume/v3/backups", "POST /volume/v3/groups",
            "POST /volume/v3/groups/action", "POST /volume/v3/group_snapshots", "POST /volume/v3/os-volume-transfer",
            "POST /volume/v3/volume-transfers":
            cloud.a.member
        case let text where text.contains("/ports/{id}/bindings"): cloud.service
        // placement: for services alone.
        case "POST /placement/reshaper": cloud.a.service
        case let text where (text.contains("limits") || text.contains("access_rules")) && service == "identity":
            cloud.system
        default: cloud.admin
        }
    }
}

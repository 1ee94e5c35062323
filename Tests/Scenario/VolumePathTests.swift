// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: a path of Block Storage that names the project is the same route, and for that project's callers alone.
/// Method: every such path of tenant A's, with A's own project and with another's.
@Suite("Block Storage below a project")
struct VolumePathTests {
    @Test("every route is there with and without the project")
    func twins() async throws {
        try await TestCloud.run { cloud in
            let below = APISite.belowProject(cloud)
            let plain = APISite.all(cloud).filter { $0.service == "volume" && !$0.isOpen }
            for site in below { #expect(plain.contains { $0.isTwin(of: site) }, "\(site) has no twin") }
            for site in plain { #expect(below.contains { site.isTwin(of: $0) }, "\(site) has no twin") }
        }
    }

    @Test("it answers its own project as without, and no other")
    func projects() async throws {
        try await TestCloud.run { cloud in
            let estate = try await Estate(cloud)
            let bodies = SampleBodies(estate)
            let plain = APISite.all(cloud)
            for site in APISite.belowProject(cloud) {
                let twin = try #require(plain.first { $0.isTwin(of: site) })
                let plainPath = try #require(twin.path(estate.samples))
                func path(_ project: String) -> String { "/volume/v3/\(project)" + plainPath.dropFirst("/volume/v3".count) }
                let query = twin.sampleQuery(estate.samples)
                let body = bodies.bodies[twin.description]
                if site.route.method == .get {
                    let own = try await cloud.call(
                        .get, path(cloud.a.project) + query, cloud.a.member, headers: site.headers)
                    let same = try await cloud.call(.get, plainPath + query, cloud.a.member, headers: site.headers)
                    let old = try await cloud.call(
                        .get, plainPath + query, cloud.a.member, headers: ["OpenStack-API-Version": "volume 3.0"])
                    #expect(old.status == same.status || old.status == 404, "\(site): \(old), at 3.71 \(same)")
                    #expect(own.status == same.status, "\(site): \(own), without the project \(same)")
                }
                let oldest = try await cloud.call(
                    site.route.method, path("none") + query, cloud.a.member, body,
                    headers: ["OpenStack-API-Version": "volume 3.0"])
                #expect((400...404).contains(oldest.status), "\(site): \(oldest)")
                for (project, token) in [(cloud.a.project, cloud.b.member), (cloud.b.project, cloud.a.member), ("none", cloud.admin)] {
                    let answer = try await cloud.call(
                        site.route.method, path(project) + query, token, body, headers: site.headers)
                    // Who may not call it at all may hear that first.
                    #expect([400, 403].contains(answer.status), "\(site): \(answer)")
                    #expect(answer.status == 403 || answer.text.contains("Malformed request url"), "\(site): \(answer)")
                    #expect(FaultShape.flaw(answer, "volume") == nil, "\(site): \(answer)")
                }
            }
        }
    }
}

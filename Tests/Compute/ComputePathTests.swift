// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import TestKit
import Testing

/// Goal: a client whose catalog ends in its project, or in the API before microversions, gets the same answers.
/// Method: the same calls by each path; links as the caller wrote its own.
@Suite("Paths of Compute")
struct ComputePathTests {
    private static let project = "0123456789abcdef0123456789abcdef"
    private static let other = "fedcba98-7654-3210-fedc-ba9876543210"

    /// A router whose one caller is in `project`.
    private func world() async throws -> (ComputeWorld, APIRouter) {
        let world = try await ComputeWorld()
        let caller = TestCallers.principal("demo", project: Self.project)
        return (
            world,
            APIRouter(
                services: [world.api], origin: ComputeWorld.origin, ids: .random, clock: .system,
                authenticate: { _ in caller })
        )
    }

    @Test("the caller's own project may stand in the path, and links then have it")
    func project() async throws {
        let (world, router) = try await world()
        try await world.run {
            func call(_ path: String, _ method: HTTPMethod = .get, _ body: JSON? = nil) async throws -> TestAnswer {
                try await router.call(
                    method, "/compute" + path, body,
                    headers: ["X-Auth-Token": "any", "OpenStack-API-Version": "compute 2.90"])
            }
            let own = "/v2.1/\(Self.project)"
            let made = try await call(own + "/servers", .post, ComputeWorld.server())
            #expect(made.status == 202)
            let id = try #require(made["server", "id"]?.string)
            #expect(made.headers["Location"] == ComputeWorld.origin + "/compute\(own)/servers/\(id)")
            let root = ComputeWorld.origin + "/compute"
            for (path, version, bookmark) in [
                ("/v2.1", "/v2.1", ""), (own, own, "/\(Self.project)"), ("/v2", "/v2", ""),
                ("/v2/\(Self.project)", "/v2/\(Self.project)", "/\(Self.project)"),
            ] {
                for suffix in ["/servers/\(id)", "/servers/\(id)/os-volume_attachments", "/limits", "/os-keypairs"] {
                    #expect(try await call(path + suffix).status == 200, "\(path)\(suffix)")
                }
                let links = try await call("\(path)/servers/\(id)")["server", "links"]
                #expect(
                    links == [
                        ["rel": "self", "href": .string("\(root)\(version)/servers/\(id)")],
                        ["rel": "bookmark", "href": .string("\(root)\(bookmark)/servers/\(id)")],
                    ], "\(path)")
                let flavor = try await call("\(path)/flavors/1")["flavor", "links", "0", "href"]
                #expect(flavor?.string == "\(root)\(version)/flavors/1", "\(path)")
            }
            try await world.settled(id)
        }
    }

    @Test("another project in the path is refused, and what is no project is not found")
    func refusals() async throws {
        let (_, router) = try await world()
        func call(_ path: String) async throws -> TestAnswer {
            try await router.call(.get, "/compute" + path, headers: ["X-Auth-Token": "any"])
        }
        for version in ["/v2.1", "/v2"] {
            let refused = try await call("\(version)/\(Self.other)/servers")
            #expect(refused.status == 400)
            #expect(
                refused["badRequest", "message"]?.string
                    == "Malformed request URL: URL's project_id '\(Self.other)' doesn't match Context's project_id "
                    + "'\(Self.project)'")
            #expect(try await call("\(version)/\(Self.other)/nothing").status == 404)
            #expect(try await call("\(version)/somebody/servers").status == 404)
        }
        let unknown = try await router.call(.get, "/compute/v2.1/\(Self.project)/servers")
        #expect(unknown.status == 401)
    }

    @Test("the path before microversions hears of none and tells of none")
    func unversioned() async throws {
        let (_, router) = try await world()
        for asked in ["2.90", "latest", "9.9"] {
            let headers: HTTPHeaders = ["X-Auth-Token": "any", "OpenStack-API-Version": "compute \(asked)"]
            let flavor = try await router.call(.get, "/compute/v2/flavors/1", headers: headers)
            #expect(flavor.status == 200)
            #expect(flavor["flavor", "description"] == nil)
            #expect(flavor.headers["OpenStack-API-Version"] == nil && flavor.headers["Vary"] == nil)
            let missing = try await router.call(.get, "/compute/v2/flavors/none", headers: headers)
            #expect(missing.status == 404 && missing.headers["X-OpenStack-Nova-API-Version"] == nil)
        }
    }

    @Test("version documents")
    func documents() async throws {
        let (_, router) = try await world()
        let list = try await router.call(.get, "/compute/")
        #expect(list["versions", "0", "id"] == "v2.0" && list["versions", "0", "status"] == "DEPRECATED")
        #expect(list["versions", "1", "id"] == "v2.1" && list["versions", "1", "status"] == "CURRENT")
        #expect(list["versions", "1", "min_version"] == "2.1" && list["versions", "1", "version"] == "2.104")
        for (path, id) in [
            ("/v2", "v2.0"), ("/v2/", "v2.0"), ("/v2.1", "v2.1"), ("/v2.1/", "v2.1"),
            ("/v2.1/\(Self.project)/", "v2.1"),
        ] {
            let shown = try await router.call(.get, "/compute" + path)
            #expect(shown.status == 200 && shown["version", "id"]?.string == id, "\(path)")
        }
    }
}

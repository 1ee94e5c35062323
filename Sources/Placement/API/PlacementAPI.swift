// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementCore
import PolicyKit

/// The placement service's API (1.0 to 1.39).
package struct PlacementAPI: ServiceAPI {
    package let serviceType = "placement"
    package let prefix = "/placement"
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = Self.versions
    package let routes: RouteTable

    static let versions = Versioning(
        serviceName: "placement", minimum: PlacementVersion.minimum, maximum: PlacementVersion.maximum)

    /// `policyOverrides` is the operator's. Throws when one is no rule.
    package init(engine: PlacementEngine, policyOverrides: [String: String] = [:]) throws {
        enforcer = try PolicyEnforcer(PlacementPolicies.all, overrides: policyOverrides)
        let clock = engine.clock
        var routing = PlacementRouting()
        PlacementRootRoutes(clock: clock).register(on: &routing)
        ProviderRoutes(engine: engine, clock: clock).register(on: &routing)
        InventoryRoutes(engine: engine, clock: clock).register(on: &routing)
        TraitRoutes(engine: engine, clock: clock).register(on: &routing)
        ResourceClassRoutes(engine: engine, clock: clock).register(on: &routing)
        AllocationRoutes(engine: engine, clock: clock).register(on: &routing)
        CandidateRoutes(engine: engine, clock: clock).register(on: &routing)
        UsageRoutes(engine: engine, clock: clock).register(on: &routing)
        routing.addRest()
        routes = routing.table
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        PlacementFaults.render(error, status: status, requestID: requestID, version: nil)
    }
}

/// The version document; it needs no token.
struct PlacementRootRoutes: Sendable {
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        routing.table.open(.get, "/") { request in try self.show(request) }
    }

    private func show(_ request: APIRequest) throws -> HTTPResponse {
        let version = try PlacementAPI.versions.negotiate(request.http.headers)
        let bytes = JSONWriter.object { writer in
            writer.array("versions") { versions in
                versions.beginObject()
                versions.field("id", "v\(PlacementVersion.minimum)")
                versions.field("max_version", PlacementVersion.maximum.description)
                versions.field("min_version", PlacementVersion.minimum.description)
                versions.field("status", "CURRENT")
                versions.array("links") { Links.write(&$0, "self", "") }
                versions.endObject()
            }
        }
        var response = PlacementRouting.stamped(.json(200, bytes), modified: clock.now(), version)
        response.headers.set("OpenStack-API-Version", "placement \(version)")
        response.headers.set("Vary", "openstack-api-version")
        return response
    }
}

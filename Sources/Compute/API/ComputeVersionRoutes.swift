// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit

/// What the service is, for anybody: `/`, `/v2`, `/v2.1`.
struct ComputeVersionRoutes: Sendable {
    func register(on routes: inout RouteTable) {
        routes.open(.get, "/", list)
        routes.open(.get, "/v2", { Self.show($0, isLegacy: true) })
        routes.open(.get, "/v2.1", { Self.show($0, isLegacy: false) })
    }

    private func list(_ request: APIRequest) async throws -> HTTPResponse {
        let body = JSONWriter.object { writer in
            writer.array("versions") { writer in
                // Clients look for the old one first and take the other.
                Self.version(&writer, request, isLegacy: true, isDetailed: false)
                Self.version(&writer, request, isLegacy: false, isDetailed: false)
            }
        }
        return .json(body)
    }

    private static func show(_ request: APIRequest, isLegacy: Bool) -> HTTPResponse {
        .json(
            JSONWriter.object { writer in
                writer.key("version")
                version(&writer, request, isLegacy: isLegacy, isDetailed: true)
            })
    }

    private static func version(
        _ writer: inout JSONWriter, _ request: APIRequest, isLegacy: Bool, isDetailed: Bool
    ) {
        let name = isLegacy ? "v2" : "v2.1"
        writer.beginObject()
        writer.field("id", isLegacy ? "v2.0" : "v2.1")
        writer.field("status", isLegacy ? "DEPRECATED" : "CURRENT")
        writer.field("version", isLegacy ? "" : ComputeAPI.maximum.description)
        writer.field("min_version", isLegacy ? "" : ComputeAPI.minimum.description)
        writer.field("updated", isLegacy ? "2025-07-04T12:00:00Z" : "2013-07-23T11:33:21Z")
        writer.array("links") { writer in
            Links.write(&writer, "self", "\(request.serviceURL)/\(name)/")
            if isDetailed {
                writer.beginObject()
                writer.field("rel", "describedby")
                writer.field("type", "text/html")
                writer.field("href", "http://docs.openstack.org/")
                writer.endObject()
            }
        }
        if isDetailed {
            writer.array("media-types") { writer in
                writer.beginObject()
                writer.field("base", "application/json")
                let type = isLegacy ? "2" : "2.1"
                writer.field("type", "application/vnd.openstack.compute+json;version=\(type)")
                writer.endObject()
            }
        }
        writer.endObject()
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit

/// `/` and `/v3`: which versions there are.
struct VersionRoutes: Sendable {
    func register(on routes: inout RouteTable) {
        routes.open(.get, "/", versions)
        routes.open(.get, "/v3", version)
    }

    private func versions(_ request: APIRequest) async throws -> HTTPResponse {
        let body = JSONWriter.object { writer in
            writer.object("versions") { writer in
                writer.array("values") { writer in
                    writer.beginObject()
                    Self.describe(request, &writer)
                    writer.endObject()
                }
            }
        }
        var response = IdentityReply.json(status: 300, body)
        response.headers.set("Location", request.v3URL + "/")
        return response
    }

    private func version(_ request: APIRequest) async throws -> HTTPResponse {
        IdentityReply.one("version") { Self.describe(request, &$0) }
    }

    private static func describe(_ request: APIRequest, _ writer: inout JSONWriter) {
        writer.field("id", "v3.14")
        writer.field("status", "stable")
        writer.field("updated", "2020-04-07T00:00:00Z")
        writer.array("links") { Links.write(&$0, "self", request.v3URL + "/") }
        writer.array("media-types") { writer in
            writer.beginObject()
            writer.field("base", "application/json")
            writer.field("type", "application/vnd.openstack.identity-v3+json")
            writer.endObject()
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit

/// `/` and `/versions`: which versions there are. Glance has no microversions; a number says which features exist.
struct ImageVersionRoutes: Sendable {
    private static let current = "v2.18"
    private static let supported = [
        "v2.17", "v2.16", "v2.15", "v2.14", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2",
        "v2.1", "v2.0",
    ]

    func register(on routes: inout RouteTable) {
        routes.open(.get, "/") { request in Self.document(request, status: 300) }
        routes.open(.get, "/versions") { request in Self.document(request, status: 200) }
    }

    private static func document(_ request: APIRequest, status: Int) -> HTTPResponse {
        .json(
            status,
            JSONWriter.object { writer in
                writer.array("versions") { versions in
                    for id in [current] + supported {
                        versions.beginObject()
                        versions.field("id", id)
                        versions.field("status", id == current ? "CURRENT" : "SUPPORTED")
                        versions.array("links") { Links.write(&$0, "self", request.serviceURL + "/v2/") }
                        versions.endObject()
                    }
                }
            })
    }
}

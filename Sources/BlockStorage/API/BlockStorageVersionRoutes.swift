// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit

/// What the service is, for anybody: `/` and `/v3`.
struct BlockStorageVersionRoutes: Sendable {
    func register(on routes: inout RouteTable) {
        // cinder: api/versions.py, `all` and `index`.
        routes.open(.get, "/", { Self.document($0, status: 300) })
        routes.open(.get, "/v3", { Self.document($0, status: 200) })
    }

    private static func document(_ request: APIRequest, status: Int) -> HTTPResponse {
        .object(status) { writer in
            writer.array("versions") { writer in
                writer.beginObject()
                writer.field("id", "v3.0")
                writer.field("status", "CURRENT")
                writer.field("version", BlockStorageAPI.maximum.description)
                writer.field("min_version", BlockStorageAPI.minimum.description)
                writer.field("updated", "2023-08-31T00:00:00Z")
                writer.array("links") { writer in
                    writer.beginObject()
                    writer.field("rel", "describedby")
                    writer.field("type", "text/html")
                    writer.field("href", "https://docs.openstack.org/")
                    writer.endObject()
                    Links.write(&writer, "self", "\(request.serviceURL)/v3/")
                }
                writer.array("media-types") { writer in
                    writer.beginObject()
                    writer.field("base", "application/json")
                    writer.field("type", "application/vnd.openstack.volume+json;version=3")
                    writer.endObject()
                }
                writer.endObject()
            }
        }
    }
}

extension HTTPResponse {
    /// A body that `write` fills.
    static func object(_ status: Int = 200, capacity: Int = 1024, _ write: (inout JSONWriter) throws -> Void) rethrows
        -> HTTPResponse
    {
        .json(status, try JSONWriter.object(capacity: capacity, write))
    }
}

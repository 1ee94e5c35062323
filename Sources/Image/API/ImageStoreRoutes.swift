// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import PolicyKit

/// /v2/stores and /v2/info/stores/detail
struct ImageStoreRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        routes.add(.delete, "/v2/stores/{store_id}/{id}", object: .deleteImageLocation, delete)
        routes.add(.get, "/v2/info/stores/detail", policy: .storesInfoDetail, detail)
        routes.add(.get, "/v2/info/usage", policy: "image_discovery", usage)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.delete(request.id("id"), fromStore: request.parameter("store_id"), for: context)
        return .noContent()
    }

    private func detail(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let stores = engine.stores
        return .json(
            200,
            JSONWriter.object { writer in
                writer.array("stores") { array in
                    for name in stores.names {
                        array.beginObject()
                        ImageDiscoveryRoutes.write(name, of: stores, &array)
                        array.field("type", "file")
                        array.field("weight", 0)
                        array.object("properties") { properties in
                            properties.field("data_dir", engine.directory(ofStore: name))
                            properties.field("chunk_size", 65_536)
                            properties.field("thin_provisioning", false)
                        }
                        array.endObject()
                    }
                }
            })
    }

    private func usage(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let quotas = try await engine.quotaUse(for: context)
        return .json(
            200,
            JSONWriter.object { writer in
                writer.object("usage") { usage in
                    for quota in quotas {
                        usage.key(dynamic: quota.quota.rawValue)
                        usage.beginObject()
                        usage.field("usage", quota.usage)
                        usage.field("limit", quota.limit)
                        usage.endObject()
                    }
                }
            })
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageCore
import PolicyKit

/// /v2/schemas and /v2/info: what the service has.
struct ImageDiscoveryRoutes: Sendable {
    let config: ImageConfig

    func register(on routes: inout RouteTable) {
        let documents: [(String, [UInt8])] = [
            ("/v2/schemas/image", ImageSchemaDocument.image), ("/v2/schemas/images", ImageSchemaDocument.images),
            ("/v2/schemas/member", ImageSchemaDocument.member), ("/v2/schemas/members", ImageSchemaDocument.members),
            ("/v2/info/import", importMethods), ("/v2/info/stores", stores),
        ]
        for (path, bytes) in documents {
            routes.add(.get, path, policy: "image_discovery") { _, _ in .json(200, bytes) }
        }
    }

    private var importMethods: [UInt8] {
        JSONWriter.object { writer in
            writer.object("import-methods") { methods in
                methods.field("description", "Import methods available.")
                methods.field("type", "array")
                methods.field("value", config.importMethods)
            }
        }
    }

    private var stores: [UInt8] {
        JSONWriter.object { writer in
            writer.array("stores") { stores in
                stores.beginObject()
                stores.field("id", config.storeID)
                stores.field("description", "Files of the controller")
                stores.field("default", "true")
                stores.endObject()
            }
        }
    }
}

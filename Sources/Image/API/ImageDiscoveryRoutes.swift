// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageCore
import PolicyKit

/// /v2/schemas and /v2/info: what the service has.
struct ImageDiscoveryRoutes: Sendable {
    let engine: ImageEngine

    func register(on routes: inout RouteTable) {
        let documents: [(String, [UInt8])] = [
            ("/v2/schemas/image", ImageSchemaDocument.image), ("/v2/schemas/images", ImageSchemaDocument.images),
            ("/v2/schemas/member", ImageSchemaDocument.member), ("/v2/schemas/members", ImageSchemaDocument.members),
            ("/v2/schemas/task", ImageSchemaDocument.task), ("/v2/schemas/tasks", ImageSchemaDocument.tasks),
            ("/v2/info/import", importMethods), ("/v2/info/stores", stores),
        ]
        let definitions = MetadataSchemaDocument.all.map { ("/v2/schemas/metadefs/\($0)", $1) }
        for (path, bytes) in documents + definitions {
            routes.add(.get, path, policy: "image_discovery") { _, _ in .json(200, bytes) }
        }
    }

    private var importMethods: [UInt8] {
        JSONWriter.object { writer in
            writer.object("import-methods") { methods in
                methods.field("description", "Import methods available.")
                methods.field("type", "array")
                methods.field("value", engine.importMethods.map(\.rawValue))
            }
        }
    }

    private var stores: [UInt8] {
        JSONWriter.object { writer in
            writer.array("stores") { array in
                for name in engine.stores.names {
                    array.beginObject()
                    Self.write(name, of: engine.stores, &array)
                    array.endObject()
                }
            }
        }
    }

    /// What everybody sees of a store, into the open object.
    static func write(_ name: String, of stores: ImageFileStores, _ writer: inout JSONWriter) {
        writer.field("id", name)
        writer.field("description", "Files of the controller")
        if name == stores.defaultName { writer.field("default", "true") }
    }
}

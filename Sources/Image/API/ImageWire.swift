// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ImageContract
import ImageCore

/// How images and members look on the wire.
enum ImageWire {
    static func body(_ image: Image) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024)
        write(image, to: &writer)
        return writer.finish()
    }

    static func write(_ image: Image, to writer: inout JSONWriter) {
        writer.beginObject()
        for (name, value) in image.properties.sorted(by: { $0.key < $1.key }) {
            writer.key(dynamic: name)
            writer.value(value)
        }
        writer.field("name", image.name)
        writer.field("disk_format", image.diskFormat)
        writer.field("container_format", image.containerFormat)
        writer.field("visibility", image.visibility.rawValue)
        writer.field("size", image.sizeBytes.map { Int($0) })
        writer.field("virtual_size", image.virtualSizeBytes.map { Int($0) })
        writer.field("status", image.status.rawValue)
        writer.field("checksum", image.checksum)
        writer.field("protected", image.isProtected)
        writer.field("min_ram", image.minRAMMiB)
        writer.field("min_disk", image.minDiskGiB)
        writer.field("owner", image.owner)
        writer.field("os_hidden", image.isHidden)
        writer.field("os_hash_algo", image.hashAlgorithm)
        writer.field("os_hash_value", image.hashValue)
        writer.field("id", image.id)
        writer.field("created_at", image.createdAt.iso8601())
        writer.field("updated_at", image.updatedAt.iso8601())
        writer.field("tags", image.tags)
        writer.field("self", "/v2/images/\(image.id)")
        writer.field("file", "/v2/images/\(image.id)/file")
        writer.field("schema", "/v2/schemas/image")
        if image.hasData, !image.stores.isEmpty { writer.field("stores", image.stores.joined(separator: ",")) }
        if let stores = image.importingStores {
            writer.field("os_glance_importing_to_stores", stores.joined(separator: ","))
        }
        if let stores = image.failedStores {
            writer.field("os_glance_failed_import", stores.joined(separator: ","))
        }
        if let task = image.importTask { writer.field("os_glance_import_task", task) }
        writer.endObject()
    }

    static func write(_ member: ImageMember, to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("member_id", member.memberID)
        writer.field("image_id", member.imageID)
        writer.field("status", member.status.rawValue)
        writer.field("created_at", member.createdAt.iso8601())
        writer.field("updated_at", member.updatedAt.iso8601())
        writer.field("schema", "/v2/schemas/member")
        writer.endObject()
    }

    static func body(_ member: ImageMember) -> [UInt8] {
        var writer = JSONWriter()
        write(member, to: &writer)
        return writer.finish()
    }
}

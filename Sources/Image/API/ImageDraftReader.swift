// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract
import ImageCore

/// Reads the body of a create.
enum ImageDraftReader {
    static func read(_ body: JSON) throws -> ImageDraft {
        guard case .object(let fields) = body else {
            throw CloudError.badRequest(
                "Provided object does not match schema 'image': the body is not of type 'object'")
        }
        var draft = ImageDraft()
        for (field, value) in fields.sorted(by: { $0.key < $1.key }) {
            if field == "locations" { throw CloudError.forbidden("Attribute 'locations' is reserved.") }
            if field != "id" { try ImageSchema.checkWritable(field) }
            try ImageSchema.validate(field, value)
            set(field, value, on: &draft)
        }
        return draft
    }

    private static func set(_ field: String, _ value: JSON, on draft: inout ImageDraft) {
        switch field {
        case "id": draft.id = value.string.map { ImageID($0) }
        case "name": draft.name = value.string
        case "owner": draft.owner = value.string.map { ProjectID($0) }
        case "visibility": draft.visibility = value.string.flatMap(Image.Visibility.init)
        case "protected": draft.isProtected = value.bool ?? false
        case "os_hidden": draft.isHidden = value.bool ?? false
        case "min_disk": draft.minDiskGiB = value.int ?? 0
        case "min_ram": draft.minRAMMiB = value.int ?? 0
        case "disk_format": draft.diskFormat = value.string
        case "container_format": draft.containerFormat = value.string
        case "tags": draft.tags = Set((value.array ?? []).compactMap(\.string)).sorted()
        default: draft.properties[field] = value.string
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract

/// One operation of a JSON patch that was read and fits the schema.
package struct ImageChange: Sendable, Equatable {
    package enum Operation: String, Sendable, CaseIterable { case add, remove, replace }

    package var operation: Operation
    package var field: String
    /// Null for a removal.
    package var value: JSON
    /// Draft 4 of JSON Schema's patch refuses to add what exists; draft 10 replaces it (glance: `_do_add`).
    package var isDraft4: Bool

    package init(_ operation: Operation, _ field: String, _ value: JSON = .null, isDraft4: Bool = false) {
        self.operation = operation
        self.field = field
        self.value = value
        self.isDraft4 = isDraft4
    }

    /// The visibility that this change asks for, when it does.
    package func visibility() throws -> Image.Visibility? {
        guard operation != .remove, let text = value.string else { return nil }
        return Image.Visibility(rawValue: text)
    }

    package func apply(to image: inout Image, isAdmin: Bool) throws {
        if field == "locations" {
            throw CloudError.forbidden("It's not allowed to update locations if locations are invisible.")
        }
        if field == "owner", operation != .remove, !isAdmin {
            throw CloudError.forbidden("Owner can't be updated by non admin.")
        }
        if ImageSchema.baseFields.contains(field) { return try applyBase(to: &image) }
        let exists = image.properties[field] != nil
        switch operation {
        case .remove:
            guard exists else { throw CloudError.conflict("Property \(field) does not exist.") }
            image.properties[field] = nil
        case .replace:
            guard exists else { throw CloudError.conflict("Property \(field) does not exist.") }
            image.properties[field] = value.string
        case .add:
            if isDraft4, exists { throw CloudError.conflict("Property \(field) already present.") }
            image.properties[field] = value.string
        }
    }

    private func applyBase(to image: inout Image) throws {
        if operation == .remove { throw CloudError.forbidden("Property \(field) may not be removed.") }
        if operation == .add, isDraft4 { throw CloudError.conflict("Property \(field) already present.") }
        switch field {
        case "name": image.name = value.string
        case "visibility": image.visibility = value.string.flatMap(Image.Visibility.init) ?? image.visibility
        case "owner": image.owner = value.string.map { ProjectID($0) }
        case "protected": image.isProtected = value.bool ?? image.isProtected
        case "os_hidden": image.isHidden = value.bool ?? image.isHidden
        case "min_disk": image.minDiskGiB = value.int ?? image.minDiskGiB
        case "min_ram": image.minRAMMiB = value.int ?? image.minRAMMiB
        case "tags": image.tags = Set((value.array ?? []).compactMap(\.string)).sorted()
        case "disk_format":
            try requireQueued(image)
            image.diskFormat = value.string
        case "container_format":
            try requireQueued(image)
            image.containerFormat = value.string
        default: preconditionFailure("\(field) is no base field")
        }
    }

    private func requireQueued(_ image: Image) throws {
        guard image.status == .queued else {
            throw CloudError.forbidden("Attribute \(field) can be only replaced for a queued image.")
        }
    }
}

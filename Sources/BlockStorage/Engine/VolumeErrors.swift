// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// Failures that several engines and routes share, in upstream's words (cinder: exception.py).
package enum VolumeErrors {
    package static func invalidVolume(_ reason: String) -> CloudError {
        .badRequest("Invalid volume: \(reason)", kind: "InvalidVolume")
    }

    package static func invalidSnapshot(_ reason: String) -> CloudError {
        .badRequest("Invalid snapshot: \(reason)", kind: "InvalidSnapshot")
    }

    package static func invalidInput(_ reason: String) -> CloudError {
        .badRequest("Invalid input received: \(reason)", kind: "InvalidInput")
    }

    package static func notFound(_ id: VolumeID) -> CloudError {
        .notFound("Volume \(id.rawValue.prefix(255)) could not be found.", kind: "VolumeNotFound")
    }

    package static func notFound(_ id: VolumeSnapshotID) -> CloudError {
        .notFound("Snapshot \(id.rawValue.prefix(255)) could not be found.", kind: "SnapshotNotFound")
    }

    package static func notFound(_ id: VolumeAttachmentID) -> CloudError {
        .notFound(
            "Volume attachment could not be found with filter: attachment_id = \(id.rawValue.prefix(255)).",
            kind: "VolumeAttachmentNotFound")
    }

    package static func invalidHost(_ reason: String) -> CloudError {
        .badRequest("Invalid host: \(reason)", kind: "InvalidHost")
    }

    /// What could be managed by a reference, or why not.
    package static func manageable(
        _ reference: String, _ what: String, in list: [ManageableResource]
    ) throws -> ManageableResource {
        let found = list.filter { $0.reference == reference }
        if let free = found.first(where: { $0.managedID == nil }) { return free }
        guard found.isEmpty else {
            throw CloudError.badRequest(
                "Unable to manage existing \(what). \(what == "volume" ? "Volume" : "Snapshot") "
                    + "\(reference.prefix(255)) already managed.",
                kind: "ManageExistingAlreadyManaged")
        }
        throw invalidReference(reference, what, "the backend has no such \(what).")
    }

    package static func invalidReference(_ reference: String, _ what: String, _ reason: String) -> CloudError {
        .badRequest(
            "Manage existing \(what) failed due to invalid backend reference \(reference.prefix(255)): \(reason)",
            kind: "ManageExistingInvalidReference")
    }

    /// `available or in-use`.
    static func either(_ words: [String]) -> String {
        guard words.count > 1, let last = words.last else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }
}

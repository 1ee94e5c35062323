// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What a new volume is to be: the request, read but not yet resolved.
package struct VolumeDraft: Sendable {
    package enum Source: Sendable, Equatable {
        case blank
        /// An id, or a name.
        case image(String)
        case snapshot(VolumeSnapshotID)
        case volume(VolumeID)
    }

    /// Chosen by a caller that repeats itself; nil: a new one.
    package var id: VolumeID?
    /// Nil: as large as the source.
    package var sizeGiB: Int?
    package var source: Source
    package var name: String?
    package var description: String?
    /// An id or a name; nil: the source's type, or the default one.
    package var type: String?
    package var zone: String?
    package var metadata: [String: String]
    package var groupID: VolumeGroupID?
    package var groupSnapshotID: GroupSnapshotID?
    package var hints: VolumeHints
    /// The image that a server's snapshot made (`block_device_mapping`) stands for a snapshot.
    package var imageMetadata: [String: String]?

    package init(source: Source = .blank, sizeGiB: Int? = nil, name: String? = nil) {
        self.source = source
        self.sizeGiB = sizeGiB
        self.name = name
        metadata = [:]
        hints = VolumeHints()
    }
}

/// `OS-SCH-HNT:scheduler_hints`.
package struct VolumeHints: Sendable, Codable, Equatable {
    package var sameHost: [VolumeID] = []
    package var differentHost: [VolumeID] = []
    package init() {}
}

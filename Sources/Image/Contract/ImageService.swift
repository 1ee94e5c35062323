// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum ImageTag {}
package typealias ImageID = ID<ImageTag>

/// An image as other services see it.
package struct ImageInfo: Sendable, Equatable, Codable {
    package var id: ImageID
    package var name: String
    /// `queued`, `saving`, `active`, …
    package var status: String
    package var owner: ProjectID?
    /// As declared, and checked against the bytes: `raw`, `qcow2`, `iso`, …
    package var diskFormat: String?
    package var containerFormat: String?
    package var sizeBytes: Int64
    /// What a guest would see; equal to the size for raw.
    package var virtualSizeBytes: Int64
    package var minDiskGiB: Int
    package var minRAMMiB: Int
    package var checksum: String?
    /// Custom properties, such as `hw_disk_bus`, `os_distro`.
    package var properties: [String: String]

    package init(
        id: ImageID, name: String, status: String, owner: ProjectID?, diskFormat: String?, containerFormat: String?,
        sizeBytes: Int64, virtualSizeBytes: Int64, minDiskGiB: Int, minRAMMiB: Int, checksum: String?,
        properties: [String: String]
    ) {
        self.id = id
        self.name = name
        self.status = status
        self.owner = owner
        self.diskFormat = diskFormat
        self.containerFormat = containerFormat
        self.sizeBytes = sizeBytes
        self.virtualSizeBytes = virtualSizeBytes
        self.minDiskGiB = minDiskGiB
        self.minRAMMiB = minRAMMiB
        self.checksum = checksum
        self.properties = properties
    }
}

package protocol ImageService: Sendable {
    /// Nil when there is none, or when `principal` may not see it.
    func image(_ id: ImageID, for principal: Principal) async throws -> ImageInfo?
    /// Many at once, for lists. Unseen ones are left out.
    func images(_ ids: [ImageID], for principal: Principal) async throws -> [ImageID: ImageInfo]
}

/// Where an agent gets the bytes of an active image.
package protocol ImageSource: Sendable {
    /// Puts the image's bytes at `path` (by hard link, reflink or copy; the file must be treated as read-only).
    /// Throws `.notFound` when there is no such active image.
    func fetch(_ id: ImageID, to path: String) async throws
}

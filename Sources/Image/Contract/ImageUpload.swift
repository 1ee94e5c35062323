// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// An image that another service makes of bytes of its own.
package struct ImageUploadDraft: Sendable, Codable, Equatable {
    package var name: String
    package var diskFormat: String
    package var containerFormat: String
    /// `private`, `shared`, `public`, `community`.
    package var visibility: String
    package var isProtected: Bool
    package var minDiskGiB: Int
    package var minRAMMiB: Int
    package var properties: [String: String]

    package init(
        name: String, diskFormat: String = "raw", containerFormat: String = "bare", visibility: String = "shared",
        isProtected: Bool = false, minDiskGiB: Int = 0, minRAMMiB: Int = 0, properties: [String: String] = [:]
    ) {
        self.name = name
        self.diskFormat = diskFormat
        self.containerFormat = containerFormat
        self.visibility = visibility
        self.isProtected = isProtected
        self.minDiskGiB = minDiskGiB
        self.minRAMMiB = minRAMMiB
        self.properties = properties
    }
}

/// What services that make images ask of Image. Ids are chosen by the caller, so every call may be repeated.
package protocol ImageUpload: Sendable {
    /// Makes the image, `queued` and without bytes, with quota and policy of `principal`.
    func ensureImage(_ id: ImageID, _ draft: ImageUploadDraft, for principal: Principal) async throws -> ImageInfo
    /// Reads the file at `path` into the image, which is `active` when this returns. Waits for an upload that is under
    /// way for `limit` at most.
    func upload(_ id: ImageID, from path: String, limit: Duration, for principal: Principal) async throws
    /// Takes the image back when its bytes never came. Not an error when it is gone.
    func discard(_ id: ImageID, for principal: Principal) async throws
    /// Deletes an image that another service made, with its bytes. Not an error when it is gone.
    func remove(_ id: ImageID, for principal: Principal) async throws
    /// Images that `principal` sees and that have all of these properties, newest first.
    func images(withProperties properties: [String: String], for principal: Principal) async throws -> [ImageID]
}

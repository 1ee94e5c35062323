// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// What an upload says of the object, besides its bytes.
package struct ObjectDraft: Sendable {
    package var contentType: String
    /// Lower-case names.
    package var headers: [String: String] = [:]
    package var system: [String: String] = [:]
    /// What is known of the body when all of it has come; joins `system`.
    package var lateSystem: (@Sendable () -> [String: String])?
    /// As the client says; the body must agree.
    package var sizeBytes: Int64?
    package var etag: String?
    /// Refused when there is an object already.
    package var mustBeNew = false
    /// Nil: now.
    package var time: WriteTime?

    package init(contentType: String) { self.contentType = contentType }
}

/// Why an upload was not taken.
package enum UploadFault: Error, Sendable, Equatable {
    /// The body ended early, or its sender went away.
    case incomplete
    case tooLarge
    /// The bytes are not those of the ETag that was sent with them.
    case wrongETag
    case alreadyThere
    /// A later write is there.
    case outdated
}

// SPDX-License-Identifier: Apache-2.0

/// What an operator may set of the image service.
package struct ImageConfig: Sendable {
    /// Where the files are; absolute. The composition root sets it.
    package var directory: String
    /// Names the store in `stores` and in headers.
    package var storeID = "file"
    package var importMethods = ["glance-direct"]
    package var defaultPageSize = 25
    package var maximumPageSize = 1000
    /// glance: `image_size_cap`.
    package var maximumImageBytes: Int64 = 1 << 40
    package var maximumProperties = 128
    package var maximumTags = 128
    package var maximumMembers = 128
    /// An upload that says nothing for this long is dead, and its image is queued again.
    package var uploadSilence: Duration = .seconds(60)
    package var uploadHeartbeat: Duration = .seconds(15)

    package init(directory: String) { self.directory = directory }
}

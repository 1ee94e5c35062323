// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit

/// What an operator may set of the image service.
package struct ImageConfig: ConfigSection {
    package static let section = "image"
    package static let title = "Image"

    /// Where the files are; absolute. No option: the composition root sets it.
    package var directory = ""
    /// Ways in which clients bring an image in two calls. No option: these are all there are.
    package let importMethods = ["glance-direct"]
    @ConfigOption("The name of the store, as clients see it.", length: 1...64)
    package var storeID = "file"
    @ConfigOption("Images on one page of a list when nobody says how many.", range: 1...1000)
    package var defaultPageSize = 25
    @ConfigOption("Most images on one page of a list.", range: 1...10_000)
    package var maximumPageSize = 1000
    @ConfigOption("Bytes of the largest image.", range: 1...(1 << 50))
    package var maximumImageBytes: Int64 = 1 << 40
    @ConfigOption("Most properties of one image.", range: 0...10_000)
    package var maximumProperties = 128
    @ConfigOption("Most tags of one image.", range: 0...10_000)
    package var maximumTags = 128
    @ConfigOption("Most projects that one image is shared with.", range: 0...10_000)
    package var maximumMembers = 128
    @ConfigOption(
        "An upload that brings nothing for this long is dead, and its image is queued again.",
        range: .seconds(30)...(.seconds(86_400)))
    package var uploadSilence: Duration = .seconds(60)
    @ConfigOption("How often an upload says that it lives.", range: .seconds(1)...(.seconds(20)))
    package var uploadHeartbeat: Duration = .seconds(15)

    package init() {}
    package init(directory: String) { self.directory = directory }
}

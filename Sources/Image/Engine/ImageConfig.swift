// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit

/// What an operator may set of the image service.
package struct ImageConfig: ConfigSection {
    package static let section = "image"
    package static let title = "Image"

    /// Where the files are; absolute. No option: the composition root sets it.
    package var directory = ""
    @ConfigOption("The name of the default store, as clients see it.", length: 1...64)
    package var storeID = "file"
    @ConfigOption(
        "Further stores, each as name=/directory, where images may be copied.", bounds: "name=/absolute/path",
        check: { ImageConfig.furtherStores($0) != nil })
    package var stores: [String] = []
    @ConfigOption("Schemes of URLs that images are imported from.")
    package var importSchemes = ["http", "https"]
    @ConfigOption("Ports of servers that images are imported from.")
    package var importPorts = [80, 443]
    @ConfigOption("The only hosts that images are imported from; every host when empty.")
    package var importHosts: [String] = []
    @ConfigOption(
        "Networks that images may be imported from although they are private, as CIDRs.", bounds: "CIDRs",
        check: { $0.allSatisfy { CIDR($0) != nil } })
    package var importNetworks: [String] = []
    @ConfigOption("Redirects that an import follows.", range: 0...20)
    package var importRedirects = 5
    @ConfigOption("Whether projects may make images of http and https URLs by their locations.")
    package var allowsWebLocations = false
    @ConfigOption("How long an ended task is shown.", range: .seconds(60)...(.seconds(31_536_000)))
    package var taskRetention: Duration = .seconds(48 * 3600)
    @ConfigOption("Bytes that the cache of images keeps when it is pruned.", range: 0...(1 << 50))
    package var cacheBytes: Int64 = 10 << 30
    @ConfigOption("Whether Identity's unified limits bound images.")
    package var usesUnifiedLimits = false
    @ConfigOption("Images on one page of a list when nobody says how many.", range: 1...1000)
    package var defaultPageSize = 25
    @ConfigOption("Most images on one page of a list.", range: 1...10_000)
    package var maximumPageSize = 1000
    @ConfigOption(
        "Whether bytes of no known format are refused for an image that says one. What is of another format, or not safe "
            + "to open, is refused always.")
    package var requiresFormatMatch = true
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

    package var importFilter: ImportFilter {
        ImportFilter(
            schemes: importSchemes, ports: importPorts, hosts: importHosts,
            openNetworks: importNetworks.compactMap { CIDR($0) })
    }

    /// Names and directories; nil when one is not of the form. A name is a word of letters, digits, `-` and `_`, and
    /// comes once.
    package static func furtherStores(_ entries: [String]) -> [(name: String, directory: String)]? {
        var stores: [(name: String, directory: String)] = []
        for entry in entries {
            let halves = entry.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, halves[1].hasPrefix("/"), (1...64).contains(halves[0].utf8.count),
                halves[0].utf8.allSatisfy(isNameByte), !halves[0].hasPrefix("os_glance"),
                !stores.contains(where: { $0.name == halves[0] })
            else { return nil }
            stores.append((String(halves[0]), String(halves[1])))
        }
        return stores
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
        default: false
        }
    }
}

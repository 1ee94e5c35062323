// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ImageContract
import LifecycleKit
import LinuxKit
import LogKit

/// Images on this host, each fetched once. Guests hold them by hard links of their own, so the cache may drop an
/// image at any time, and an image with one link is one that nobody uses.
struct BaseImageCache: Sendable {
    /// Formats that QEMU runs guests from; the rest is converted when it arrives.
    private static let direct: Set<String> = ["raw", "qcow2", "iso"]
    private static let convertible: Set<String> = ["vmdk", "vdi", "vhdx", "vpc", "vhd"]
    static var formats: Set<String> { direct.union(convertible) }

    let directory: String
    let images: any ImageSource
    private let tool = DiskImageTool()
    private let queue = KeyedSerialQueue<String>("base images")
    private let log = Logger("base-images")

    init(directory: String, images: any ImageSource) {
        self.directory = directory
        self.images = images
    }

    /// Puts the image at `path`. Returns the format that it now has.
    func place(_ image: GuestSpecification.RootImage, at path: String) async throws -> String {
        try await keep(image, linkedAs: path)
    }

    /// Fetches the image unless it is here.
    func keep(_ image: GuestSpecification.RootImage) async throws { _ = try await keep(image, linkedAs: nil) }

    private func keep(_ image: GuestSpecification.RootImage, linkedAs path: String?) async throws -> String {
        guard UUIDText.isUUID(image.imageID) else {
            throw CloudError.badRequest("'\(image.imageID)' is not an image id.")
        }
        let isDirect = Self.direct.contains(image.format)
        guard isDirect || Self.convertible.contains(image.format) else {
            throw CloudError.badRequest(
                "Servers cannot boot from images in the format '\(image.format)'.", kind: "ImageUnacceptable")
        }
        let format = isDirect ? image.format : "qcow2"
        let cached = "\(directory)/\(image.imageID).\(format)"
        try await queue.run(image.imageID) {
            if try await !FileSystem.onThread({ FileSystem.exists(cached) }) { try await fetch(image, as: cached) }
            if let path { try await FileSystem.onThread { try FileSystem.link(cached, as: path) } }
        }
        return format
    }

    /// Removes images that no guest has used for `lifetime`. Also half-fetched ones, when none is being fetched.
    func evict(unusedFor lifetime: Duration, now: Timestamp) async throws {
        let directory = directory
        for name in try await FileSystem.onThread({ try FileSystem.list(directory) }) {
            let path = "\(directory)/\(name)"
            let id = String(name.prefix { $0 != "." })
            try await queue.run(id) {
                let isRemoved = try await FileSystem.onThread {
                    guard let status = try FileSystem.status(path), status.linkCount == 1 || name.hasSuffix(".part"),
                        Timestamp(seconds: status.changedSeconds) + lifetime < now
                    else { return false }
                    try FileSystem.removeTree(path)
                    return true
                }
                if isRemoved { log.info("unused base image removed", ["image": id]) }
            }
        }
    }

    private func fetch(_ image: GuestSpecification.RootImage, as cached: String) async throws {
        let directory = directory
        let partial = "\(cached).part"
        let converted = "\(cached).converted.part"
        try await FileSystem.onThread {
            try FileSystem.makeDirectories(directory)
            try FileSystem.removeTree(partial)
            try FileSystem.removeTree(converted)
        }
        try await images.fetch(ImageID(image.imageID), to: partial)
        let format = image.format == "vhd" ? "vpc" : image.format
        if format != "iso", format != "raw" {
            try await tool.checkStandsAlone(partial, format: format, sizeBytes: image.virtualSizeBytes)
        }
        let isDirect = Self.direct.contains(format)
        if !isDirect { try await tool.convert(partial, format: format, to: converted) }
        try await FileSystem.onThread {
            // Who finds the name finds the whole image, after a power cut, too.
            try FileSystem.synchronize(isDirect ? partial : converted)
            try FileSystem.rename(isDirect ? partial : converted, to: cached)
            try FileSystem.synchronize(directory)
            try FileSystem.removeTree(partial)
        }
    }
}

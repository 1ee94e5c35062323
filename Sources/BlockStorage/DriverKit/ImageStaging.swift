// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract
import LinuxKit

/// Brings an image's bytes to the storage host, and refuses those that would make QEMU open anything else.
package struct ImageStaging: Sendable {
    /// Formats by the name that Image uses, with QEMU's driver.
    private static let drivers = [
        "raw": "raw", "iso": "raw", "ami": "raw", "ari": "raw", "aki": "raw", "qcow2": "qcow2", "vmdk": "vmdk",
        "vdi": "vdi", "vhdx": "vhdx", "vhd": "vpc", "vpc": "vpc",
    ]
    private static let sparseDiskMagic: [UInt8] = [0x4B, 0x44, 0x4D, 0x56]

    private let images: any ImageSource
    private let tool: DiskImageTool

    package init(images: any ImageSource, tool: DiskImageTool) {
        self.images = images
        self.tool = tool
    }

    /// Throws `.badRequest` when volumes cannot be made from images of this format.
    package static func driver(ofFormat format: String) throws -> String {
        guard let driver = drivers[format] else {
            throw CloudError.badRequest(
                "Volumes cannot be made from images in the format '\(format)'.", kind: "ImageUnacceptable")
        }
        return driver
    }

    /// Puts the image at `path`, which nobody else uses. The file is read-only: it may share its bytes with Image's
    /// own.
    package func fetch(_ id: String, format: String, to path: String) async throws -> ImageNode {
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("'\(id)' is not an image id.") }
        let driver = try Self.driver(ofFormat: format)
        try await FileSystem.onThread { try FileSystem.removeTree(path) }
        try await images.fetch(ImageID(id), to: path)
        return try await check(path, driver: driver)
    }

    /// The file as a node that stands alone. Throws unless it does.
    package func check(_ path: String, driver: String) async throws -> ImageNode {
        switch driver {
        case "raw": return .raw(path: path)
        case "qcow2":
            // By the own parser first: qemu-img opens a data file that a header names before it tells of it.
            let header = try await FileSystem.onThread { try QCOW2Header(path: path) }
            guard header.backingName == nil, !header.hasDataFile else { throw Self.refersElsewhere }
            guard !header.isEncrypted else {
                throw CloudError.badRequest("The image is encrypted.", kind: "ImageUnacceptable")
            }
        case "vmdk": try await FileSystem.onThread { try Self.checkSparseDisk(path) }
        default: break
        }
        let info = try await tool.inspectForeign(path, driver: driver)
        let specific = info["format-specific"]?["data"]
        let kind = specific?["create-type"]?.string
        guard info["backing-filename"] == nil, info["full-backing-filename"] == nil, specific?["data-file"] == nil,
            driver != "vmdk" || kind == "monolithicSparse" || kind == "streamOptimized"
        else { throw Self.refersElsewhere }
        return driver == "qcow2"
            ? .qcow2(path: path, isEncrypted: false, backing: nil) : .foreign(path: path, driver: driver)
    }

    /// The disk's size inside the image.
    package func virtualSize(_ node: ImageNode) async throws -> Int64 {
        let path = node.path
        switch node {
        case .luks(_, let size), .encryptedRBD(_, let size): return size
        case .raw, .rbd:
            return try await FileSystem.onThread { try FileSystem.status(path)?.size ?? 0 }
        case .qcow2: return try await FileSystem.onThread { try QCOW2Header(path: path).virtualSizeBytes }
        case .foreign(_, let driver):
            let info = try await tool.inspectForeign(path, driver: driver)
            guard let size = info["virtual-size"]?.int else { throw Self.refersElsewhere }
            return size
        }
    }

    /// Throws upstream's words unless the image's disk fits.
    package static func checkFits(_ virtualSizeBytes: Int64, sizeGiB: Int) throws {
        guard virtualSizeBytes <= Int64(sizeGiB) << 30 else {
            throw CloudError.badRequest(
                "Image virtual size is \((virtualSizeBytes + (1 << 30) - 1) >> 30)GB and doesn't fit in a volume of "
                    + "size \(sizeGiB)GB.", kind: "ImageUnacceptable")
        }
    }

    /// A VMDK is a text that names files, unless it begins like this and has a capacity: QEMU looks for the text in
    /// one without.
    private static func checkSparseDisk(_ path: String) throws {
        guard let bytes = try FileSystem.read(path, limit: 512), bytes.count == 512,
            Array(bytes[..<4]) == sparseDiskMagic, bytes[12..<20].contains(where: { $0 != 0 })
        else { throw refersElsewhere }
    }

    private static let refersElsewhere = CloudError.badRequest(
        "The image refers to another file.", kind: "ImageUnacceptable")
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Makes a guest's disks from nothing. Repeatable: what an earlier try left is replaced.
struct GuestDisks: Sendable {
    private static let bytesPerGiB: Int64 = 1 << 30
    private static let bytesPerMiB: Int64 = 1 << 20

    let cache: BaseImageCache
    private let tool = DiskImageTool()

    init(cache: BaseImageCache) { self.cache = cache }

    func create(_ guest: GuestSpecification, layout: DiskLayout) async throws {
        let files = layout.files
        try await FileSystem.onThread {
            try FileSystem.removeTree(files.directory)
            try FileSystem.makeDirectories(files.directory, mode: 0o711)
        }
        if layout.bootsFromCDROM {
            _ = try await cache.place(guest.rootImage, at: files.cdrom)
            if layout.hasRootDisk {
                try await tool.createBlank(files.root, sizeBytes: Int64(guest.rootDiskGiB) * Self.bytesPerGiB)
            }
        } else {
            let size = try Self.rootSize(guest)
            let format = try await cache.place(guest.rootImage, at: files.base)
            try await tool.createOverlay(files.root, base: files.base, baseFormat: format, sizeBytes: size)
        }
        if guest.ephemeralDiskGiB > 0 {
            try await makeEphemeral(files.ephemeral, Int64(guest.ephemeralDiskGiB) * Self.bytesPerGiB)
        }
        if guest.swapMiB > 0 { try await makeSwap(files.swap, Int64(guest.swapMiB) * Self.bytesPerMiB) }
        if !guest.configDrive.isEmpty {
            try await ConfigDrive(files: guest.configDrive)
                .write(to: files.configDrive, folder: "\(files.directory)/config")
        }
        try await FileSystem.onThread {
            try FileSystem.writeAtomically(files.consoleLog.path, [], mode: 0o600, durably: false)
        }
    }

    /// The flavor's size; the image's own when the flavor says 0.
    static func rootSize(_ guest: GuestSpecification) throws -> Int64 {
        let image = guest.rootImage.virtualSizeBytes
        guard guest.rootDiskGiB > 0 else { return image }
        let size = Int64(guest.rootDiskGiB) * bytesPerGiB
        guard image <= size else {
            throw CloudError.badRequest(
                "Flavor's disk is too small for requested image. Flavor disk is \(size) bytes, image is \(image) bytes.",
                kind: "FlavorDiskSmallerThanImage")
        }
        return size
    }

    /// As nova does: an empty ext4 with the label `ephemeral0`; blank where the host cannot make one.
    private func makeEphemeral(_ path: String, _ size: Int64) async throws {
        try FileSystem.makeSparse(path, size: size)
        guard let program = Subprocess.find("mkfs.ext4") else { return }
        try await Subprocess.runChecked(program, ["-q", "-F", "-L", "ephemeral0", path])
    }

    private func makeSwap(_ path: String, _ size: Int64) async throws {
        try FileSystem.makeSparse(path, size: size)
        guard let program = Subprocess.find("mkswap") else { return }
        try await Subprocess.runChecked(program, ["-q", path])
    }
}

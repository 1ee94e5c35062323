// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Makes a guest's disks from nothing. Repeatable: what an earlier try left is replaced.
struct GuestDisks: Sendable {
    private static let bytesPerGiB: Int64 = 1 << 30
    private static let bytesPerMiB: Int64 = 1 << 20
    private static let copyTimeout = Duration.seconds(3600)

    let cache: BaseImageCache
    private let tool = DiskImageTool()

    init(cache: BaseImageCache) { self.cache = cache }

    func create(_ guest: GuestSpecification, layout: DiskLayout) async throws {
        let files = layout.files
        let keepsEphemeral = guest.keepsEphemeral == true
        try await FileSystem.onThread {
            if keepsEphemeral {
                try files.removeAllButEphemeral()
            } else {
                try FileSystem.removeTree(files.directory)
            }
            try FileSystem.makeDirectories(files.directory, mode: 0o711)
        }
        if let image = guest.rootImage { try await makeRoot(guest, image, layout) }
        for (number, disk) in layout.localDisks.enumerated() {
            let (path, size) = (layout.path(of: disk, number: number), Int64(disk.sizeMiB) * Self.bytesPerMiB)
            switch disk.kind {
            case .ephemeral:
                if keepsEphemeral, try await FileSystem.onThread({ FileSystem.exists(path) }) { continue }
                try await makeEphemeral(path, size, format: disk.format, label: "ephemeral\(number)")
            case .swap: try await makeSwap(path, size)
            }
        }
        if !guest.configDrive.isEmpty {
            try await ConfigDrive(files: guest.configDrive)
                .write(to: files.configDrive, folder: "\(files.directory)/config")
        }
        try await FileSystem.onThread {
            try FileSystem.writeAtomically(files.consoleLog.path, [], mode: 0o600, durably: false)
        }
    }

    /// Makes the disks of a guest anew with the bytes of those that are set aside, which stay as they are. What has not
    /// been there before is made as for a new guest.
    func recreate(_ guest: GuestSpecification, layout: DiskLayout, from aside: GuestFiles) async throws {
        let files = layout.files
        try await FileSystem.onThread {
            try FileSystem.removeTree(files.directory)
            try FileSystem.makeDirectories(files.directory, mode: 0o711)
            // Layers below, which nobody writes to.
            for (old, new) in [(aside.base, files.base), (aside.cdrom, files.cdrom)] where FileSystem.exists(old) {
                try FileSystem.link(old, as: new)
            }
        }
        if layout.hasRootDisk { try await recreateRoot(guest, files, from: aside) }
        let old = try await FileSystem.onThread { try Self.ephemeralFiles(of: aside) }
        for (number, disk) in layout.localDisks.enumerated() {
            let (path, size) = (layout.path(of: disk, number: number), Int64(disk.sizeMiB) * Self.bytesPerMiB)
            switch disk.kind {
            case .ephemeral:
                guard let source = old[disk.device], try await copy(source, to: path) else {
                    try await makeEphemeral(path, size, format: disk.format, label: "ephemeral\(number)")
                    continue
                }
                try await FileSystem.onThread {
                    if try FileSystem.status(path)?.size ?? size < size { try FileSystem.truncate(path, to: size) }
                }
            case .swap: try await makeSwap(path, size)
            }
        }
        if !guest.configDrive.isEmpty, try await !copy(aside.configDrive, to: files.configDrive) {
            try await ConfigDrive(files: guest.configDrive)
                .write(to: files.configDrive, folder: "\(files.directory)/config")
        }
        try await FileSystem.onThread {
            try FileSystem.writeAtomically(files.consoleLog.path, [], mode: 0o600, durably: false)
        }
    }

    /// By the guest's names for the disks: their numbers are others when a flavor brings more disks, or fewer.
    private static func ephemeralFiles(of aside: GuestFiles) throws -> [String: String] {
        guard let definition = try FileSystem.text(aside.definition) else { return [:] }
        return DomainDocument(try XMLReader.read(definition)).ephemeralFiles.mapValues { "\(aside.directory)/\($0)" }
    }

    private func recreateRoot(_ guest: GuestSpecification, _ files: GuestFiles, from aside: GuestFiles) async throws {
        guard try await copy(aside.root, to: files.root) else {
            return try await tool.createBlank(files.root, sizeBytes: Int64(guest.rootDiskGiB) * Self.bytesPerGiB)
        }
        let size = Int64(guest.rootDiskGiB) * Self.bytesPerGiB
        guard try await tool.virtualSize(files.root, format: "qcow2") < size else { return }
        try await tool.grow(files.root, format: "qcow2", toBytes: size)
    }

    /// False: there is no such file. Shares the blocks where the file system can.
    private func copy(_ source: String, to target: String) async throws -> Bool {
        guard try await FileSystem.onThread({ FileSystem.exists(source) }) else { return false }
        try await Subprocess.runChecked(
            Subprocess.find("cp") ?? "/bin/cp", ["--reflink=auto", "--sparse=always", "--", source, target],
            timeout: Self.copyTimeout)
        return true
    }

    private func makeRoot(
        _ guest: GuestSpecification, _ image: GuestSpecification.RootImage, _ layout: DiskLayout
    ) async throws {
        let files = layout.files
        guard layout.bootsFromCDROM else {
            let size = try Self.rootSize(guest)
            let format = try await cache.place(image, at: files.base)
            return try await tool.createOverlay(files.root, base: files.base, baseFormat: format, sizeBytes: size)
        }
        _ = try await cache.place(image, at: files.cdrom)
        if layout.hasRootDisk {
            try await tool.createBlank(files.root, sizeBytes: Int64(guest.rootDiskGiB) * Self.bytesPerGiB)
        }
    }

    /// The flavor's size; the image's own when the flavor says 0.
    static func rootSize(_ guest: GuestSpecification) throws -> Int64 {
        let image = guest.rootImage?.virtualSizeBytes ?? 0
        guard guest.rootDiskGiB > 0 else { return image }
        let size = Int64(guest.rootDiskGiB) * bytesPerGiB
        guard image <= size else {
            throw CloudError.badRequest(
                "Flavor's disk is too small for requested image. Flavor disk is \(size) bytes, image is \(image) bytes.",
                kind: "FlavorDiskSmallerThanImage")
        }
        return size
    }

    /// As nova does: an empty file system with the label `ephemeral0`; blank where the host cannot make one.
    private func makeEphemeral(_ path: String, _ size: Int64, format: String?, label: String) async throws {
        try FileSystem.makeSparse(path, size: size)
        let kind = format ?? "ext4"
        let options: [String]
        switch kind {
        case "ext2", "ext3", "ext4": options = ["-q", "-F", "-L", label, path]
        case "xfs": options = ["-q", "-f", "-L", label, path]
        case "vfat": options = ["-n", label, path]
        default:
            throw CloudError.badRequest("A disk cannot be made with the format '\(kind)' on this host.")
        }
        guard let program = Subprocess.find("mkfs.\(kind)") else { return }
        try await Subprocess.runChecked(program, options)
    }

    private func makeSwap(_ path: String, _ size: Int64) async throws {
        try FileSystem.makeSparse(path, size: size)
        guard let program = Subprocess.find("mkswap") else { return }
        try await Subprocess.runChecked(program, ["-q", path])
    }
}

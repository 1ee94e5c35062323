// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import ComputeContract
import LinuxKit

/// Volumes as files, made with QEMU's own tool.
struct VolumeFiles: Sendable {
    let directory: String
    private static let program = "/usr/bin/qemu-img"

    private func path(_ volume: GuestVolume) throws -> String {
        guard case .file(let path, _) = volume.connection.source else { throw CloudError(.bug, "no file") }
        return path
    }

    /// An empty qcow2 volume; with `content` one that begins with these bytes.
    func make(device: String, content: [UInt8]? = nil) async throws -> GuestVolume {
        try FileSystem.makeDirectories(directory)
        let id: VolumeID = IDSource.random.next()
        let volume = SampleGuest.volume(device: device, path: "\(directory)/\(id).qcow2")
        if let content {
            let raw = "\(directory)/\(id).raw"
            try FileSystem.writeAtomically(raw, content)
            try await run("convert", "-q", "-f", "raw", "-O", "qcow2", raw, try path(volume))
        } else {
            try await run("create", "-q", "-f", "qcow2", try path(volume), "4M")
        }
        return volume
    }

    func makeEncrypted(device: String, passphrase: String) async throws -> GuestVolume {
        try FileSystem.makeDirectories(directory)
        let id: VolumeID = IDSource.random.next()
        var volume = SampleGuest.volume(device: device)
        let path = "\(directory)/\(id).luks"
        try await DiskImageTool().createLUKS(path, contentBytes: 4 << 20, passphrase: passphrase)
        volume.connection.source = .file(path: path, format: .raw)
        volume.connection.passphrase = passphrase
        var limits = VolumeConnection.Limits()
        limits.totalOperationsPerSecond = 100
        volume.connection.limits = limits
        return volume
    }

    /// A new head that reads as the volume.
    func head(of volume: GuestVolume) async throws -> String {
        let head = "\(directory)/\(volume.id).head"
        try await run("create", "-q", "-f", "qcow2", "-b", try path(volume), "-F", "qcow2", head)
        return head
    }

    /// An empty file for the volume, as large.
    func target(for volume: GuestVolume) async throws -> GuestVolume {
        var target = volume
        let path = "\(directory)/\(volume.id).target"
        try await run("create", "-q", "-f", "qcow2", path, "\(try await size(of: volume))")
        target.connection.source = .file(path: path, format: .qcow2)
        return target
    }

    /// As whoever owns the file does when no guest has it open.
    func grow(_ volume: GuestVolume, toBytes size: Int64) async throws {
        try await run("resize", "-q", "-f", "qcow2", try path(volume), "\(size)")
    }

    func content(of volume: GuestVolume) async throws -> [UInt8]? {
        let raw = "\(directory)/\(volume.id).content"
        try await run("convert", "-q", "-f", "qcow2", "-O", "raw", try path(volume), raw)
        return try FileSystem.read(raw, limit: 64 << 20)
    }

    func size(of volume: GuestVolume) async throws -> Int64 {
        let result = try await Subprocess.runChecked(
            Self.program, ["info", "-U", "--output=json", try path(volume)])
        return try JSONReader.read(result.stdout)["virtual-size"]?.int ?? 0
    }

    private func run(_ arguments: String...) async throws {
        try await Subprocess.runChecked(Self.program, arguments)
    }
}

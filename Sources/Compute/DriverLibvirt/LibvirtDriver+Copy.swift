// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import ComputeContract
import LinuxKit

/// Copies of root disks, for images. QEMU copies the disk of a guest that runs; of one that is off, its file is read.
extension LibvirtDriver {
    private static let copyPollInterval = Duration.milliseconds(200)

    package func copyRootDisk(_ server: ServerID, named name: String) async throws -> String {
        let files = try GuestFiles(server, config)
        let copy = try files.copy(name)
        try await stopCopying(server, files)
        try await FileSystem.onThread { try FileSystem.removeTree(copy) }
        let target = try await connection.run("copy the disk") { host -> String? in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            guard try domain.isActive else { return nil }
            guard let target = try domain.liveDocument().target(ofFile: files.root) else {
                throw CloudError.conflict("Instance \(server) has no disk of its own.")
            }
            try domain.beginCopy(of: target, to: copy)
            return target
        }
        guard let target else {
            try await DiskImageTool().convert(files.root, format: "qcow2", to: copy)
            return copy
        }
        do {
            // From the moment when both are equal on, writes go to both: ending it then freezes the copy.
            while try await !isCopied(server, target) { try await Task.sleep(for: Self.copyPollInterval) }
            try await connection.run("copy the disk") { try $0.domain(server)?.endCopy(of: target) }
        } catch {
            try await stopCopying(server, files)
            throw error
        }
        return copy
    }

    private func isCopied(_ server: ServerID, _ target: String) async throws -> Bool {
        try await connection.run("copy the disk") { host in
            guard let domain = try host.domain(server), let isReady = try domain.isCopyReady(of: target) else {
                throw CloudError(.unavailable, "The disk could not be copied.", cause: "the job ended by itself")
            }
            return isReady
        }
    }

    /// Ends a copy that an earlier try left running.
    private func stopCopying(_ server: ServerID, _ files: GuestFiles) async throws {
        try await connection.run("copy the disk") { host in
            guard let domain = try host.domain(server), try domain.isActive,
                let target = try domain.liveDocument().target(ofFile: files.root),
                try domain.isCopyReady(of: target) != nil
            else { return }
            try domain.endCopy(of: target)
        }
    }

    package func removeRootDiskCopy(_ server: ServerID, named name: String) async throws {
        let files = try GuestFiles(server, config)
        let copy = try files.copy(name)
        try await stopCopying(server, files)
        try await FileSystem.onThread { try FileSystem.removeTree(copy) }
    }
}

extension DomainDocument {
    func target(ofFile path: String) -> String? {
        disks.first { Self.file($0) == path }.flatMap(Self.target)
    }
}

extension LibvirtDomain {
    /// Begins to copy a disk of a running guest, with everything below it, to a new file.
    func beginCopy(of target: String, to path: String) throws(LibvirtError) {
        var xml = XMLWriter()
        xml.element("disk", ["type": "file"]) { xml in
            xml.element("driver", ["type": "qcow2"])
            xml.element("source", ["file": path])
        }
        try beginCopy(of: target, xml: xml.text)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import Testing

@testable import BlockStorageDriverKit

/// Goal: a copy that is acknowledged outlives a crash of the host.
/// Method: the file system says which blocks it only remembers, and has not written.
@Suite("Disk image tool", .enabled(if: FileSystem.exists("/usr/bin/qemu-img")))
struct DiskImageToolTests {
    @Test("what was copied is on the disk", .enabled(if: FileSystem.exists("/usr/sbin/filefrag")))
    func durable() async throws {
        try await VolumeTestFolder.with { folder in
            let (source, target) = (folder.file("source"), folder.file("target"))
            try VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x5A, at: 0, 8 << 20)]).write(to: source)
            try FileSystem.makeSparse(target, size: 1 << 30)
            try await DiskImageTool().copy(
                .raw(path: source), passphrase: nil, to: .raw(path: target), targetPassphrase: nil,
                secretDirectory: folder.path)
            let blocks = try await Subprocess.run("/usr/sbin/filefrag", ["-v", target])
            #expect(!blocks.output.contains("delalloc"), "\(blocks.output)")
            #expect(try await VolumeTool.areEqual(source, target))
        }
    }

    @Test("a cluster is told to write what it has at the end of a copy")
    func clusters() {
        let image = RBDSource(pool: "p", image: "i", configuration: "c", user: "u")
        #expect(DiskImageTool.cacheMode(.rbd(image)) == "writeback")
        #expect(DiskImageTool.cacheMode(.encryptedRBD(image, sizeBytes: 1)) == "writeback")
        #expect(DiskImageTool.cacheMode(.luks(path: "/dev/a", sizeBytes: 1)) == "unsafe")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit
import Testing

@testable import ComputeDriverLibvirt

/// Goal: the small parts of the libvirt driver that need no libvirt.
@Suite("Parts of the libvirt driver")
struct LibvirtPartsTests {
    @Test(
        "the last lines of a console, ended or not",
        arguments: [
            (1, "a\nb\n", "b\n"), (1, "a\nb", "b"), (2, "a\nb\nc", "b\nc"), (9, "a\nb", "a\nb"), (0, "a\n", ""),
            (1, "", ""),
            (2, "a\n\n", "a\n\n"),
        ])
    func lastLines(count: Int, log: String, expected: String) {
        #expect(String(decoding: ConsoleLog.last(count, of: Array(log.utf8)), as: UTF8.self) == expected)
    }

    @Test("a console log that grew too large is cut, and its end stays readable")
    func trim() throws {
        let path = "/tmp/haneul-console-\(UInt64.random(in: 0...UInt64.max))"
        let log = ConsoleLog(path: path)
        try FileSystem.writeAtomically(path, [UInt8](repeating: 0x41, count: 300_000) + Array("\nend".utf8))
        try log.trim(limit: 400_000)
        #expect(try FileSystem.status(path)?.size == 300_004)
        try log.trim(limit: 200_000)
        #expect(try FileSystem.status(path)?.size == 0)
        #expect(try log.tail(lines: nil).count == ConsoleLog.visibleBytes)
        #expect(try log.tail(lines: 1) == Array("end".utf8))
        try FileSystem.removeTree(path)
        try FileSystem.removeTree("\(path).old")
    }

    @Test(
        "files of a config drive stay inside it", arguments: ["/etc/passwd", "../x", "a/../../b", "", "a//b", "a/./b"])
    func configDrivePaths(path: String) {
        #expect(throws: CloudError.self) { try ConfigDrive.check([.init(path: path, content: [])]) }
    }

    @Test("a config drive has the label and the long names that cloud-init looks for")
    func configDrive() async throws {
        let folder = "/tmp/haneul-drive-\(UInt64.random(in: 0...UInt64.max))"
        try FileSystem.makeDirectories(folder)
        let drive = ConfigDrive(files: [.init(path: "openstack/latest/meta_data.json", content: Array("{}".utf8))])
        try await drive.write(to: "\(folder)/config.iso", folder: "\(folder)/work")
        let bytes = try #require(try FileSystem.read("\(folder)/config.iso", limit: 1 << 20))
        // The primary volume descriptor: its label has 32 bytes.
        #expect(String(decoding: bytes[32_808..<32_840], as: UTF8.self).hasPrefix("config-2 "))
        #expect(try FileSystem.list(folder) == ["config.iso"])
        try FileSystem.removeTree(folder)
    }

    @Test(
        "a disk has the size that its header says, and none is made up for what is no disk",
        .enabled(if: FileSystem.exists("/usr/bin/qemu-img")))
    func virtualSize() async throws {
        let path = "/tmp/haneul-disk-\(UInt64.random(in: 0...UInt64.max))"
        let tool = DiskImageTool()
        try await tool.createBlank(path, sizeBytes: 1 << 30)
        #expect(try await tool.virtualSize(path, format: "qcow2") == 1 << 30)
        try FileSystem.writeAtomically(path, Array("no disk".utf8))
        await #expect(throws: CloudError.self) { try await tool.virtualSize(path, format: "qcow2") }
        try FileSystem.removeTree(path)
    }

    @Test("what the driver did itself is no event; what came meanwhile is looked at again")
    func powerWatch() async throws {
        let (again, sink) = AsyncStream.makeStream(of: ServerID.self)
        let watch = PowerWatch { sink.yield($0) }
        let server: ServerID = IDSource.random.next()
        var events = watch.stream().makeAsyncIterator()
        try await watch.changing(server) {
            #expect(watch.postpones(server))
            watch.saw(server, .shutdown)
            return (.running, ())
        }
        var lookedAt = again.makeAsyncIterator()
        #expect(await lookedAt.next() == server)
        #expect(!watch.postpones(server))
        watch.saw(server, .running)
        watch.saw(server, .shutdown)
        watch.saw(server, .shutdown)
        watch.saw(server, .running)
        watch.finish()
        #expect(await events.next()?.1 == .shutdown)
        #expect(await events.next()?.1 == .running)
        #expect(await events.next() == nil)
    }

    @Test("facts of the host are read from the kernel's tables")
    func hostFacts() throws {
        let table = "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel\t\t: 85\nmodel name\t: Xeon\n"
        #expect(HostFacts.field("model name", of: table) == "Xeon")
        #expect(HostFacts.field("model", of: table) == "85")
        #expect(HostFacts.field("flags", of: table) == "")
        #expect(try HostFacts.memoryMiB() > 0)
    }
}

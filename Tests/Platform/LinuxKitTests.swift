// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import Testing

@testable import LinuxKit

/// Goal: files, programs and network interfaces are handled as the kernel's rules want it.
@Suite("LinuxKit")
struct LinuxKitTests {
    @Test("a host's DNS servers are told to others, but for those on its loopback")
    func resolvers() {
        let text = """
            # nameserver 192.0.2.9
            search example.org
            nameserver 127.0.0.53
            nameserver\t192.0.2.1
            nameserver ::1
            nameserver 2001:db8::53
            nameserver nobody
            nameserver 0.0.0.0
            """
        #expect(HostResolvers.shareable(in: text) == ["192.0.2.1", "2001:db8::53"])
    }

    @Test("a program's status, both outputs and its input arrive whole")
    func subprocess() async throws {
        let input = [UInt8](repeating: 0x41, count: 300_000)
        #expect(try await Subprocess.run("/bin/cat", stdin: input).stdout == input)
        let failed = try await Subprocess.run("/bin/ls", ["/nonexistent"], environment: ["LC_ALL": "C"])
        #expect(failed.status == 2 && failed.errorText.contains("No such file"))
        await #expect(throws: CloudError.self) { try await Subprocess.runChecked("/bin/false") }
    }

    @Test("output is bounded")
    func boundedOutput() async throws {
        let result = try await Subprocess.run("/usr/bin/head", ["-c", "100000", "/dev/zero"], outputLimit: 1000)
        #expect(result.stdout.count == 1000 && result.isSuccess)
    }

    @Test("a program that takes too long, or that nobody waits for any more, is killed")
    func killed() async throws {
        let start = ContinuousClock.now
        await #expect(throws: CloudError.self) {
            try await Subprocess.run("/bin/sleep", ["3600"], timeout: .milliseconds(50))
        }
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await #expect(throws: CancellationError.self) { try await Subprocess.run("/bin/sleep", ["3600"]) }
            }
            group.cancelAll()
        }
        #expect(ContinuousClock.now - start < .seconds(3600))
    }

    @Test("a program that cannot be started is an error, not a status")
    func missingProgram() async {
        await #expect(throws: SystemError.self) { try await Subprocess.run("/nonexistent") }
    }

    @Test("a daemon is found by its pid file, and only while it runs")
    func daemon() async throws {
        try await withFolder { folder in
            let daemon = try await Subprocess.spawnDaemon("/bin/sleep", ["60"], logPath: "\(folder)/log")
            try FileSystem.writeAtomically("\(folder)/pid", "\(daemon.pid)\n")
            #expect(try Daemon.find(pidFile: "\(folder)/pid", executable: "/bin/sleep")?.pid == daemon.pid)
            #expect(try Daemon.find(pidFile: "\(folder)/pid", executable: "/bin/cat") == nil)
            try await daemon.stop()
            #expect(!daemon.isRunning)
            #expect(try Daemon.find(pidFile: "\(folder)/pid", executable: "/bin/sleep") == nil)
        }
    }

    @Test("files are written, read, linked, listed and removed")
    func files() async throws {
        try await withFolder { folder in
            try FileSystem.makeDirectories("\(folder)/a/b/c")
            try FileSystem.makeDirectories("\(folder)/a/b/c")
            try FileSystem.writeAtomically("\(folder)/a/file", " text \n", mode: 0o600)
            #expect(try FileSystem.text("\(folder)/a/file") == "text")
            #expect(try FileSystem.read("\(folder)/a/file", limit: 3, fromEnd: true) == Array("t \n".utf8))
            #expect(try FileSystem.read("\(folder)/nothing", limit: 3) == nil)
            try FileSystem.link("\(folder)/a/file", as: "\(folder)/a/second")
            #expect(try FileSystem.status("\(folder)/a/file")?.linkCount == 2)
            #expect(symlink("/usr", "\(folder)/a/link") == 0)
            #expect(try FileSystem.list("\(folder)/a") == ["b", "file", "link", "second"])
            try FileSystem.removeTree("\(folder)/a")
            #expect(try FileSystem.list(folder) == [])
            #expect(FileSystem.exists("/usr"))
            #expect(throws: SystemError.self) { try FileSystem.makeDirectories("/proc/version/x") }
        }
    }

    @Test("requests to the kernel are laid out as rtnetlink wants them")
    func netlinkLayout() {
        var message = NetlinkMessage(type: 16)
        message.nest(18) { $0.attribute(1, "abc".utf8) }
        let bytes = message.finish()
        // Header of 16, then the nest of 4 + attribute of 4 + 3, padded to 4.
        #expect(bytes.count == 28)
        #expect(bytes[0] == 28 && bytes[4] == 16)
        #expect(Array(bytes[16...]) == [12, 0, 18, 0, 7, 0, 1, 0, 0x61, 0x62, 0x63, 0])
    }

    @Test("interfaces and addresses of a namespace", .enabled(if: geteuid() == 0))
    func links() async throws {
        try await NetworkNamespace.onThread("test") {
            try Namespaces.unshare(.network)
            let links = try NetworkLinks()
            try links.createVethPair("left", peer: "right")
            try links.setMACAddress("right", "fa:16:3e:00:00:01")
            try links.disableTransmitChecksum("left")
            for _ in 1...2 { try links.addAddress("left", "192.0.2.1", prefixLength: 24) }
            try links.setUp("left")
            try links.setUp("right")
            try links.create("bridge", kind: "bridge")
            #expect(try links.list() == ["lo", "right", "left", "bridge"])
            for _ in 1...2 { try links.delete("left") }
            #expect(try !links.exists("right"))
            #expect(throws: SystemError.self) { try links.setUp("left") }
            #expect(throws: SystemError.self) { try links.create("a-name-that-is-too-long", kind: "dummy") }
        }
    }

    private func withFolder(_ body: (String) async throws -> Void) async throws {
        let folder = "/tmp/haneul-linuxkit-\(UInt64.random(in: 0...UInt64.max))"
        try FileSystem.makeDirectories(folder)
        try await body(folder)
        try FileSystem.removeTree(folder)
    }
}

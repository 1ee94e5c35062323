// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPServer
import LinuxKit
import ObjectStorageContract
import ObjectStorageCore
import ObjectStorageDriverDisk
import ObjectStorageDriverRemote
import TestKit
import Testing

@testable import haneul

/// Goal: what a ring names is opened wherever it is, and a storage host leaves its disks clean.
/// Method: the role as the command composes it, on a free port of the loopback, and a controller's opener beside it.
@Suite("The role storage", .timeLimit(.minutes(10)))
struct StorageRoleTests {
    private let location = StorageLocation(
        path: ObjectPath(account: "AUTH_a", container: "c", object: "o"), policy: 0, partition: 7,
        hash: "0123456789abcdef0123456789abcdef")

    private func device(_ host: String, _ path: String) -> RingDevice {
        RingDevice(number: DeviceNumber(1), zone: "1", host: host, path: path, weight: 1)
    }

    private func freePort() throws -> UInt16 {
        let socket = try OwnedDescriptor(Sockets.listen(address: "127.0.0.1", port: 0))
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: sockaddr_in is one form of sockaddr.
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket.number, $0, &size) }
        }
        try #require(code == 0)
        return UInt16(bigEndian: name.sin_port)
    }

    @Test("devices of this host and of others are opened; what cannot be reached is told")
    func opens() async throws {
        try await withTemporaryDirectory { root in
            for name in ["local", "one", "two"] { try FileSystem.makeDirectories("\(root)/\(name)") }
            let key = ClusterKey.generated()
            let port = try freePort()
            let endpoint = "127.0.0.1:\(port)"
            let settings = StorageHost.Settings(
                endpoint: endpoint, directories: ["\(root)/one", "\(root)/two", "\(root)/gone"], key: key)
            let host = StorageHost(settings, listener: Listener(.address("127.0.0.1", port: port)))
            let devices = StorageDevices(host: "here", key: key)
            try await withServices(host.services + devices.services) {
                try await eventually {
                    do {
                        return try await devices.open(device(endpoint, "\(root)/two")) != nil
                    } catch let error as CloudError where error.code == .unavailable {
                        return false
                    }
                }
                let remote = try #require(try await devices.open(device(endpoint, "\(root)/one")))
                #expect(remote is RemoteDevice)
                for time in 1...2 {
                    try await remote.deleteObject(location, at: WriteTime(ticks: Int64(time)))
                }
                #expect(try await remote.replica(location) == .deleted(WriteTime(ticks: 2)))

                let local = try #require(try await devices.open(device("here", "\(root)/local")))
                #expect(local is DiskDevice)
                #expect(try await local.replica(location) == .absent)
                await devices.close(local)
                let again = try #require(try await devices.open(device("here", "\(root)/local")))
                #expect(try await again.replica(location) == .absent)

                #expect(try await devices.open(device("there", "\(root)/one")) == nil)
                let stranger = StorageDevices(host: "here", key: .generated())
                let keyless = StorageDevices(host: "here", key: nil)
                for (opener, path) in [(devices, "gone"), (devices, "local"), (stranger, "one"), (keyless, "one")] {
                    let error = await #expect(throws: CloudError.self) {
                        _ = try await opener.open(device(endpoint, "\(root)/\(path)"))
                    }
                    #expect(error?.code == .unavailable)
                }
            }
            // All were left clean, and may be opened by others.
            for name in ["local", "one", "two"] {
                let disk = try await DiskDevice.open("\(root)/\(name)")
                #expect(try await disk.rowsLostSince() == nil)
                await disk.close()
            }
        }
    }

    @Test("an endpoint is an address or a name with a port")
    func endpoints() throws {
        for good in ["192.0.2.1:6200", "[2001:db8::1]:1", "node-1.example:65535"] {
            #expect(StorageEndpoint(good)?.description == good)
        }
        for bad in ["here", "a:0", "a:65536", ":1", "a:", "2001:db8::1:1", "[a]:1", "a/b:1", "u@h:1", "a b:1", ""] {
            #expect(StorageEndpoint(bad) == nil, "\(bad)")
        }
        #expect(try #require(StorageEndpoint("0.0.0.0:1")).isWildcard && StorageEndpoint("[::]:1")?.isWildcard == true)
    }

    @Test("a key that others may read is refused")
    func keyFile() async throws {
        try await withTemporaryDirectory { root in
            let key = ClusterKey.generated()
            #expect(try ClusterKey.read("\(root)/none") == nil)
            try FileSystem.writeAtomically("\(root)/key", key.reveal() + "\n", mode: 0o600)
            #expect(try ClusterKey.read("\(root)/key")?.reveal() == key.reveal())
            try FileSystem.writeAtomically("\(root)/open", key.reveal(), mode: 0o644)
            #expect(throws: CommandFailure.self) { try ClusterKey.read("\(root)/open") }
            try FileSystem.writeAtomically("\(root)/short", "abc", mode: 0o600)
            #expect(throws: CommandFailure.self) { try ClusterKey.read("\(root)/short") }
        }
    }
}

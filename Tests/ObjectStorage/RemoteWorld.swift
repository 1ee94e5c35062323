// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPClient
import HTTPKit
import HTTPServer
import LinuxKit
import ObjectStorageContract
import ObjectStorageDriverDisk
import TestKit
import Testing

@testable import ObjectStorageDriverRemote

/// A storage host on a free port of the loopback, and the device of it that others see.
struct RemoteWorld: Sendable {
    static let path = "/srv/node 1/d1"

    let endpoint: String
    let key: ClusterKey
    let handler: StorageDeviceHandler
    let client: HTTPClient
    let device: RemoteDevice
    let clock: WallClock

    /// Runs `body` with `device` behind the host.
    static func with(
        _ served: any StorageDevice, clock: WallClock = .system,
        _ body: @escaping @Sendable (RemoteWorld) async throws -> Void
    ) async throws {
        let socket = try Sockets.listen(address: "127.0.0.1", port: 0)
        let endpoint = "127.0.0.1:\(try port(of: socket))"
        let key = ClusterKey.generated()
        let handler = StorageDeviceHandler(endpoint: endpoint, key: key, clock: clock)
        handler.attach(served, path: path)
        var limits = HTTPLimits()
        limits.stopTime = .milliseconds(500)
        let http = HTTPServer(listeners: [Listener(.descriptor(socket))], handler: handler, limits: limits)
        try http.open()
        let client = HTTPClient()
        let device = RemoteDevice(endpoint: endpoint, path: path, key: key, client: client, clock: clock)
        let world = RemoteWorld(
            endpoint: endpoint, key: key, handler: handler, client: client, device: device, clock: clock)
        try await withServices([http]) { try await body(world) }
    }

    /// The same with a real disk, which is handed in as well.
    static func withDisk(_ body: @escaping @Sendable (RemoteWorld, DiskDevice) async throws -> Void) async throws {
        try await withTemporaryDirectory { root in
            let disk = try await DiskDevice.open(root, StorageSample.options)
            try await with(disk) { try await body($0, disk) }
            await disk.close()
        }
    }

    private static func port(of socket: Int32) throws -> UInt16 {
        var name = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        // SAFETY: sockaddr_in is one form of sockaddr.
        let code = withUnsafeMutablePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
        }
        try #require(code == 0)
        return UInt16(bigEndian: name.sin_port)
    }

    /// The device as a host sees it that differs in one thing.
    func device(
        endpoint: String? = nil, path: String = RemoteWorld.path, key: ClusterKey? = nil, clock: WallClock? = nil
    ) -> RemoteDevice {
        RemoteDevice(
            endpoint: endpoint ?? self.endpoint, path: path, key: key ?? self.key, client: client,
            clock: clock ?? self.clock)
    }

    /// Sends a request as it is, and gives the status.
    func status(_ request: HTTPClientRequest) async throws -> Int {
        let response = try await client.send(request)
        _ = try await response.body.collect(limit: 1 << 20)
        return response.status
    }

    /// Uploads frames that need not be right. Gives the status.
    func upload(_ location: StorageLocation, _ frames: (RequestSignature) throws -> [UInt8]) async throws -> Int {
        let call = try JSONValueEncoder.bytes(BeginObject(location: location, sizeBytes: nil))
        let path = StorageWire.path(Self.path, StorageWire.objectsName)
        var (request, signature) = device.signed(.put, path, content: call, isInHeader: true)
        request.body = .bytes(try frames(signature))
        return try await status(request)
    }
}

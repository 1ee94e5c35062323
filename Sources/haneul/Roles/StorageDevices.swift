// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import LifecycleKit
import ObjectStorageContract
import ObjectStorageCore
import ObjectStorageDriverDisk
import ObjectStorageDriverRados
import ObjectStorageDriverRemote

/// Makes what the rings name: disks of this host, pools in Ceph, and devices of hosts that serve theirs.
package struct StorageDevices: Sendable {
    private let host: String
    private let key: ClusterKey?
    private let ceph: RadosConfig
    private let clock: WallClock
    private let client: HTTPClient
    private let running = ServicePool("object-devices")

    /// `host` is this one's name in the rings; without a key no other host is reached.
    package init(
        host: String, key: ClusterKey?, ceph: RadosConfig = RadosConfig(), client: HTTPClient = HTTPClient(),
        clock: WallClock = .system
    ) {
        self.host = host
        self.key = key
        self.ceph = ceph
        self.client = client
        self.clock = clock
    }

    /// For `StorageParts.OpenDevice`. Nil: it is of a host that serves none. Throws when it does not answer.
    package func open(_ device: RingDevice) async throws -> (any StorageDevice)? {
        if device.host == host {
            let own = try await own(device.path)
            running.start(own)
            return own
        }
        guard StorageEndpoint(device.host) != nil else { return nil }
        guard let key else {
            throw CloudError(
                .unavailable, "The storage device is not available.", cause: "there is no key for \(device.host)")
        }
        let remote = RemoteDevice(
            endpoint: device.host, path: device.path, key: key, client: client, clock: clock)
        // So that a wrong key, a wrong path or a host that is down is told at once.
        _ = try await remote.space()
        return remote
    }

    private func own(_ path: String) async throws -> any StorageDevice & Service {
        if let ceph = try await RadosDevice.open(path: path, config: ceph) { return ceph }
        return try await DiskDevice.open(path)
    }

    /// For `StorageParts.CloseDevice`: a disk can be unmounted afterwards, or be opened again.
    package func close(_ device: any StorageDevice) async {
        if let own = device as? any Service { await running.end(own.name) }
    }

    /// What the devices need to run; before those that use them.
    package var services: [any Service] { [running] }
}

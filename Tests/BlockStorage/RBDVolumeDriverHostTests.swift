// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LinuxKit
import TestKit
import Testing

@testable import BlockStorageDriverRBD

/// Goal: volumes in Ceph keep the promises of `VolumeDriver` with a real cluster.
/// Method: one monitor and one store in namespaces of their own; guests are `qemu-io` with QEMU's own client.
@Suite("Ceph volume driver", .serialized)
struct RBDVolumeDriverHostTests {
    private static let image = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0xA5, at: 0, 4 << 20)])

    /// One cluster for all checks: it takes its time to start.
    @Test("passes the conformance checks of volume drivers", .enabled(if: CephTestHost.isPossibleForVolumes))
    func conformance() async throws {
        try await CephTestHost.withVolumes { host, folder in
            let path = "\(folder.path)/image.raw"
            try Self.image.write(to: path)
            let driver = RBDVolumeDriver(
                host.config(stateDirectory: folder.path), images: FileImageSource(path: path))
            for _ in 1...2 { try await driver.start() }
            let suite = VolumeDriverConformance(driver: driver, folder: folder, image: Self.image) {
                try await VolumeTool.asGuest($0, $1, in: host.namespace, secrets: folder.path)
            }
            for check in FilesVolumeDriverTests.checks { try await check.1(suite) }
        }
    }

    @Test("a cluster that does not answer is said to be unavailable, in time")
    func unreachable() async throws {
        try await VolumeTestFolder.with { folder in
            try FileSystem.writeAtomically("\(folder.path)/ceph.conf", "[global]\nmon_host = 127.0.0.1:1\n")
            var config = RBDVolumeConfig(address: "host@ceph", stateDirectory: folder.path)
            config.configurationFile = "\(folder.path)/ceph.conf"
            config.connectTimeout = .seconds(1)
            let driver = RBDVolumeDriver(config, images: FileImageSource(path: ""))
            await #expect { try await driver.start() } throws: { ($0 as? CloudError)?.code == .unavailable }
            await #expect { _ = try await driver.pool() } throws: { ($0 as? CloudError)?.code == .unavailable }
        }
    }

    @Test("monitors are found in every form of the option")
    func monitors() {
        let cases: [(String, [String])] = [
            ("10.0.0.1", ["10.0.0.1"]), ("10.0.0.1:6789,10.0.0.2:6789", ["10.0.0.1:6789", "10.0.0.2:6789"]),
            ("[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0] mon-b", ["10.0.0.1:6789", "mon-b"]),
            ("[v2:[fd00::1]:3300]", ["[fd00::1]:3300"]), ("v2:10.0.0.3:3300", ["10.0.0.3:3300"]), ("", []),
        ]
        for (text, expected) in cases { #expect(MonitorList.parse(text) == expected, "\(text)") }
    }

    @Test("a keyring gives the key of the entity that is asked for")
    func keyring() {
        let text = "[client.admin]\n\tkey = AAA==\n[client.cinder]\n\tkey = BBB==\n\tcaps mon = \"profile rbd\"\n"
        #expect(KeyringFile.key(of: "client.cinder", in: text) == "BBB==")
        #expect(KeyringFile.key(of: "client.nobody", in: text) == nil)
    }
}

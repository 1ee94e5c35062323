// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LinuxKit
import Testing

@testable import BlockStorageDriverISCSI

/// Goal: volumes over iSCSI keep the promises of `VolumeDriver` with a real target and a real initiator.
/// Method: a tgtd in a namespace of its own with loopback alone, raw files behind it; guests are `qemu-io` with QEMU's
/// own initiator.
@Suite("iSCSI volume driver", .serialized, .enabled(if: TgtTestHost.isPossible))
struct ISCSIVolumeDriverHostTests {
    private static let image = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0xA5, at: 0, 4 << 20)])
    private static let host = HostConnector(host: "host-1", ip: "127.0.0.1")

    @Test("passes the conformance checks of volume drivers", arguments: FilesVolumeDriverTests.checks.indices)
    func conformance(check: Int) async throws {
        try await withDriver { driver, _, suite in try await FilesVolumeDriverTests.checks[check].1(suite) }
    }

    @Test("exports come back when the target has forgotten them")
    func restoring() async throws {
        try await TgtTestHost.with { host, folder in
            let driver = try Self.driver(host, folder)
            let suite = Self.suite(driver, host, folder)
            var volume = suite.handle(sizeGiB: 1)
            var connection: VolumeConnection?
            try await host.running {
                try await driver.start()
                volume.location = try await driver.create(volume, from: .blank)
                let first = try await driver.connect(volume, to: Self.host, isReadOnly: false)
                try await Self.expect(host, folder, first, ["write -P 3 0 1M", "flush"])
                connection = first
            }
            let before = try #require(connection)
            try await host.running {
                // As the agent's next report does.
                _ = try await driver.pool()
                try await Self.expect(host, folder, before, ["read -P 3 0 1M"])
                #expect(try await driver.connect(volume, to: Self.host, isReadOnly: false) == before)
                // So does a restarted agent.
                let restarted = try Self.driver(host, folder)
                try await restarted.start()
                try await restarted.delete(volume)
                let gone = try await VolumeTool.asGuest(
                    before, ["read 0 512"], in: host.namespace, secrets: folder.path)
                #expect(!gone.isSuccess)
            }
        }
    }

    @Test("only the host that the volume was exported to gets in, and only with the password")
    func access() async throws {
        try await withDriver { driver, host, suite in
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(volume, to: Self.host, isReadOnly: false)
            try await Self.expect(host, suite.folder, connection, ["read 0 512"])
            guard case .iscsi(var target) = connection.source else {
                Issue.record("the volume is not exported by iSCSI")
                return
            }
            target.chapPassword = "wrongwrongwrong"
            var wrong = connection
            wrong.source = .iscsi(target)
            let refused = try await VolumeTool.asGuest(
                wrong, ["read 0 512"], in: host.namespace, secrets: suite.folder.path)
            #expect(!refused.isSuccess)
            // Another host alone: this one is out.
            try await driver.disconnect(volume, from: Self.host)
            let other = try await driver.connect(
                volume, to: HostConnector(host: "host-2", ip: "192.0.2.7"), isReadOnly: false)
            let outside = try await VolumeTool.asGuest(
                other, ["read 0 512"], in: host.namespace, secrets: suite.folder.path)
            #expect(!outside.isSuccess)
            // Both, then one: each by itself.
            let both = try await driver.connect(volume, to: Self.host, isReadOnly: false)
            try await Self.expect(host, suite.folder, both, ["read 0 512"])
            try await driver.disconnect(volume, from: HostConnector(host: "host-2", ip: "192.0.2.7"))
            try await Self.expect(host, suite.folder, both, ["read 0 512"])
            await #expect {
                _ = try await driver.connect(volume, to: HostConnector(host: "h", ip: ","), isReadOnly: false)
            } throws: {
                ($0 as? CloudError)?.code == .badRequest
            }
            try await driver.delete(volume)
        }
    }

    @Test("a volume grows while a host is logged in")
    func onlineExtend() async throws {
        try await withDriver { driver, host, suite in
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(volume, to: Self.host, isReadOnly: false)
            try await Self.expect(host, suite.folder, connection, ["write -P 9 0 1M", "flush"])
            for _ in 1...2 { try await driver.extend(volume, toGiB: 2, isOpen: true) }
            try await Self.expect(
                host, suite.folder, connection, ["read -P 9 0 1M", "write -P 8 1500M 1M", "read -P 8 1500M 1M"])
            try await driver.delete(volume)
        }
    }

    @Test("a disk on which a guest wrote a qcow2 header stays raw")
    func guestHeader() async throws {
        try await withDriver { driver, host, suite in
            let folder = suite.folder
            let secret = folder.file("secret")
            try FileSystem.writeAtomically(secret, [UInt8](repeating: 0x53, count: 1 << 20))
            let header = try await HostileImage.qcow2Backing.write(in: folder, naming: secret)
            try FileSystem.truncate(header, to: 1 << 20)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(volume, to: Self.host, isReadOnly: false)
            try await Self.expect(host, folder, connection, ["write -s \(header) 0 1M", "flush"])
            try await driver.disconnect(volume, from: Self.host)
            try FileSystem.truncate(header, to: 1 << 30)
            let snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
            _ = try await driver.createSnapshot(snapshot, of: volume)
            for content in [VolumeContent.volume(volume), .snapshot(snapshot)] {
                let path = folder.file("export")
                try await driver.export(content, to: path, format: .raw)
                #expect(try await VolumeTool.areEqual(path, header))
            }
            try await driver.deleteSnapshot(snapshot)
            try await driver.delete(volume)
        }
    }

    @Test("a tgtd that died is started again, with its exports")
    func daemon() async throws {
        try await TgtTestHost.with { host, folder in
            let path = "\(folder.path)/image.raw"
            try Self.image.write(to: path)
            var config = host.config(store: .files)
            config.startsDaemon = true
            let target = TgtdTargetService(
                socketPath: config.controlSocket, portal: config.portalAddress, startsDaemon: true,
                logPath: "\(folder.path)/tgtd.log", namespace: host.namespace)
            let driver = ISCSIVolumeDriver(config, images: FileImageSource(path: path), target: target)
            let suite = Self.suite(driver, host, folder)
            try await driver.start()
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(volume, to: Self.host, isReadOnly: false)
            try await Self.expect(host, folder, connection, ["write -P 5 0 1M", "flush"])
            try await target.stopDaemon()
            _ = try await driver.pool()
            try await Self.expect(host, folder, connection, ["read -P 5 0 1M"])
            try await driver.delete(volume)
            try await target.stopDaemon()
        }
    }

    /// The group is emptied: give one of scratch disks, as the environment variable's value.
    @Test(
        "logical volumes, by either target, pass the conformance checks of volume drivers",
        .enabled(if: getenv("HANEUL_TEST_VOLUME_GROUP") != nil), arguments: ISCSIVolumeConfig.Target.allCases,
        FilesVolumeDriverTests.checks.indices)
    func logicalVolumes(_ target: ISCSIVolumeConfig.Target, check: Int) async throws {
        let group = try #require(getenv("HANEUL_TEST_VOLUME_GROUP").map { String(cString: $0) })
        try await TgtTestHost.with { host, folder in
            let path = "\(folder.path)/image.raw"
            try Self.image.write(to: path)
            var config = host.config(store: .lvm)
            config.volumeGroup = group
            config.target = target
            // The kernel's own target is in no namespace.
            let namespace = target == .tgt ? host.namespace : nil
            let lioConfig = config
            let body: () async throws -> Void = {
                let driver = ISCSIVolumeDriver(lioConfig, images: FileImageSource(path: path))
                for _ in 1...2 { try await driver.start() }
                let suite = VolumeDriverConformance(driver: driver, folder: folder, image: Self.image) {
                    try await VolumeTool.asGuest($0, $1, in: namespace, secrets: folder.path)
                }
                try await FilesVolumeDriverTests.checks[check].1(suite)
            }
            if target == .tgt { try await host.running(body) } else { try await body() }
        }
    }

    @Test("what tgtd says of itself is read")
    func report() {
        let text = """
            Target 3: iqn.2010-10.org.openstack:volume-1
                System information:
                    Driver: iscsi
                    State: ready
                I_T nexus information:
                LUN information:
                    LUN: 0
                        Type: controller
                        Backing store path: None
                    LUN: 1
                        Type: disk
                        Backing store path: /dev/vg/volume-1
                Account information:
                    user
                ACL information:
                    10.0.0.1
            Target 4: iqn.2010-10.org.openstack:volume-2
                LUN information:

            """
        let targets = TgtdReport.targets(text)
        #expect(targets.map(\.number) == [3, 4])
        #expect(targets.first?.paths == [0: "None", 1: "/dev/vg/volume-1"])
        #expect(targets.first?.accounts == ["user"] && targets.first?.access == ["10.0.0.1"])
    }

    // MARK: Parts

    private func withDriver(
        _ body: (ISCSIVolumeDriver, TgtTestHost, VolumeDriverConformance) async throws -> Void
    ) async throws {
        try await TgtTestHost.with { host, folder in
            try await host.running {
                let driver = try Self.driver(host, folder)
                try await driver.start()
                try await body(driver, host, Self.suite(driver, host, folder))
            }
        }
    }

    private static func driver(_ host: TgtTestHost, _ folder: VolumeTestFolder) throws -> ISCSIVolumeDriver {
        let path = "\(folder.path)/image.raw"
        try image.write(to: path)
        return ISCSIVolumeDriver(host.config(store: .files), images: FileImageSource(path: path))
    }

    private static func suite(
        _ driver: ISCSIVolumeDriver, _ host: TgtTestHost, _ folder: VolumeTestFolder
    ) -> VolumeDriverConformance {
        VolumeDriverConformance(driver: driver, folder: folder, image: image) { connection, commands in
            try await VolumeTool.asGuest(connection, commands, in: host.namespace, secrets: folder.path)
        }
    }

    private static func expect(
        _ host: TgtTestHost, _ folder: VolumeTestFolder, _ connection: VolumeConnection, _ commands: [String],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await VolumeTool.asGuest(connection, commands, in: host.namespace, secrets: folder.path)
        #expect(
            result.isSuccess && !result.output.contains("verification failed"), "\(result.errorText)\(result.output)",
            sourceLocation: sourceLocation)
    }
}

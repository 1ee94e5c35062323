// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import BlockStorageDriverNFS
import Glibc
import LifecycleKit
import LinuxKit
import Testing

@testable import BlockStorageDriverFiles

/// Goal: volumes in files keep the promises of `VolumeDriver`, whatever crashed before and whatever a tenant's bytes
/// look like.
/// Method: the real driver in a folder of its own, with the real `qemu-img`; guests are `qemu-io`.
@Suite("Files volume driver", .enabled(if: FileSystem.exists("/usr/bin/qemu-img")))
struct FilesVolumeDriverTests {
    static let image = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0xA5, at: 0, 4 << 20)])

    typealias Check = @Sendable (VolumeDriverConformance) async throws -> Void
    static let checks: [(String, Check)] = [
        ("birth and death", { try await $0.birthAndDeath() }), ("from image", { try await $0.fromImage() }),
        ("snapshots", { try await $0.snapshots() }), ("reimaging", { try await $0.reimaging() }),
        ("clones", { try await $0.clones() }), ("connections", { try await $0.connections() }),
        ("managing", { try await $0.managing() }), ("managing snapshots", { try await $0.managingSnapshots() }),
        ("managing encrypted snapshots", { try await $0.managingEncryptedSnapshots() }),
        ("encryption", { try await $0.encryption() }),
    ]

    @Test("passes the conformance checks of volume drivers", arguments: checks.indices)
    func conformance(check: Int) async throws {
        try await with { driver, folder in try await Self.checks[check].1(Self.suite(driver, folder)) }
    }

    @Test("so do files on a share", arguments: checks.indices)
    func nfsConformance(check: Int) async throws {
        try await VolumeTestFolder.with { folder in
            try Self.image.write(to: "\(folder.path)/image.raw")
            var config = NFSVolumeConfig(address: "host@nfs", stateDirectory: folder.path)
            config.share = "server:/export"
            let driver = NFSVolumeDriver(
                config, images: FileImageSource(path: "\(folder.path)/image.raw"), mounter: NoMounter())
            try await driver.start()
            let conformance = Self.suite(driver, folder)
            try await Self.checks[check].1(conformance)
            var volume = conformance.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(
                volume, to: HostConnector(host: "h", ip: "127.0.0.1"), isReadOnly: false)
            #expect(connection.share?.source == "server:/export")
        }
    }

    @Test("a snapshot of a volume that a guest has open leaves the guest's file alone")
    func openSnapshot() async throws {
        try await with { driver, folder in
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let connection = try await driver.connect(
                volume, to: HostConnector(host: "h", ip: "127.0.0.1"), isReadOnly: false)
            let guest = try await OpenGuest.start(connection, folder)
            try await guest.send("write -P 1 0 1M")
            var snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
            let result = try await driver.createSnapshot(snapshot, of: volume)
            #expect(try await driver.createSnapshot(snapshot, of: volume) == result)
            snapshot.location = result.snapshotLocation
            #expect(result.snapshotLocation == volume.location)
            // Whatever needs the volume closed says that it is open.
            for work: @Sendable () async throws -> Void in [
                { [volume] in _ = try await driver.create(suite.handle(sizeGiB: 1), from: .volume(volume)) },
                { [volume, snapshot] in _ = try await driver.revert(volume, to: snapshot) },
                { [volume] in try await driver.extend(volume, toGiB: 2, isOpen: false) },
                { [volume] in try await driver.export(.volume(volume), to: folder.file(), format: .raw) },
            ] {
                await #expect { try await work() } throws: { ($0 as? CloudError)?.code == .conflict }
            }
            try await driver.extend(volume, toGiB: 2, isOpen: true)
            // Nor is it swept, though no row knows it.
            #expect(try await driver.sweep(keeping: [], [], olderThan: .zero).contains(volume.location) == false)
            try await guest.stop()
        }
    }

    @Test("chains of deleted snapshots become short, without a change of what is read")
    func merging() async throws {
        try await with { driver, folder in
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(
                volume, from: .image(id: suite.uuid(), format: "raw", virtualSizeBytes: 1 << 30))
            var content = Self.image
            for number in 1...4 {
                let run = VolumeContentSample.bytes(UInt8(number), at: number << 20, 3 << 20)
                content = content.adding(run)
                try await Self.write(run, to: volume, driver, folder)
                let snapshot = VolumeSnapshotHandle(
                    id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
                let result = try await driver.createSnapshot(snapshot, of: volume)
                volume.location = result.volumeLocation
            }
            // Nobody says that it is not attached, so nothing is merged.
            #expect(try await driver.sweep(keeping: [volume], [], olderThan: .zero) == [])
            volume.isAttached = false
            let removed = try await driver.sweep(keeping: [volume], [], olderThan: .zero)
            #expect(removed.count == 4)
            #expect(try driver.store.chain(try driver.head(volume)).count == 2)
            try await suite.expect(.volume(volume), content)
        }
    }

    @Test("a merge ends as soon as somebody works with a volume above it, and none begins while somebody does")
    func mergeGate() async throws {
        let (gate, started) = (MergeGate(), Signal())
        async let merging = gate.merge(["a", "b"]) {
            started.wake()
            try await Task.sleep(for: .seconds(60))
        }
        await started.wait()
        let second = try await gate.use(["b"]) { try await gate.merge(["b", "d"]) {} }
        let first = try await merging
        #expect(!first && !second)
        gate.setConnected("e", true)
        let connected = try await gate.merge(["e"]) {}
        gate.setConnected("e", false)
        let free = try await gate.merge(["e", "b"]) {}
        #expect(!connected && free)
    }

    @Test("a crash after any step of a clone leaves something that the next try completes")
    func crashedClone() async throws {
        try await with { driver, folder in
            let suite = Self.suite(driver, folder)
            let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(7, at: 0)])
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            try await suite.fill(&volume, content)
            let clone = suite.handle(sizeGiB: 1)
            // Crashed after the link, before the new head; and unfinished files from before that.
            let frozen = try LayerName.frozen(volume.id, for: clone.id)
            try DurableFiles.link(driver.store.path(try driver.head(volume)), as: driver.store.path(frozen))
            try FileSystem.writeAtomically("\(driver.store.directory)/volume-x.qcow2.1.tmp", "torn")
            var made = clone
            made.location = try await driver.create(clone, from: .volume(volume))
            try await suite.expect(.volume(made), content)
            try await suite.expect(.volume(volume), content)
            #expect(try await driver.sweep(keeping: [volume, made], [], olderThan: .zero) == ["volume-x.qcow2.1.tmp"])
            // Crashed after the new head, before the clone.
            try FileSystem.removeTree(driver.store.path(try driver.head(made)))
            made.location = try await driver.create(clone, from: .volume(volume))
            try await suite.expect(.volume(made), content)
        }
    }

    // MARK: Hostile bytes

    @Test("nothing is managed that is no plain file of the folder, or refers to a file outside of it")
    func hostileReferences() async throws {
        try await with { driver, folder in
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            let (secret, directory) = ("\(folder.path)/secret", driver.store.directory)
            try FileSystem.writeAtomically(secret, [UInt8](repeating: 0x53, count: 1 << 20))
            #expect(symlink(secret, "\(directory)/link.raw") == 0)
            #expect(symlink("\(folder.path)/other.qcow2", "\(directory)/unmanaged-snapshot-link.qcow2") == 0)
            for (name, backing) in [
                ("leads-out", secret), ("unmanaged-snapshot-out", secret), ("unmanaged-snapshot-up", "../secret"),
                ("unmanaged-snapshot-other", "\(folder.path)/volumes/\(volume.location)"),
            ] {
                try await Subprocess.runChecked(
                    "/usr/bin/qemu-img",
                    [
                        "create", "-q", "-u", "-f", "qcow2", "-F", backing == secret ? "raw" : "qcow2", "-b", backing,
                        "\(directory)/\(name).qcow2", "1G",
                    ])
            }
            let before = try FileSystem.list(directory).sorted()
            #expect(try await driver.foreignVolumes().isEmpty)
            #expect(try await driver.foreignSnapshots(of: [volume]).isEmpty)
            let references =
                before + ["../secret", secret, "./leads-out.qcow2", ".", "..", "", "volumes/leads-out.qcow2"]
            for reference in references {
                let snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
                await #expect("\(reference)") {
                    _ = try await driver.manageSnapshot(snapshot, of: volume, reference: reference)
                } throws: { ($0 as? CloudError)?.kind == "ManageExistingInvalidReference" }
                await #expect("\(reference)") {
                    _ = try await driver.manage(suite.handle(sizeGiB: 1), reference: reference)
                } throws: { ($0 as? CloudError)?.kind == "ManageExistingInvalidReference" }
            }
            #expect(try FileSystem.list(directory).sorted() == before)
            try await suite.expect(.volume(volume), VolumeContentSample(sizeGiB: 1))
        }
    }

    @Test("what the operator wrote above a snapshot that he got comes back with it")
    func writtenSnapshot() async throws {
        try await with { driver, folder in
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(volume, from: .blank)
            var snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
            let made = try await driver.createSnapshot(snapshot, of: volume)
            (snapshot.location, volume.location) = (made.snapshotLocation, made.volumeLocation)
            try await driver.unmanageSnapshot(snapshot)
            let file = try #require(try await driver.foreignSnapshots(of: [volume]).first?.reference)
            try await Subprocess.runChecked(
                "/usr/bin/qemu-io", ["-f", "qcow2", "-c", "write -P 66 1M 1M", "\(driver.store.directory)/\(file)"])
            var taken = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: volume.id, sizeGiB: 1)
            taken.location = try await driver.manageSnapshot(taken, of: volume, reference: file)
            let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(66, at: 1 << 20)])
            _ = try await driver.sweep(keeping: [volume], [taken], olderThan: .zero)
            try await suite.expect(.snapshot(taken), content)
            try await suite.expect(.volume(volume), VolumeContentSample(sizeGiB: 1))
        }
    }

    @Test("no image makes the host open another file", arguments: HostileImage.allCases)
    func hostileImages(_ kind: HostileImage) async throws {
        try await VolumeTestFolder.with { folder in
            let secret = "\(folder.path)/secret"
            try FileSystem.writeAtomically(secret, [UInt8](repeating: 0x53, count: 1 << 20))
            let image = try await kind.write(in: folder, naming: secret)
            let driver = FilesVolumeDriver(
                FilesVolumeConfig(address: "host@files", stateDirectory: folder.path),
                images: FileImageSource(path: image))
            try await driver.start()
            let volume = VolumeHandle(id: VolumeID(IDSource.random.uuid()), sizeGiB: 1)
            await #expect {
                _ = try await driver.create(
                    volume,
                    from: .image(id: IDSource.random.uuid(), format: kind.format, virtualSizeBytes: 1 << 20))
            } throws: {
                ($0 as? CloudError)?.code == .badRequest
            }
            _ = try await driver.sweep(keeping: [], [], olderThan: .zero)
            #expect(try FileSystem.list("\(folder.path)/volumes") == [])
        }
    }

    @Test("a raw disk on which a guest wrote a qcow2 header stays raw through everything")
    func guestHeader() async throws {
        try await VolumeTestFolder.with { folder in
            let secret = "\(folder.path)/secret"
            try FileSystem.writeAtomically(secret, [UInt8](repeating: 0x53, count: 1 << 20))
            // The image itself begins like a qcow2 that names a file of the host, and so does what the guest writes.
            let header = try await HostileImage.qcow2Backing.write(in: folder, naming: secret)
            let bytes = try #require(try FileSystem.read(header, limit: 1 << 20))
            try FileSystem.writeAtomically("\(folder.path)/image.raw", bytes)
            let driver = FilesVolumeDriver(
                FilesVolumeConfig(address: "host@files", stateDirectory: folder.path),
                images: FileImageSource(path: "\(folder.path)/image.raw"))
            try await driver.start()
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(
                volume, from: .image(id: suite.uuid(), format: "raw", virtualSizeBytes: Int64(bytes.count)))
            let reference = folder.file("expected")
            try FileSystem.writeAtomically(reference, bytes)
            try FileSystem.truncate(reference, to: 1 << 30)
            for _ in 1...2 { try await Self.expectSame(.volume(volume), reference, driver, folder) }

            // As a guest: the same header at the start of its own disk.
            var plain = suite.handle(sizeGiB: 1)
            plain.location = try await driver.create(plain, from: .blank)
            try FileSystem.truncate(header, to: 1 << 20)
            let connection = try await driver.connect(
                plain, to: HostConnector(host: "h", ip: "127.0.0.1"), isReadOnly: false)
            let written = try await VolumeTool.asGuest(
                connection, ["write -s \(header) 0 1M"], secrets: folder.path)
            #expect(written.isSuccess, "\(written.errorText)")
            try await driver.disconnect(plain, from: HostConnector(host: "h", ip: "127.0.0.1"))
            try FileSystem.truncate(header, to: 1 << 30)
            var snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(suite.uuid()), volume: plain.id, sizeGiB: 1)
            let result = try await driver.createSnapshot(snapshot, of: plain)
            (snapshot.location, plain.location) = (result.snapshotLocation, result.volumeLocation)
            try await Self.expectSame(.snapshot(snapshot), header, driver, folder)
            // A backup of it is raw bytes, and comes back as raw bytes.
            let backup = folder.file("backup")
            try await driver.export(.volume(plain), to: backup, format: .raw)
            plain.location = try await driver.restore(plain, from: backup, format: .raw)
            try await driver.extend(plain, toGiB: 2, isOpen: false)
            plain.sizeGiB = 2
            try FileSystem.truncate(header, to: 2 << 30)
            try await Self.expectSame(.volume(plain), header, driver, folder)
        }
    }

    @Test("images in other hypervisors' formats become volumes", arguments: ["qcow2", "vmdk", "vdi", "vhdx", "vpc"])
    func foreignFormats(_ format: String) async throws {
        try await VolumeTestFolder.with { folder in
            let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x42, at: 3 << 20)])
            let (raw, image) = (folder.file("raw"), folder.file("image"))
            try content.write(to: raw)
            try FileSystem.truncate(raw, to: 64 << 20)
            try await Subprocess.runChecked(
                "/usr/bin/qemu-img", ["convert", "-f", "raw", "-O", format, raw, image])
            let driver = FilesVolumeDriver(
                FilesVolumeConfig(address: "host@files", stateDirectory: folder.path),
                images: FileImageSource(path: image))
            try await driver.start()
            let suite = Self.suite(driver, folder)
            var volume = suite.handle(sizeGiB: 1)
            volume.location = try await driver.create(
                volume, from: .image(id: suite.uuid(), format: format, virtualSizeBytes: 64 << 20))
            try await suite.expect(.volume(volume), content)
        }
    }

    @Test("no location and no header leads out of the folder")
    func locations() throws {
        let names = [
            "../x.qcow2", "volume-/etc/passwd.qcow2", "/etc/passwd", "volume-..qcow2/../x.raw", "", "volume-a",
        ]
        for text in names {
            #expect(LayerName(text) == nil, "\(text)")
        }
        #expect(LayerName("volume-\(IDSource.random.uuid()).qcow2") != nil)
    }

    // MARK: Parts

    private static func suite(_ driver: any VolumeDriver, _ folder: VolumeTestFolder) -> VolumeDriverConformance {
        VolumeDriverConformance(driver: driver, folder: folder, image: image) { connection, commands in
            try await VolumeTool.asGuest(connection, commands, secrets: folder.path)
        }
    }

    private func with(_ body: (FilesVolumeDriver, VolumeTestFolder) async throws -> Void) async throws {
        try await VolumeTestFolder.with { folder in
            try Self.image.write(to: "\(folder.path)/image.raw")
            let driver = FilesVolumeDriver(
                FilesVolumeConfig(address: "host@files", stateDirectory: folder.path),
                images: FileImageSource(path: "\(folder.path)/image.raw"))
            try await driver.start()
            try await body(driver, folder)
        }
    }

    private static func write(
        _ run: VolumeContentSample.Run, to volume: VolumeHandle, _ driver: FilesVolumeDriver, _ folder: VolumeTestFolder
    ) async throws {
        let host = HostConnector(host: "h", ip: "127.0.0.1")
        let connection = try await driver.connect(volume, to: host, isReadOnly: false)
        let result = try await VolumeTool.asGuest(
            connection, ["write -P \(run.byte) \(run.offset) \(run.count)", "flush"], secrets: folder.path)
        #expect(result.isSuccess, "\(result.errorText)")
        try await driver.disconnect(volume, from: host)
    }

    private static func expectSame(
        _ content: VolumeContent, _ reference: String, _ driver: FilesVolumeDriver, _ folder: VolumeTestFolder
    ) async throws {
        let path = folder.file("export")
        try await driver.export(content, to: path, format: .raw)
        #expect(try await VolumeTool.areEqual(path, reference))
        try FileSystem.removeTree(path)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LinuxKit
import Testing

/// What every volume driver promises, as checks that run on the fake and on the real ones alike. Every call is made
/// twice, because the controller repeats what it lost the answer of.
struct VolumeDriverConformance {
    let driver: any VolumeDriver
    let folder: VolumeTestFolder
    /// What the driver's source of images gives for every id: raw bytes, no larger than a gibibyte.
    let image: VolumeContentSample
    /// Does as a guest would that has the disk: commands of `qemu-io`. Nil: there is no disk to open.
    let guest: (@Sendable (VolumeConnection, [String]) async throws -> Subprocess.Result)?

    private var fake: FakeVolumeDriver? { driver as? FakeVolumeDriver }

    private static let connector = HostConnector(
        host: "host-1", ip: "127.0.0.1", initiator: "iqn.2005-03.org.open-iscsi:test")

    /// A blank volume reads as zeros, has a place in the pool, and leaves nothing.
    func birthAndDeath() async throws {
        try await sweepAll()
        let before = try await driver.pool()
        var volume = handle(sizeGiB: 1)
        let first = try await driver.create(volume, from: .blank)
        #expect(try await driver.create(volume, from: .blank) == first)
        volume.location = first
        try await expect(.volume(volume), VolumeContentSample(sizeGiB: 1))
        let pool = try await driver.pool()
        #expect(pool.name == before.name && pool.totalGiB > 0 && pool.freeGiB <= pool.totalGiB)
        #expect(pool.provisionedGiB >= before.provisionedGiB + 1)
        // Nothing that is kept is swept.
        #expect(try await driver.sweep(keeping: [volume], [], olderThan: .zero) == [])
        for _ in 1...2 { try await driver.delete(volume) }
        #expect(try await driver.pool().provisionedGiB == before.provisionedGiB)
        try await sweepAll()
    }

    /// A volume from an image reads as the image and zeros after it; an image that is too large is refused.
    func fromImage() async throws {
        var volume = handle(sizeGiB: 2)
        let source = VolumeSource.image(id: uuid(), format: "raw", virtualSizeBytes: image.sizeBytes)
        for _ in 1...2 { volume.location = try await driver.create(volume, from: source) }
        try await expect(.volume(volume), image.resized(toGiB: 2))
        var second = handle(sizeGiB: 2)
        second.location = try await driver.create(second, from: source)
        try await fill(&second, VolumeContentSample(sizeGiB: 2, [VolumeContentSample.bytes(9, at: 0)]))
        try await expect(.volume(volume), image.resized(toGiB: 2))
        try await driver.delete(volume)
        try await driver.delete(second)

        let large = handle(sizeGiB: 1)
        await expectCode(.badRequest) {
            _ = try await driver.create(
                large, from: .image(id: uuid(), format: "raw", virtualSizeBytes: (1 << 30) + 1))
        }
        try await driver.delete(large)
        try await sweepAll()
    }

    /// A snapshot keeps what was there; clones of it live without the volume, and the volume without it.
    func snapshots() async throws {
        let (one, two) = (VolumeContentSample.bytes(0x11, at: 0), VolumeContentSample.bytes(0x22, at: 64 << 20))
        var volume = handle(sizeGiB: 1)
        volume.location = try await driver.create(volume, from: .blank)
        let old = VolumeContentSample(sizeGiB: 1, [one])
        try await fill(&volume, old)

        var snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(uuid()), volume: volume.id, sizeGiB: 1)
        let result = try await driver.createSnapshot(snapshot, of: volume)
        #expect(try await driver.createSnapshot(snapshot, of: volume) == result)
        snapshot.location = result.snapshotLocation
        volume.location = result.volumeLocation
        // Also after the result was saved.
        #expect(try await driver.createSnapshot(snapshot, of: volume) == result)
        try await expect(.volume(volume), old)

        let new = VolumeContentSample(sizeGiB: 1, [two])
        try await fill(&volume, new)
        try await expect(.volume(volume), new)
        try await expect(.snapshot(snapshot), old)

        var clone = handle(sizeGiB: 2)
        for _ in 1...2 { clone.location = try await driver.create(clone, from: .snapshot(snapshot)) }
        try await expect(.volume(clone), old.resized(toGiB: 2))
        #expect(try await driver.sweep(keeping: [volume, clone], [snapshot], olderThan: .zero).isEmpty)

        for _ in 1...2 { volume.location = try await driver.revert(volume, to: snapshot) }
        try await expect(.volume(volume), old)
        try await expect(.snapshot(snapshot), old)

        for _ in 1...2 { try await driver.deleteSnapshot(snapshot) }
        _ = try await driver.sweep(keeping: [idle(volume), idle(clone)], [], olderThan: .zero)
        try await expect(.volume(volume), old)
        try await driver.delete(volume)
        _ = try await driver.sweep(keeping: [idle(clone)], [], olderThan: .zero)
        try await expect(.volume(clone), old.resized(toGiB: 2))
        try await driver.delete(clone)
        try await sweepAll()
    }

    /// A volume with a snapshot reads as an image in the place of what it held; the snapshot keeps what it has.
    func reimaging() async throws {
        let old = VolumeContentSample(sizeGiB: 2, [VolumeContentSample.bytes(0x11, at: 0)])
        var volume = handle(sizeGiB: 2)
        volume.location = try await driver.create(volume, from: .blank)
        try await fill(&volume, old)
        var snapshot = VolumeSnapshotHandle(id: VolumeSnapshotID(uuid()), volume: volume.id, sizeGiB: 2)
        let result = try await driver.createSnapshot(snapshot, of: volume)
        (snapshot.location, volume.location) = (result.snapshotLocation, result.volumeLocation)
        try await fill(&volume, VolumeContentSample(sizeGiB: 2, [VolumeContentSample.bytes(0x22, at: 64 << 20)]))

        let source = VolumeImage(id: uuid(), format: "raw", virtualSizeBytes: image.sizeBytes)
        for _ in 1...2 { volume.location = try await driver.reimage(volume, from: source) }
        try await expect(.volume(volume), image.resized(toGiB: 2))
        try await expect(.snapshot(snapshot), old)
        _ = try await driver.sweep(keeping: [idle(volume)], [snapshot], olderThan: .zero)
        try await expect(.volume(volume), image.resized(toGiB: 2))
        // What is written afterwards goes to neither of them.
        let new = VolumeContentSample(sizeGiB: 2, [VolumeContentSample.bytes(0x33, at: 0)])
        try await fill(&volume, new)
        try await expect(.volume(volume), new)
        try await expect(.snapshot(snapshot), old)
        for _ in 1...2 { volume.location = try await driver.revert(volume, to: snapshot) }
        try await expect(.volume(volume), old)
        try await driver.deleteSnapshot(snapshot)
        try await driver.delete(volume)
        try await sweepAll()
    }

    /// A clone of a volume and the volume go their own ways; either may go first.
    func clones() async throws {
        let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x33, at: 1 << 20)])
        var volume = handle(sizeGiB: 1)
        volume.location = try await driver.create(volume, from: .blank)
        try await fill(&volume, content)
        var (first, second) = (handle(sizeGiB: 1), handle(sizeGiB: 2))
        for _ in 1...2 { first.location = try await driver.create(first, from: .volume(volume)) }
        second.location = try await driver.create(second, from: .volume(volume))
        try await expect(.volume(volume), content)
        let changed = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x44, at: 1 << 20)])
        try await fill(&volume, changed)
        try await expect(.volume(first), content)
        try await fill(&first, VolumeContentSample(sizeGiB: 1))
        try await expect(.volume(volume), changed)
        try await expect(.volume(second), content.resized(toGiB: 2))
        try await driver.delete(volume)
        _ = try await driver.sweep(keeping: [idle(first), idle(second)], [], olderThan: .zero)
        try await expect(.volume(second), content.resized(toGiB: 2))
        try await driver.delete(second)
        try await driver.delete(first)
        try await sweepAll()
    }

    /// What a host writes through its connection is what the driver reads; a volume grows below it.
    func connections() async throws {
        var volume = handle(sizeGiB: 1)
        volume.location = try await driver.create(volume, from: .blank)
        var connection = try await driver.connect(volume, to: Self.connector, isReadOnly: false)
        #expect(try await driver.connect(volume, to: Self.connector, isReadOnly: false) == connection)
        #expect(connection.volume == volume.id && connection.sizeBytes == 1 << 30 && !connection.isReadOnly)
        if let guest {
            let written = try await guest(connection, ["write -P 0x55 0 1M", "write -P 0x66 1023M 1M", "flush"])
            #expect(written.isSuccess, "\(written.errorText)\(written.output)")
        }
        for _ in 1...2 { try await driver.disconnect(volume, from: Self.connector) }
        if let guest, case .iscsi = connection.source {
            #expect(try await !guest(connection, ["read 0 512"]).isSuccess)
        }
        for _ in 1...2 { try await driver.extend(volume, toGiB: 2, isOpen: false) }
        volume.sizeGiB = 2
        connection = try await driver.connect(volume, to: Self.connector, isReadOnly: true)
        #expect(connection.isReadOnly && connection.sizeBytes == 2 << 30)
        if let guest {
            let read = try await guest(
                connection,
                [
                    "read -P 0x55 0 1M", "read -P 0 1M 8M", "read -P 0x66 1023M 1M", "read -P 0 1G 8M",
                    "read -P 0 2040M 8M",
                ])
            #expect(read.isSuccess && !read.output.contains("verification failed"), "\(read.errorText)\(read.output)")
            let content = VolumeContentSample(
                sizeGiB: 2, [VolumeContentSample.bytes(0x55, at: 0), VolumeContentSample.bytes(0x66, at: 1023 << 20)])
            try await driver.disconnect(volume, from: Self.connector)
            try await expect(.volume(volume), content)
        }
        try await driver.delete(volume)
        try await sweepAll()
    }

    /// A volume that was given back to the operator can be taken over again, with what it held.
    func managing() async throws {
        let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x77, at: 0)])
        let foreign = try await driver.foreignVolumes()
        var volume = handle(sizeGiB: 1)
        volume.location = try await driver.create(volume, from: .blank)
        try await fill(&volume, content)
        for _ in 1...2 { try await driver.unmanage(volume) }
        #expect(try await driver.sweep(keeping: [], [], olderThan: .zero).isEmpty)
        let found = try await driver.foreignVolumes().filter { !foreign.contains($0) }
        #expect(found.count == 1 && found.first?.sizeGiB == 1)
        let reference = try #require(found.first?.reference)
        var taken = handle(sizeGiB: 2)
        for _ in 1...2 { taken.location = try await driver.manage(taken, reference: reference) }
        #expect(try await driver.foreignVolumes() == foreign)
        try await expect(.volume(taken), content.resized(toGiB: 2))
        try await driver.delete(taken)
        await expectCode(.notFound) { _ = try await driver.manage(handle(sizeGiB: 1), reference: "../../etc/passwd") }
        await expectCode(.notFound) { _ = try await driver.manage(handle(sizeGiB: 1), reference: reference) }
        try await sweepAll()
    }

    /// Encrypted volumes are made from everything, read as what was written, and are copied when the key differs.
    func encryption() async throws {
        let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x5A, at: 0, 8 << 20)])
        var volume = handle(sizeGiB: 1)
        volume.passphrase = "one\"two,three=four"
        for _ in 1...2 { volume.location = try await driver.create(volume, from: .blank) }
        try await fill(&volume, content)
        var snapshot = VolumeSnapshotHandle(
            id: VolumeSnapshotID(uuid()), volume: volume.id, sizeGiB: 1, passphrase: volume.passphrase)
        let result = try await driver.createSnapshot(snapshot, of: volume)
        (snapshot.location, volume.location) = (result.snapshotLocation, result.volumeLocation)

        let connection = try await driver.connect(volume, to: Self.connector, isReadOnly: false)
        #expect(connection.passphrase == volume.passphrase)
        if let guest {
            let done = try await guest(connection, ["read -P 0x5A 0 8M", "write -P 0x5B 0 1M", "flush"])
            #expect(done.isSuccess && !done.output.contains("verification failed"), "\(done.errorText)\(done.output)")
        }
        try await driver.disconnect(volume, from: Self.connector)

        var clones: [VolumeHandle] = []
        for passphrase in [volume.passphrase, "another", nil] {
            var clone = handle(sizeGiB: 1)
            clone.passphrase = passphrase
            clone.location = try await driver.create(clone, from: .snapshot(snapshot))
            // Noise is as large as the disk: once is enough.
            try await expect(.volume(clone), content, times: 1)
            clones.append(clone)
        }
        var imaged = handle(sizeGiB: 1)
        imaged.passphrase = "key"
        imaged.location = try await driver.create(
            imaged, from: .image(id: uuid(), format: "raw", virtualSizeBytes: image.sizeBytes))
        try await expect(.volume(imaged), image, upTo: image.sizeBytes, times: 1)
        for gone in clones + [imaged, volume] { try await driver.delete(gone) }
        try await driver.deleteSnapshot(snapshot)
        try await sweepAll()
    }

    // MARK: Parts

    func handle(sizeGiB: Int) -> VolumeHandle { VolumeHandle(id: VolumeID(uuid()), sizeGiB: sizeGiB) }

    func uuid() -> String { IDSource.random.uuid() }

    func idle(_ volume: VolumeHandle) -> VolumeHandle {
        var volume = volume
        volume.isAttached = false
        return volume
    }

    /// Puts content into a volume, as a backup does.
    func fill(_ volume: inout VolumeHandle, _ content: VolumeContentSample) async throws {
        if let fake {
            // It keeps a number for the bytes.
            if !content.runs.isEmpty { return fake.write(content.number, to: volume.id) }
            for _ in 1...2 { volume.location = try await driver.restore(volume, from: "/dev/null", format: .raw) }
            return
        }
        let path = folder.file("content")
        try content.write(to: path)
        for _ in 1...2 { volume.location = try await driver.restore(volume, from: path, format: .raw) }
        try FileSystem.removeTree(path)
    }

    func expect(
        _ content: VolumeContent, _ expected: VolumeContentSample, upTo limit: Int64? = nil, times: Int = 2,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let (path, reference) = (folder.file("export"), folder.file("expected"))
        for _ in 1...times { try await driver.export(content, to: path, format: .raw) }
        let size = try FileSystem.status(path)?.size
        if let limit {
            try FileSystem.truncate(path, to: limit)
        } else {
            #expect(size == expected.sizeBytes, sourceLocation: sourceLocation)
        }
        if fake != nil {
            let text = try FileSystem.text(path, limit: 128) ?? ""
            let word = text.split(separator: "\n").first.map(String.init) ?? ""
            let isSame =
                expected.runs.isEmpty
                ? word.utf8.allSatisfy { $0 == 0 }
                : expected.number == image.number ? word.hasPrefix("image ") : word == "written \(expected.number)"
            #expect(isSame, "\(word) is not \(expected)", sourceLocation: sourceLocation)
            return try FileSystem.removeTree(path)
        }
        try expected.write(to: reference)
        #expect(try await VolumeTool.areEqual(path, reference), "the content differs", sourceLocation: sourceLocation)
        try FileSystem.removeTree(path)
        try FileSystem.removeTree(reference)
    }

    /// Nothing is left that nobody needs, and nothing more is found the second time.
    func sweepAll() async throws {
        _ = try await driver.sweep(keeping: [], [], olderThan: .zero)
        #expect(try await driver.sweep(keeping: [], [], olderThan: .zero) == [])
        #expect(try await driver.pool().provisionedGiB == 0)
    }

    func expectCode(
        _ code: CloudError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("no error, expected \(code)", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? CloudError)?.code == code, "\(error)", sourceLocation: sourceLocation)
        }
    }
}

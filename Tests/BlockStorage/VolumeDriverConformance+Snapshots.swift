// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Testing

extension VolumeDriverConformance {
    /// A snapshot that was given back to the operator outlives its volume's changes, and can be taken over again; for
    /// its volume, and by its name alone.
    func managingSnapshots() async throws {
        let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x78, at: 0)])
        let later = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x79, at: 1 << 20)])
        var (volume, stranger) = (handle(sizeGiB: 1), handle(sizeGiB: 1))
        stranger.location = try await driver.create(stranger, from: .blank)
        volume.location = try await driver.create(volume, from: .blank)
        try await fill(&volume, content)
        #expect(try await driver.foreignSnapshots(of: [volume, stranger]).isEmpty)
        let foreign = try await driver.foreignVolumes()
        let snapshot = try await freeze(&volume)

        for _ in 1...2 { try await driver.unmanageSnapshot(snapshot) }
        // Whatever becomes of the volume meanwhile, what it was stays.
        try await fill(&volume, later)
        _ = try await driver.sweep(keeping: [idle(volume), idle(stranger)], [], olderThan: .zero)
        #expect(try await driver.foreignVolumes() == foreign)
        let found = try await driver.foreignSnapshots(of: [stranger, volume])
        #expect(found.count == 1 && found.first?.sizeGiB == 1)
        #expect(found.first?.volume == nil || found.first?.volume == volume.id)
        let reference = try #require(found.first?.reference)
        await expectRefusals(of: volume, naming: [snapshot.location, volume.location])
        if found.first?.volume != nil { await expectRefusals(of: stranger, naming: [reference]) }

        // A manage that is taken back leaves it to the operator.
        let lost = handle(ofSnapshotOf: volume)
        _ = try await driver.manageSnapshot(lost, of: volume, reference: reference)
        for _ in 1...2 { try await driver.unmanageSnapshot(lost) }
        let again = try #require(try await driver.foreignSnapshots(of: [volume]).first?.reference)
        // Nor is it a volume.
        await expectCode(.notFound) { _ = try await driver.manage(handle(sizeGiB: 1), reference: again) }
        var taken = handle(ofSnapshotOf: volume)
        for _ in 1...2 { taken.location = try await driver.manageSnapshot(taken, of: volume, reference: again) }
        #expect(try await driver.foreignSnapshots(of: [volume]).isEmpty)
        try await expect(.snapshot(taken), content)
        try await expect(.volume(volume), later)
        try await use(taken, of: &volume, stranger, expecting: content)
        for gone in [volume, stranger] { try await driver.delete(gone) }
        try await driver.deleteSnapshot(taken)
        try await sweepAll()
    }

    /// The header of an encrypted one is no part of its size; with its volume's passphrase it is read as before.
    func managingEncryptedSnapshots() async throws {
        let content = VolumeContentSample(sizeGiB: 1, [VolumeContentSample.bytes(0x7A, at: 0, 8 << 20)])
        var volume = handle(sizeGiB: 1)
        volume.passphrase = "one\"two,three=four"
        volume.location = try await driver.create(volume, from: .blank)
        try await fill(&volume, content)
        let snapshot = try await freeze(&volume)
        try await driver.unmanageSnapshot(snapshot)
        let found = try #require(try await driver.foreignSnapshots(of: [volume]).first)
        #expect(found.sizeGiB == 1)
        var taken = handle(ofSnapshotOf: volume)
        taken.location = try await driver.manageSnapshot(taken, of: volume, reference: found.reference)
        try await expect(.snapshot(taken), content, upTo: 8 << 20, times: 1)
        try await driver.delete(volume)
        try await driver.deleteSnapshot(taken)
        try await sweepAll()
    }

    /// It is as good as any other.
    private func use(
        _ taken: VolumeSnapshotHandle, of volume: inout VolumeHandle, _ stranger: VolumeHandle,
        expecting content: VolumeContentSample
    ) async throws {
        _ = try await driver.sweep(keeping: [idle(volume), idle(stranger)], [taken], olderThan: .zero)
        try await expect(.snapshot(taken), content)
        var clone = handle(sizeGiB: 1)
        clone.location = try await driver.create(clone, from: .snapshot(taken))
        try await expect(.volume(clone), content)
        for _ in 1...2 { volume.location = try await driver.revert(volume, to: taken) }
        try await expect(.volume(volume), content)
        try await driver.delete(clone)
    }

    private func expectRefusals(of volume: VolumeHandle, naming references: [String]) async {
        for reference in references + ["../../etc/passwd", "/etc/passwd", "", "-", ".", "none"] {
            await expectCode(.notFound) {
                _ = try await driver.manageSnapshot(handle(ofSnapshotOf: volume), of: volume, reference: reference)
            }
        }
    }

    private func handle(ofSnapshotOf volume: VolumeHandle) -> VolumeSnapshotHandle {
        VolumeSnapshotHandle(
            id: VolumeSnapshotID(uuid()), volume: volume.id, sizeGiB: volume.sizeGiB, passphrase: volume.passphrase)
    }

    private func freeze(_ volume: inout VolumeHandle) async throws -> VolumeSnapshotHandle {
        var snapshot = handle(ofSnapshotOf: volume)
        let made = try await driver.createSnapshot(snapshot, of: volume)
        (snapshot.location, volume.location) = (made.snapshotLocation, made.volumeLocation)
        return snapshot
    }
}

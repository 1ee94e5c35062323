// SPDX-License-Identifier: Apache-2.0
import BlockStorageContract
import BlockStorageDriverKit
import Testing

/// Goal: the fake that other tests trust keeps the promises of the real drivers.
/// Method: the same checks, with a number in the place of bytes.
@Suite("Fake volume driver")
struct FakeVolumeDriverTests {
    @Test(
        "passes the conformance checks of volume drivers", arguments: FilesVolumeDriverTests.checks.indices,
        [false, true])
    func conformance(check: Int, movesOnSnapshot: Bool) async throws {
        try await VolumeTestFolder.with { folder in
            let suite = VolumeDriverConformance(
                driver: FakeVolumeDriver(movesOnSnapshot: movesOnSnapshot), folder: folder,
                image: FilesVolumeDriverTests.image, guest: nil)
            try await FilesVolumeDriverTests.checks[check].1(suite)
        }
    }

    @Test("writes an image of the format that is asked for, in its first cluster the content")
    func formats() async throws {
        try await VolumeTestFolder.with { folder in
            let driver = FakeVolumeDriver()
            let volume = VolumeHandle(id: VolumeID("11111111-1111-4111-8111-111111111111"), sizeGiB: 3)
            _ = try await driver.create(volume, from: .blank)
            driver.write(7, to: volume.id)
            let path = folder.file()
            try await driver.export(.volume(volume), to: path, format: .qcow2)
            #expect(try QCOW2Header(path: path).virtualSizeBytes == 3 << 30)
            #expect(try QCOW2Header(path: path).backingName == nil)
            try await driver.export(.volume(volume), to: path, format: .raw)
            driver.write(8, to: volume.id)
            _ = try await driver.restore(volume, from: path, format: .raw)
            #expect(driver.volumes[volume.id]?.content == .written(7))
        }
    }
}

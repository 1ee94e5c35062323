// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import LinuxKit
import TestKit
import Testing

/// Goal: the fake keeps the promises of `HypervisorDriver`, so that tests on it mean something.
/// Method: the conformance checks that the real driver passes, too.
@Suite("Fake hypervisor")
struct FakeHypervisorTests {
    private let conformance = HypervisorDriverConformance(driver: FakeHypervisor()) { SampleGuest.make() }

    @Test("a guest comes and goes without a trace") func birthAndDeath() async throws {
        try await conformance.birthAndDeath()
    }
    @Test("every power call reaches its state") func powerWalk() async throws { try await conformance.powerWalk() }
    @Test("a guest that is off refuses what needs a running one") func refusals() async throws {
        try await conformance.refusals()
    }
    @Test("a guest tells what it does") func diagnostics() async throws { try await conformance.diagnostics() }
    @Test("unknown guests are told apart") func unknownGuest() async throws { try await conformance.unknownGuest() }
    @Test("consoles can be read and found") func consoles() async throws {
        try await conformance.consoles(loggedLine: "login:")
    }
    @Test("volumes come, move, grow and go, and stay over starts") func volumes() async throws {
        let driver = FakeHypervisor()
        let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make(bus: "scsi") }
        let open = Self.open(driver)
        try await conformance.volumes(
            make: { SampleGuest.volume(device: $0) }, head: { "/volumes/\($0.id).head" }, open: open)
        try await conformance.bootFromVolume(make: { SampleGuest.volume(device: $0) }, open: open)
    }
    @Test("volumes go elsewhere below their guests") func relocation() async throws {
        let driver = FakeHypervisor()
        try await HypervisorDriverConformance(driver: driver) { SampleGuest.make(bus: "scsi") }.relocation(
            make: { SampleGuest.volume(device: $0) },
            target: { volume in
                var target = volume
                target.connection.source = .file(path: "/volumes/\(volume.id).target", format: .qcow2)
                return target
            }, open: Self.open(driver))
    }
    private static func open(_ driver: FakeHypervisor) -> @Sendable (ServerID) async throws -> [VolumeID: String] {
        { server in
            let volumes = driver.inventory[server]?.volumes ?? []
            return Dictionary(
                volumes.map { volume in
                    guard case .file(let path, _) = volume.connection.source else { return (volume.id, "") }
                    return (volume.id, path)
                }, uniquingKeysWith: { first, _ in first })
        }
    }
    @Test("guests are set aside, resized and put back") func moves() async throws { try await conformance.moves() }
    @Test("guests get network cards and lose them") func interfaces() async throws {
        let driver = FakeHypervisor()
        try await HypervisorDriverConformance(driver: driver) { SampleGuest.make() }.interfaces(isRunning: true) {
            server in
            driver.inventory[server]?.specification.nics.map(\.portID) ?? []
        }
    }
    @Test("guests boot from other disks") func care() async throws { try await conformance.care() }
    @Test("root disks are copied") func copies() async throws { try await conformance.copies { _ in } }
    @Test("with a directory, copies are files that go again") func copiedFiles() async throws {
        try await withTemporaryDirectory { directory in
            let driver = FakeHypervisor(copyDirectory: directory)
            let conformance = HypervisorDriverConformance(driver: driver) { SampleGuest.make() }
            try await conformance.copies { path in
                let magic = try FileSystem.read(path, limit: 4)
                #expect(magic == [0x51, 0x46, 0x49, 0xFB])
            }
            let guest = SampleGuest.make()
            try await driver.spawn(guest)
            let path = try await driver.copyRootDisk(guest.serverID, named: "x")
            try await driver.destroy(guest.serverID)
            #expect(!FileSystem.exists(path))
        }
    }
    @Test("the host describes itself") func host() async throws { try await conformance.host() }
}

/// Guests for tests.
enum SampleGuest {
    static func make(
        server: ServerID = IDSource.random.next(), bus: String? = nil,
        configDrive: [GuestSpecification.ConfigDriveFile] = [],
        image: GuestSpecification.RootImage = .init(
            imageID: "7a3b1c55-0000-4000-8000-000000000001", format: "raw", virtualSizeBytes: 1 << 20, properties: [:])
    ) -> GuestSpecification {
        GuestSpecification(
            serverID: server, instanceName: "instance-\(server.rawValue.prefix(8))", displayName: "sample",
            projectID: ProjectID("5f0c"), vcpus: 1, memoryMiB: 32, rootDiskGiB: 1, ephemeralDiskGiB: 0, swapMiB: 0,
            rootImage: image, nics: [], configDrive: configDrive,
            imageProperties: bus.map { ["hw_disk_bus": $0] })
    }

    static func volume(device: String, path: String? = nil) -> GuestVolume {
        let id: VolumeID = IDSource.random.next()
        return GuestVolume(
            connection: VolumeConnection(
                volume: id, source: .file(path: path ?? "/volumes/\(id)", format: .qcow2), sizeBytes: 4 << 20),
            device: device)
    }
}

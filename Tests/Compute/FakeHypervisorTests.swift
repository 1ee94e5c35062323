// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
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
    @Test("unknown guests are told apart") func unknownGuest() async throws { try await conformance.unknownGuest() }
    @Test("consoles can be read and found") func consoles() async throws {
        try await conformance.consoles(loggedLine: "login:")
    }
    @Test("the host describes itself") func host() async throws { try await conformance.host() }
}

/// Guests for tests.
enum SampleGuest {
    static func make(
        server: ServerID = IDSource.random.next(), configDrive: [GuestSpecification.ConfigDriveFile] = [],
        image: GuestSpecification.RootImage = .init(
            imageID: "7a3b1c55-0000-4000-8000-000000000001", format: "raw", virtualSizeBytes: 1 << 20, properties: [:])
    ) -> GuestSpecification {
        GuestSpecification(
            serverID: server, instanceName: "instance-\(server.rawValue.prefix(8))", displayName: "sample",
            projectID: ProjectID("5f0c"), vcpus: 1, memoryMiB: 32, rootDiskGiB: 1, ephemeralDiskGiB: 0, swapMiB: 0,
            rootImage: image, nics: [], configDrive: configDrive)
    }
}

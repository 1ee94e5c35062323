// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import PlacementCore
import TestKit
import Testing

@testable import ComputeDriverLibvirt

/// Goal: a host has the traits of what it can do, and servers go where the traits are that they need.
/// Method: the API over fakes; samples of what libvirt says.
@Suite("Traits of hosts")
struct HostTraitsTests {
    @Test("every trait of hosts is one that the whole world knows")
    func names() {
        #expect(HostTraits.own.subtracting(StandardTraits.set).isEmpty)
        #expect(HostTraits.own.isSuperset(of: HostTraits.node.union([HostTraits.disabled])))
        #expect(HostTraits.own.isSuperset(of: GuestCapabilities.processorTraits.values.flatMap(\.self)))
        #expect(HostTraits.own.isSuperset(of: FakeHypervisor.traits))
    }

    @Test("a host's traits are told once, renewed when they change, and leave those of operators alone")
    func renewal() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let host = try #require(try await world.hosts.hosts().first)
            try await eventually("the host's first report is told on") { world.placement.announcements > 0 }
            var report = HostReport(
                host: "node-1", hypervisor: try await world.hypervisor.info(), guests: [], diskOwners: [],
                takenAt: world.parts.clock.now())
            try await world.hosts.report(report)
            #expect(world.placement.traits == HostTraits.node.union(FakeHypervisor.traits))
            let count = world.placement.announcements
            try await world.hosts.report(report)
            #expect(world.placement.announcements == count)

            for trait in ["CUSTOM_GOLD", "HW_NIC_SRIOV"] { world.placement.addTrait(trait) }
            _ = try await world.hosts.setService(host, isDisabled: true, reason: "work", isForcedDown: nil)
            #expect(world.placement.traits.contains(HostTraits.disabled))
            // The last is of a later version.
            report.hypervisor.traits = ["COMPUTE_RESCUE_BFV", "HW_CPU_X86_AVX", "COMPUTE_OF_TOMORROW"]
            try await world.hosts.report(report)
            let expected: Set = ["COMPUTE_RESCUE_BFV", "HW_CPU_X86_AVX", "CUSTOM_GOLD", "HW_NIC_SRIOV"]
            #expect(world.placement.traits == HostTraits.node.union(expected).union([HostTraits.disabled]))

            _ = try await world.hosts.setService(host, isDisabled: false, reason: nil, isForcedDown: nil)
            #expect(world.placement.traits == HostTraits.node.union(expected))
            // An agent of an older version tells nothing of them.
            report.hypervisor.traits = nil
            try await world.hosts.report(report)
            #expect(world.placement.traits == HostTraits.node.union(expected))
        }
    }

    @Test("a flavor and an image choose hosts by their traits")
    func choice() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            func setSpecs(_ specs: [String: JSON]) async throws {
                try await world.call(
                    .post, "/flavors/1/os-extra_specs", ["extra_specs": .object(specs)], as: "admin", expecting: 200)
            }
            try await setSpecs(["trait:COMPUTE_VOLUME_EXTEND": "required", "trait:HW_CPU_X86_AVX2": "forbidden"])
            #expect(try await world.status(world.boot()) == "ACTIVE")

            var image = try #require(world.images[ID(ComputeWorld.image)])
            image.properties["trait:COMPUTE_TRUSTED_CERTS"] = "required"
            world.images.set(image)
            try await Self.expectNoHost(world, try await world.boot())
            image.properties["trait:COMPUTE_TRUSTED_CERTS"] = nil
            world.images.set(image)

            try await setSpecs(["trait:HW_CPU_X86_AVX2": "required"])
            try await Self.expectNoHost(world, try await world.boot())
            try await setSpecs(["trait:HW_CPU_X86_AVX2": "forbidden", "trait:COMPUTE_RESCUE_BFV": "forbidden"])
            try await Self.expectNoHost(world, try await world.boot())
        }
    }

    private static func expectNoHost(_ world: ComputeWorld, _ id: String) async throws {
        let server = try await world.call(.get, "/servers/\(id)", as: "admin")
        #expect(server["server", "status"] == "ERROR")
        #expect(server["server", "fault", "message"]?.string?.contains("No valid host") == true)
    }

    // MARK: libvirt

    /// Of libvirt 9 with QEMU 7.2, shortened.
    private static let document = """
        <domainCapabilities>
          <path>/usr/bin/qemu-system-x86_64</path>
          <domain>kvm</domain>
          <arch>x86_64</arch>
          <cpu>
            <mode name='host-passthrough' supported='yes'/>
            <mode name='host-model' supported='yes'>
              <model fallback='forbid'>EPYC</model>
              <vendor>AMD</vendor>
              <feature policy='require' name='vaes'/>
              <feature policy='disable' name='svm'/>
            </mode>
          </cpu>
          <devices>
            <disk supported='yes'>
              <enum name='diskDevice'><value>disk</value><value>cdrom</value></enum>
              <enum name='bus'><value>ide</value><value>fdc</value><value>virtio</value></enum>
            </disk>
            <video supported='yes'>
              <enum name='modelType'><value>vga</value><value>bochs</value><value>ramfb</value></enum>
            </video>
          </devices>
        </domainCapabilities>
        """

    @Test("what libvirt says and the driver does becomes traits")
    func capabilities() throws {
        let capabilities = GuestCapabilities(try XMLReader.read(Self.document))
        let processor = try XMLReader.read(try #require(capabilities.hostProcessor))
        #expect(processor.name == "cpu" && processor["mode"] == "custom")
        #expect(processor.first("model")?.content == "EPYC")
        #expect(processor.elements.count { $0.name == "feature" } == 2)
        let features = GuestCapabilities.features(
            of: try XMLReader.read(
                """
                <cpu mode='custom' match='exact'><model fallback='forbid'>EPYC</model>
                  <feature policy='require' name='pni'/><feature policy='disable' name='svm'/>
                  <feature name='avx2'/><feature policy='require' name='fxsr'/></cpu>
                """))
        #expect(features == ["pni", "avx2", "fxsr"])
        let traits = Set(capabilities.traits(features: features, hostArch: "x86_64", hasThreads: true))
        func named(_ prefix: String) -> Set<String> {
            Set(traits.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
        }
        #expect(named("HW_CPU_") == ["HYPERTHREADING", "X86_SSE3", "X86_AVX2"])
        #expect(named("COMPUTE_STORAGE_BUS_") == ["IDE", "VIRTIO"])
        #expect(named("COMPUTE_GRAPHICS_MODEL_") == ["VGA", "BOCHS", "GOP"])
        #expect(named("COMPUTE_IMAGE_TYPE_") == ["RAW", "QCOW2", "ISO", "VMDK", "VDI", "VHDX", "VHD"])
        #expect(named("COMPUTE_NET_VIF_MODEL_").isSuperset(of: ["VIRTIO", "E1000E", "NE2K_PCI"]))
        #expect(named("COMPUTE_ARCH_") == ["X86_64"] && named("HW_ARCH_") == ["X86_64"])
        #expect(traits.isDisjoint(with: HostTraits.node))
        #expect(!traits.contains("COMPUTE_ACCELERATORS") && !traits.contains("COMPUTE_TRUSTED_CERTS"))
    }

    @Test("an emulated processor is described to libvirt")
    func emulated() {
        #expect(
            GuestCapabilities.processor(model: "Nehalem")
                == "<cpu mode='custom' match='exact'><model>Nehalem</model></cpu>")
    }
}

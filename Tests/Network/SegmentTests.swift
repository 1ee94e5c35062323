// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a network's segments are shown, added where that makes sense, and are all on its switch.
@Suite("Segments")
struct SegmentTests {
    private static func world() async throws -> NetworkWorld {
        try await NetworkWorld { config in
            config.physicalNetworks = ["physnet1", "physnet2"].map {
                PhysicalNetwork(name: $0, vlans: PhysicalNetwork.allVLANs)
            }
        }
    }

    private func vlan(_ world: NetworkWorld) async throws -> String {
        try await world.make(
            "network",
            [
                "provider:network_type": "vlan", "provider:physical_network": "physnet1",
                "provider:segmentation_id": 100,
            ], as: .admin
        ).id
    }

    private func segments(_ world: NetworkWorld, of network: String) async throws -> [JSON] {
        try await world.get("segments?network_id=\(network)", as: .admin)["segments"]?.array ?? []
    }

    @Test("each network has its own, which goes with it")
    func own() async throws {
        let world = try await Self.world()
        let network = try await vlan(world)
        let segment = try #require(try await segments(world, of: network).first)
        #expect(segment["network_type"] == "vlan" && segment["segmentation_id"] == 100)
        let path = "segments/\(segment.id)"
        let renamed = try await world.call(.put, path, ["segment": ["name": "floor 1"]], as: .admin)
        #expect(renamed["segment", "name"] == "floor 1" && renamed["segment", "revision_number"] == 2)
        let moved: JSON = ["network": ["provider:segmentation_id": 101]]
        #expect(try await world.call(.put, "networks/\(network)", moved, as: .admin).status == 200)
        #expect(try await world.get(path, as: .admin)["segment", "segmentation_id"] == 101)
        #expect(try await world.call(.delete, path, as: .admin).fault == "SegmentInUse")
        #expect(try await world.call(.delete, "networks/\(network)", as: .admin).status == 204)
        #expect(try await world.get(path, as: .admin).fault == "SegmentNotFound")
        #expect(try await world.get("segments")["segments"]?.array?.isEmpty == true)
        #expect(try await world.get(path).status == 404)
    }

    @Test("a second physical network is a second door of the switch")
    func second() async throws {
        let world = try await Self.world()
        let network = try await vlan(world)
        let attributes: JSON = [
            "network_id": .string(network), "network_type": "vlan", "physical_network": "physnet2",
            "segmentation_id": 200,
        ]
        let segment = try await world.make("segment", attributes, as: .admin)
        #expect(
            try await world.call(.post, "segments", ["segment": attributes], as: .admin).fault == "Conflict")
        let shown = try await world.get("networks/\(network)", as: .admin)["network"]
        #expect(shown?["segments"]?.array?.count == 2)
        #expect(shown?["provider:network_type"] == nil)
        try await world.project()
        let doors = world.logicalNetwork(network)?.segments
        #expect(doors == [.init(id: segment.id, provider: .init(physicalNetwork: "physnet2", vlan: 200))])
        #expect(try await world.call(.delete, "segments/\(segment.id)", as: .admin).status == 204)
        try await world.project()
        #expect(world.logicalNetwork(network)?.segments == [])
        // The VLAN is free again.
        #expect(try await world.make("segment", attributes, as: .admin)["segmentation_id"] == 200)
    }

    @Test("an overlay has one; a network is made with several")
    func several() async throws {
        let world = try await Self.world()
        let overlay = try await world.make("network", [:]).id
        let more: JSON = [
            "segment": ["network_id": .string(overlay), "network_type": "flat", "physical_network": "physnet2"]
        ]
        #expect(try await world.call(.post, "segments", more, as: .admin).fault == "InvalidInput")
        let list: JSON = [
            ["provider:network_type": "vlan", "provider:physical_network": "physnet1"],
            ["provider:network_type": "flat", "provider:physical_network": "physnet2"],
        ]
        #expect(try await world.call(.post, "networks", ["network": ["segments": list]]).status == 403)
        let network = try await world.make("network", ["segments": list], as: .admin)
        #expect(network["segments"]?.array?.count == 2)
        let blank: JSON = ["network": ["segments": .array((list.array ?? []).prefix(1) + [[:]])]]
        #expect(try await world.call(.post, "networks", blank, as: .admin).fault == "InvalidInput")
        let both: JSON = ["network": ["segments": list, "provider:network_type": "flat"]]
        #expect(
            try await world.call(.post, "networks", both, as: .admin).fault == "SegmentsSetInConjunctionWithProviders")
    }

    @Test("every segment carries what the network promises of its guests' tags")
    func tags() async throws {
        let world = try await Self.world()
        let first: JSON = ["provider:network_type": "vlan", "provider:physical_network": "physnet1"]
        let flat: JSON = ["provider:network_type": "flat", "provider:physical_network": "physnet2"]
        for promise in ["vlan_transparent", "qinq"] {
            let body: JSON = ["network": .object(["segments": [first, flat], promise: true])]
            #expect(try await world.call(.post, "networks", body, as: .admin).status == 400)
        }
    }

    @Test("subnets are tied to the only segment, all or none")
    func subnets() async throws {
        let world = try await Self.world()
        let network = try await vlan(world)
        let segment = try #require(try await segments(world, of: network).first).id
        #expect(try await world.get("networks/\(network)", as: .admin)["network", "l2_adjacency"] == true)
        func make(_ cidr: String, _ more: [String: JSON]) async throws -> NetworkWorld.Answer {
            let subnet = more.merging(["network_id": .string(network), "ip_version": 4, "cidr": .string(cidr)]) { $1 }
            return try await world.call(.post, "subnets", ["subnet": .object(subnet)], as: .admin)
        }
        let tied = try await make("10.1.0.0/24", ["segment_id": .string(segment)])
        #expect(tied["subnet", "segment_id"]?.string == segment)
        #expect(try await world.get("networks/\(network)", as: .admin)["network", "l2_adjacency"] == false)
        #expect(try await make("10.2.0.0/24", [:]).fault == "SubnetsNotAllAssociatedWithSegments")
        let untied: JSON = ["subnet": ["segment_id": .null]]
        #expect(
            try await world.call(.put, "subnets/\(tied.string("subnet", "id"))", untied, as: .admin).fault
                == "SubnetSegmentAssociationChangeNotAllowed")
        #expect(try await world.get("subnets?segment_id=\(segment)", as: .admin)["subnets"]?.array?.count == 1)
        let other = try #require(try await segments(world, of: try await world.make("network", [:]).id).first).id
        let foreign = try await make("10.3.0.0/24", ["segment_id": .string(other)])
        #expect(foreign.fault == "NetworkIdsDontMatch")
    }
}

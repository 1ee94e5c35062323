// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a trunk's parent carries its subports, each under a tag of its own, and no port is in two places.
/// Method: the API, and what the fake data plane holds of the subports.
@Suite("Trunks")
struct TrunkTests {
    private func makePort(_ world: NetworkWorld, as user: NetworkWorld.User = .demo) async throws -> JSON {
        let network = try await world.make("network", [:], as: user).id
        return try await world.make("port", ["network_id": .string(network)], as: user)
    }

    private func subport(_ port: String, _ tag: Int64) -> JSON {
        ["port_id": .string(port), "segmentation_type": "vlan", "segmentation_id": .int(tag)]
    }

    @Test("made, shown, changed, removed; the parent tells of it")
    func life() async throws {
        let world = try await NetworkWorld()
        let (parent, child) = (try await makePort(world), try await makePort(world))
        let trunk = try await world.make(
            "trunk", ["port_id": .string(parent.id), "sub_ports": [subport(child.id, 2)], "name": "t"])
        #expect(trunk["status"] == "ACTIVE" && trunk["admin_state_up"] == true)
        #expect(trunk["sub_ports"]?.array == [subport(child.id, 2)])
        #expect(try await world.get("trunks/\(trunk.id)")["trunk"] == trunk)
        #expect(try await world.get("trunks?name=t")["trunks"]?.array == [trunk])
        #expect(try await world.get("trunks/\(trunk.id)", as: .other).status == 404)
        let details = try await world.get("ports/\(parent.id)")["port", "trunk_details"]
        #expect(details?["trunk_id"] == .string(trunk.id))
        #expect(details?["sub_ports"]?.array?.first?["mac_address"] == child["mac_address"])
        #expect(try await world.get("ports/\(child.id)")["port"]?["trunk_details"] == nil)
        #expect(try await world.get("ports/\(child.id)")["port", "device_owner"] == "trunk:subport")
        try await world.project()
        #expect(world.logicalPort(child.id)?.parent == .init(port: PortID(parent.id), vlan: 2))
        let changed = try await world.call(
            .put, "trunks/\(trunk.id)", ["trunk": ["name": "u", "admin_state_up": false]])
        #expect(changed["trunk", "name"] == "u" && changed["trunk", "revision_number"] == 2)
        for (method, path) in [(HTTPMethod.delete, ""), (.put, "/add_subports"), (.put, "/remove_subports")] {
            let body: JSON? = method == .put ? ["sub_ports": [subport(child.id, 3)]] : nil
            #expect(try await world.call(method, "trunks/\(trunk.id)\(path)", body).fault == "TrunkDisabled")
        }
        _ = try await world.call(.put, "trunks/\(trunk.id)", ["trunk": ["admin_state_up": true]])
        #expect(try await world.call(.delete, "ports/\(parent.id)").fault == "PortInUseAsTrunkParent")
        #expect(try await world.call(.delete, "ports/\(child.id)").fault == "PortInUseAsSubPort")
        #expect(try await world.call(.delete, "trunks/\(trunk.id)").status == 204)
        try await world.project()
        #expect(world.logicalPort(child.id)?.parent == nil)
        #expect(try await world.get("ports/\(child.id)")["port", "device_owner"] == "")
        #expect(try await world.call(.delete, "ports/\(child.id)").status == 204)
    }

    @Test("subports come and go")
    func subports() async throws {
        let world = try await NetworkWorld()
        let (parent, first, second) = (try await makePort(world), try await makePort(world), try await makePort(world))
        let trunk = try await world.make("trunk", ["port_id": .string(parent.id)]).id
        let path = "trunks/\(trunk)"
        let added = try await world.call(
            .put, path + "/add_subports", ["sub_ports": [subport(first.id, 2), subport(second.id, 4)]])
        #expect(added["sub_ports"]?.array == [subport(first.id, 2), subport(second.id, 4)])
        let removed = try await world.call(
            .put, path + "/remove_subports", ["sub_ports": [["port_id": .string(second.id)]]])
        #expect(removed["sub_ports"]?.array == [subport(first.id, 2)])
        #expect(try await world.get(path + "/get_subports")["sub_ports"]?.array == [subport(first.id, 2)])
        let again = try await world.call(
            .put, path + "/remove_subports", ["sub_ports": [["port_id": .string(second.id)]]])
        #expect(again.fault == "SubPortNotFound")
        try await world.project()
        #expect(world.logicalPort(first.id)?.parent?.vlan == 2 && world.logicalPort(second.id)?.parent == nil)
    }

    @Test("what cannot be a subport")
    func refusals() async throws {
        let world = try await NetworkWorld()
        let (parent, child) = (try await makePort(world), try await makePort(world))
        let trunk = try await world.make("trunk", ["port_id": .string(parent.id)]).id
        func add(_ subports: JSON) async throws -> NetworkWorld.Answer {
            try await world.call(.put, "trunks/\(trunk)/add_subports", ["sub_ports": subports])
        }
        let stranger = try await makePort(world, as: .other)
        #expect(try await add([subport(stranger.id, 2)]).fault == "PortNotFound")
        #expect(try await add(subport(child.id, 2)).status == 400)
        #expect(try await add([["port_id": .string(child.id), "segmentation_type": "vlan"]]).status == 400)
        #expect(try await add([["port_id": .string(child.id)]]).status == 400)
        #expect(try await add([subport(child.id, 4095)]).status == 400)
        #expect(try await add([["port_id": .string(child.id), "segmentation_type": "inherit"]]).status == 400)
        #expect(try await add([subport(parent.id, 2)]).fault == "ParentPortInUse")
        #expect(try await add([subport(child.id, 2)]).status == 200)
        #expect(try await add([subport(child.id, 3)]).fault == "TrunkPortInUse")
        let other = try await makePort(world)
        #expect(try await add([subport(other.id, 2)]).fault == "DuplicateSubPort")
        #expect(try await world.call(.post, "trunks", ["trunk": ["port_id": .string(child.id)]]).status == 409)
        #expect(try await world.call(.post, "trunks", ["trunk": ["port_id": .string(parent.id)]]).status == 409)
        _ = try await world.call(.put, "ports/\(other.id)", ["port": ["device_id": "x"]])
        #expect(try await add([subport(other.id, 9)]).fault == "PortInUse")
        let wide = try await world.make(
            "network",
            [
                "provider:network_type": "vlan",
                "provider:physical_network": "physnet1", "project_id": "p-demo",
            ], as: .admin
        ).id
        let big = try await world.make("port", ["network_id": .string(wide)])
        #expect(try await add([subport(big.id, 10)]).fault == "SubPortMtuGreaterThanTrunkPortMtu")
    }

    @Test("a subport inherits the tag of its VLAN network")
    func inherit() async throws {
        let world = try await NetworkWorld()
        var ports: [JSON] = []
        var tags: [JSON] = []
        for _ in 0..<2 {
            let network = try await world.make(
                "network",
                ["provider:network_type": "vlan", "provider:physical_network": "physnet1"], as: .admin)
            tags.append(try #require(network["provider:segmentation_id"]))
            ports.append(try await world.make("port", ["network_id": .string(network.id)], as: .admin))
        }
        let trunk = try await world.make(
            "trunk",
            [
                "port_id": .string(ports[0].id),
                "sub_ports": [["port_id": .string(ports[1].id), "segmentation_type": "inherit"]],
            ], as: .admin)
        #expect(
            trunk["sub_ports"]?.array == [
                ["port_id": .string(ports[1].id), "segmentation_type": "vlan", "segmentation_id": tags[1]]
            ])
    }

    @Test("down when the parent leaves its host, active again when it comes up")
    func status() async throws {
        let world = try await NetworkWorld()
        let parent = try await makePort(world).id
        let trunk = try await world.make("trunk", ["port_id": .string(parent)]).id
        func status() async throws -> JSON? { try await world.get("trunks/\(trunk)")["trunk", "status"] }
        for (host, wanted): (String, JSON) in [("node-1", "ACTIVE"), ("", "DOWN"), ("node-2", "DOWN")] {
            _ = try await world.call(.put, "ports/\(parent)", ["port": ["binding:host_id": .string(host)]], as: .admin)
            #expect(try await status() == wanted)
        }
        try await world.project()
        world.driver.setUp(PortID(parent), true)
        _ = try await world.services.reconciler.reconcile()
        #expect(try await status() == "ACTIVE")
    }

    @Test("a server that goes takes its port out of the trunk, or the trunk with its port")
    func released() async throws {
        let world = try await NetworkWorld()
        let demo = NetworkWorld.User.demo.principal
        let network = try await world.makeNetwork().network
        let id = PortID("00000000-0000-4000-8000-00000000aaaa")
        _ = try await world.compute.ensureServerPort(
            id, ServerPortRequest(network: NetworkID(network)), server: "s1", zone: "nova", for: demo)
        let child = try await makePort(world)
        let trunk = try await world.make(
            "trunk", ["port_id": .string(id.rawValue), "sub_ports": [subport(child.id, 5)]])
        try await world.compute.releasePort(id, server: "s1")
        #expect(try await world.get("trunks/\(trunk.id)").status == 404)
        try await world.project()
        #expect(world.logicalPort(child.id)?.parent == nil)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

@testable import NetworkDriverOVN

/// Goal: a guest's port is bound to one host and prepared on another, and moves there.
/// Method: the API as Compute uses it, on the fake data plane; what OVN is told of such a port.
@Suite("Port bindings")
struct PortBindingTests {
    private func guestPort(_ world: NetworkWorld) async throws -> String {
        let network = try await world.makeNetwork().network
        return try await world.make(
            "port", ["network_id": .string(network), "device_owner": "compute:nova", "device_id": "guest"]
        ).id
    }

    private func bind(_ port: String, _ host: String, _ world: NetworkWorld, as user: NetworkWorld.User = .nova)
        async throws -> NetworkWorld.Answer
    {
        try await world.call(.post, "ports/\(port)/bindings", ["binding": ["host": .string(host)]], as: user)
    }

    @Test("the first is active, the second prepared; activating turns them round")
    func move() async throws {
        let world = try await NetworkWorld()
        let port = try await guestPort(world)
        let first = try await bind(port, "a", world)
        #expect(first.status == 201 && first["binding", "status"] == "ACTIVE")
        #expect(first["binding", "vif_type"] == "ovs" && first["binding", "profile"] == [:])
        let second = try await bind(port, "b", world)
        #expect(second["binding", "status"] == "INACTIVE")
        #expect(try await bind(port, "b", world).fault == "PortBindingAlreadyExists")
        try await world.project()
        #expect(world.logicalPort(port)?.host == "a" && world.logicalPort(port)?.preparedHosts == ["b"])

        let path = "ports/\(port)/bindings"
        let active = try await world.call(.put, "\(path)/b/activate", [:], as: .nova)
        #expect(active.status == 200 && active["host"] == "b" && active["status"] == "ACTIVE")
        #expect(try await world.call(.put, "\(path)/b/activate", [:], as: .nova).fault == "PortBindingAlreadyActive")
        #expect(try await world.call(.put, "\(path)/c/activate", [:], as: .nova).fault == "PortBindingNotFound")
        #expect(try await world.get("ports/\(port)", as: .admin)["port", "binding:host_id"] == "b")
        let left = try await world.get("\(path)?status=INACTIVE", as: .admin)["bindings"]?.array ?? []
        #expect(left.compactMap { $0["host"]?.string } == ["a"])

        #expect(try await world.call(.delete, "\(path)/a", as: .nova).status == 204)
        try await world.project()
        #expect(world.logicalPort(port)?.host == "b" && world.logicalPort(port)?.preparedHosts == [])
        #expect(try await world.call(.delete, "ports/\(port)").status == 204)
    }

    @Test("of guests' ports alone, and by services alone; administrators look")
    func access() async throws {
        let world = try await NetworkWorld()
        let port = try await guestPort(world)
        #expect(try await bind(port, "a", world, as: .demo).status == 404)
        #expect(try await bind(port, "a", world, as: .admin).status == 403)
        #expect(try await world.get("ports/\(port)/bindings").status == 404)
        #expect(try await world.get("ports/\(port)/bindings", as: .admin)["bindings"] == [])
        let network = try await world.make("network", [:]).id
        let plain = try await world.make("port", ["network_id": .string(network)]).id
        #expect(try await bind(plain, "a", world).status == 400)
        #expect(try await bind(port, "", world).status == 400)
    }

    @Test("a host that the port is bound to by its attribute is prepared no more")
    func attribute() async throws {
        let world = try await NetworkWorld()
        let port = try await guestPort(world)
        for host in ["a", "b"] { #expect(try await bind(port, host, world).status == 201) }
        let moved = try await world.call(.put, "ports/\(port)", ["port": ["binding:host_id": "b"]], as: .admin)
        #expect(moved.status == 200)
        let hosts = try await world.get("ports/\(port)/bindings", as: .admin)["bindings"]?.array ?? []
        #expect(hosts.compactMap { $0["host"]?.string } == ["b"])
    }

    @Test("what was prepared for a guest is gone with the guest")
    func released() async throws {
        let world = try await NetworkWorld()
        let port = try await guestPort(world)
        for host in ["a", "b"] { #expect(try await bind(port, host, world).status == 201) }
        try await world.compute.releasePort(PortID(port), server: "guest")
        let claim: JSON = ["port": ["device_id": "next", "device_owner": "compute:nova"]]
        #expect(try await world.call(.put, "ports/\(port)", claim).status == 200)
        #expect(try await world.get("ports/\(port)/bindings", as: .admin)["bindings"] == [])
        #expect(try await bind(port, "c", world).status == 201)
        try await world.project()
        #expect(world.logicalPort(port)?.preparedHosts == [])
    }

    @Test("OVN knows both hosts, and the prepared one is silent until the guest speaks there")
    func chassis() throws {
        var port = LogicalPort(
            id: PortID("p"), name: "", network: NetworkID("n"), kind: .device, macAddress: "fa:16:3e:00:00:01",
            addresses: [], allowedAddressPairs: [], hasPortSecurity: true, securityGroups: [], isEnabled: true,
            host: "a", deviceID: "guest", hostname: "")
        port.preparedHosts = ["b"]
        let translation = OVNTranslation(
            world: OVNWorld([.port(port)]), configuration: OVNConfiguration(northbound: [], southbound: []))
        let row = try #require(translation.rows(port).first)
        #expect(
            row.columns["options"]
                == .pairs(["requested-chassis": "a,b", "activation-strategy": "rarp"]))
    }
}

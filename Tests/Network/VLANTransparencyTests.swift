// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import Testing

@testable import NetworkDriverOVN

/// Goal: guests' own VLAN tags pass where somebody asked for it, and a port is lent no address of everybody's.
/// Method: the API on the fake data plane, and the rows that OVN gets.
@Suite("Networks that carry VLAN tags")
struct VLANTransparencyTests {
    @Test("shown as asked for, on networks that can")
    func networks() async throws {
        let world = try await NetworkWorld()
        let plain = try await world.make("network", [:])
        #expect(plain["vlan_transparent"] == .null && plain["qinq"] == .null)
        let transparent = try await world.make("network", ["vlan_transparent": true])
        #expect(transparent["vlan_transparent"] == true)
        try await world.project()
        #expect(world.logicalNetwork(transparent.id)?.carriesTags == true)
        #expect(world.logicalNetwork(plain.id)?.carriesTags == false)
        let found = try await world.get("networks?vlan_transparent=True")["networks"]?.array ?? []
        #expect(found.map(\.id) == [transparent.id])
        let changed: JSON = ["network": ["vlan_transparent": false]]
        #expect(try await world.call(.put, "networks/\(transparent.id)", changed).status == 400)
        #expect(try await world.call(.post, "networks", ["network": ["qinq": true]]).status == 400)
    }

    @Test("OVN lets tags pass, and names the service tag")
    func rows() throws {
        var network = LogicalNetwork(
            id: NetworkID("n"), name: "n", mtu: 1500, provider: .init(physicalNetwork: "physnet1", vlan: 7),
            subnets: [], dnsDomain: "", isEnabled: true)
        network.carriesTags = true
        network.hasServiceTag = true
        let translation = OVNTranslation(
            world: OVNWorld([.network(network)]), configuration: OVNConfiguration(northbound: [], southbound: []))
        let rows = translation.rows(network)
        let options = try #require(rows.first { $0.key.table == .switchPort }?.columns["options"]?.stringMap)
        #expect(options["ethtype"] == "802.11ad")
        let config = try #require(rows.first { $0.key.table == .logicalSwitch }?.columns["other_config"]?.stringMap)
        #expect(config["vlan-passthru"] == "true")
    }

    @Test("no multicast address among a port's allowed pairs", arguments: ["224.0.0.18", "ff02::1", "239.0.0.0/8"])
    func multicast(address: String) async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", [:]).id
        let body: JSON = [
            "port": ["network_id": .string(network), "allowed_address_pairs": [["ip_address": .string(address)]]]
        ]
        #expect(try await world.call(.post, "ports", body).status == 400)
    }

    @Test("agents are listed in the order that is asked for")
    func agents() async throws {
        let world = try await NetworkWorld()
        let up = try await world.get("agents?sort_key=binary&sort_dir=asc", as: .admin)["agents"]?.array ?? []
        let down = try await world.get("agents?sort_key=binary&sort_dir=desc", as: .admin)["agents"]?.array ?? []
        #expect(up.count == 2 && up.map(\.id) == down.reversed().map(\.id))
        #expect(try await world.get("agents?sort_key=configurations&sort_dir=asc", as: .admin).status == 400)
    }
}

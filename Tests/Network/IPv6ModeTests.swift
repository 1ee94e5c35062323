// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: IPv6 subnets take the pairs of modes that mean something, and ports get the addresses that those promise.
/// Method: every pair through the API, then one port on each subnet.
@Suite("IPv6 modes")
struct IPv6ModeTests {
    private static let modes: [String?] = [nil, "slaac", "dhcpv6-stateful", "dhcpv6-stateless"]

    private func make(
        _ ra: String?, _ address: String?, usesDHCP: Bool = true, length: Int = 64, _ world: NetworkWorld
    ) async throws -> NetworkWorld.Answer {
        let network = try await world.make("network", [:]).id
        var subnet: [String: JSON] = [
            "network_id": .string(network), "ip_version": 6, "cidr": .string("2001:db8::/\(length)"),
            "enable_dhcp": .bool(usesDHCP),
        ]
        if let ra { subnet["ipv6_ra_mode"] = .string(ra) }
        if let address { subnet["ipv6_address_mode"] = .string(address) }
        return try await world.call(.post, "subnets", ["subnet": .object(subnet)])
    }

    @Test("two modes are the same, or one is not there", arguments: modes, modes)
    func pairs(_ ra: String?, _ address: String?) async throws {
        let world = try await NetworkWorld()
        let answer = try await make(ra, address, world)
        guard ra == nil || address == nil || ra == address else {
            #expect(answer.fault == "InvalidInput")
            return
        }
        #expect(answer.status == 201)
        let network = try answer.string("subnet", "network_id")
        let port = try await world.make("port", ["network_id": .string(network)])
        let isAutomatic = ["slaac", "dhcpv6-stateless"].contains(address ?? ra ?? "")
        let mac = try #require(port["mac_address"]?.string.flatMap { MACAddress($0) })
        let own = mac.slaacAddress(in: try #require(CIDR("2001:db8::/64"))).description
        let makesOwn = port.firstAddress == own
        #expect(makesOwn == isAutomatic)
        try await world.project()
        let logical = world.logicalNetwork(network)?.subnets.first
        #expect(logical?.ipv6Mode == (address ?? ra))
    }

    @Test("modes need DHCP switched on; addresses from MACs need 64 bits")
    func limits() async throws {
        let world = try await NetworkWorld()
        #expect(try await make("slaac", "slaac", usesDHCP: false, world).fault == "InvalidInput")
        #expect(try await make(nil, nil, usesDHCP: false, world).status == 201)
        #expect(try await make("slaac", nil, length: 80, world).fault == "InvalidInput")
        #expect(try await make("dhcpv6-stateful", "dhcpv6-stateful", length: 80, world).status == 201)
        #expect(try await make("dhcpv7", nil, world).status == 400)
    }

    @Test("modes stay as they are, and IPv4 has none")
    func fixed() async throws {
        let world = try await NetworkWorld()
        let subnet = try await make("slaac", "slaac", world).string("subnet", "id")
        let change: JSON = ["subnet": ["ipv6_ra_mode": "dhcpv6-stateful"]]
        #expect(try await world.call(.put, "subnets/\(subnet)", change).status == 400)
        let network = try await world.make("network", [:]).id
        let body: JSON = [
            "subnet": [
                "network_id": .string(network), "ip_version": 4, "cidr": "10.0.0.0/24", "ipv6_ra_mode": "slaac",
            ]
        ]
        #expect(try await world.call(.post, "subnets", body).fault == "InvalidInput")
    }
}

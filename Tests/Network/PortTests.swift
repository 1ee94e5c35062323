// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: a port gets the addresses it asks for or may have, never twice, and only who may chooses.
@Suite("Ports")
struct PortTests {
    @Test("a small pool is given out whole, then refused; a released address comes back")
    func exhaustion() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", ["name": "n"]).id
        _ = try await world.make(
            "subnet",
            ["network_id": .string(network), "cidr": "10.0.0.0/29", "ip_version": 4, "enable_dhcp": false])
        var addresses: Set<String> = []
        var last = ""
        for _ in 0..<5 {
            let port = try await world.make("port", ["network_id": .string(network)])
            addresses.insert(port.firstAddress)
            last = port.id
        }
        #expect(addresses == ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"])
        let refused = try await world.call(.post, "ports", ["port": ["network_id": .string(network)]])
        #expect(refused.status == 409 && refused.fault == "IpAddressGenerationFailure")
        #expect(try await world.call(.delete, "ports/\(last)").status == 204)
        #expect(try await addresses.contains(world.make("port", ["network_id": .string(network)]).firstAddress))
    }

    @Test("fixed addresses: chosen, several, refused")
    func fixed() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        func create(_ ips: JSON) async throws -> NetworkWorld.Answer {
            try await world.call(.post, "ports", ["port": ["network_id": .string(network), "fixed_ips": ips]])
        }
        let two = try await create([["ip_address": "10.0.0.77"], ["subnet_id": .string(subnet)]])
        #expect(two.status == 201)
        #expect(two["port", "fixed_ips"]?.array?.count == 2)
        #expect(try await create([["ip_address": "10.0.0.77"]]).fault == "IpAddressAlreadyAllocated")
        #expect(try await create([["ip_address": "192.168.0.1"]]).fault == "InvalidIpForNetwork")
        #expect(
            try await create([["ip_address": "192.168.0.1", "subnet_id": .string(subnet)]]).fault
                == "InvalidIpForSubnet")
        #expect(try await create([["ip_address": "10.0.0.255"]]).fault == "InvalidIpForSubnet")
        #expect(try await create([["ip_address": "x"]]).status == 400)
        #expect(try await create([["subnet_id": "11111111-1111-4111-8111-111111111111"]]).status == 404)
        let none = try await create([])
        #expect(none["port", "fixed_ips"] == [])
        #expect(none["port", "ip_allocation"] == "none")
    }

    @Test("an update keeps what it does not name")
    func update() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)])
        let path = "ports/\(port.id)"
        let same = try await world.call(.put, path, ["port": ["fixed_ips": [["subnet_id": .string(subnet)]]]])
        #expect(same["port"]?.firstAddress == port.firstAddress)
        let moved = try await world.call(
            .put, path, ["port": ["fixed_ips": [["ip_address": "10.0.0.200"]], "name": "x"]])
        #expect(moved["port"]?.firstAddress == "10.0.0.200")
        #expect(moved["port", "mac_address"] == port["mac_address"])
        #expect(moved["port", "revision_number"] == 3)
        let allocations = try await world.environment.database.read {
            try $0.count("SELECT COUNT(*) FROM ip_allocations WHERE port_id = \(port.id)")
        }
        #expect(allocations == 1)
        #expect(try await world.call(.put, path, ["port": ["network_id": .string(network)]]).status == 400)
        #expect(try await world.call(.put, path, ["port": ["nonsense": 1]]).status == 400)
        let mac = try await world.call(.put, path, ["port": ["mac_address": "fa:16:3e:00:00:01"]], as: .admin)
        #expect(mac["port", "mac_address"] == "fa:16:3e:00:00:01")
    }

    @Test("SLAAC: the address follows from the MAC address, for ports old and new")
    func slaac() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let old = try await world.make("port", ["network_id": .string(network), "mac_address": "fa:16:3e:00:00:01"]).id
        let subnet = try await world.make(
            "subnet",
            [
                "network_id": .string(network), "cidr": "2001:db8::/64", "ip_version": 6, "ipv6_ra_mode": "slaac",
                "ipv6_address_mode": "slaac",
            ]
        ).id
        let new = try await world.make("port", ["network_id": .string(network), "mac_address": "fa:16:3e:00:00:02"])
        #expect(new["fixed_ips"]?.array?.last?["ip_address"] == "2001:db8::f816:3eff:fe00:2")
        let grown = try await world.get("ports/\(old)")
        #expect(grown["port", "fixed_ips"]?.array?.last?["ip_address"] == "2001:db8::f816:3eff:fe00:1")
        #expect(try await world.call(.delete, "subnets/\(subnet)").status == 204)
        #expect(try await world.get("ports/\(old)")["port", "fixed_ips"]?.array?.count == 1)
    }

    @Test("security groups, address pairs and port security go together as upstream wants")
    func security() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        func create(_ more: [String: JSON]) async throws -> NetworkWorld.Answer {
            try await world.call(
                .post, "ports", ["port": .object(more.merging(["network_id": .string(network)]) { _, last in last })])
        }
        let open = try await create(["port_security_enabled": false])
        #expect(open["port", "security_groups"] == [])
        let group = try await world.make("security_group", ["name": "g"]).id
        #expect(
            try await create(["port_security_enabled": false, "security_groups": [.string(group)]]).fault
                == "PortSecurityAndIPRequiredForSecurityGroups")
        #expect(
            try await create(["port_security_enabled": false, "allowed_address_pairs": [["ip_address": "10.1.0.0/16"]]])
                .fault == "AddressPairAndPortSecurityRequired")
        let paired = try await create(["allowed_address_pairs": [["ip_address": "10.1.0.5"]]])
        #expect(paired["port", "allowed_address_pairs"]?.array?.first?["mac_address"] == paired["port", "mac_address"])
        #expect(try await create(["security_groups": ["22222222-2222-4222-8222-222222222222"]]).status == 404)
        let grouped = try await create(["security_groups": [.string(group)]])
        #expect(grouped.status == 201)
        #expect(try await world.call(.delete, "security-groups/\(group)").fault == "SecurityGroupInUse")
        #expect(try await world.get("ports?security_groups=\(group)")["ports"]?.array?.count == 1)
    }

    @Test("many in one request; one that fails undoes all")
    func bulk() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let entry: JSON = ["network_id": .string(network)]
        let made = try await world.call(.post, "ports", ["ports": [entry, entry, entry]])
        #expect(made.status == 201 && made["ports"]?.array?.count == 3)
        let wrong: JSON = ["network_id": .string(network), "fixed_ips": [["ip_address": "1.2.3.4"]]]
        #expect(try await world.call(.post, "ports", ["ports": [entry, wrong]]).status == 400)
        #expect(try await world.get("ports?network_id=\(network)&device_owner=")["ports"]?.array?.count == 3)
    }

    @Test("DHCP options of a port: set, changed, taken away, told to the data plane")
    func dhcpOptions() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let port = try await world.make(
            "port",
            [
                "network_id": .string(network),
                "extra_dhcp_opts": [
                    ["opt_name": "bootfile-name", "opt_value": "a"], ["opt_name": "mtu", "opt_value": "1400"],
                ],
            ]
        ).id
        let change: JSON = [
            "port": [
                "extra_dhcp_opts": [
                    ["opt_name": "bootfile-name", "opt_value": "b"], ["opt_name": "mtu", "opt_value": nil],
                ]
            ]
        ]
        let changed = try await world.call(.put, "ports/\(port)", change)
        #expect(
            changed["port", "extra_dhcp_opts"] == [["opt_name": "bootfile-name", "opt_value": "b", "ip_version": 4]])
        // What one request adds, the next does not add to without end.
        for (start, status) in [(0, 200), (200, 400)] {
            let options = (start..<start + 200).map { JSON.object(["opt_name": .string("o\($0)"), "opt_value": "x"]) }
            let more = try await world.call(.put, "ports/\(port)", ["port": ["extra_dhcp_opts": .array(options)]])
            #expect(more.status == status)
        }
        let none = (0..<200).map { JSON.object(["opt_name": .string("o\($0)"), "opt_value": nil]) }
        _ = try await world.call(.put, "ports/\(port)", ["port": ["extra_dhcp_opts": .array(none)]])
        try await world.project()
        #expect(world.logicalPort(port)?.extraDHCPOptions == [.init(name: "bootfile-name", value: "b", isIPv6: false)])
    }

    @Test("on another's network a port takes no name of the world outside")
    func foreignNames() async throws {
        let world = try await NetworkWorld()
        let shared = try await world.make("network", ["shared": true], as: .admin).id
        _ = try await world.make(
            "subnet", ["network_id": .string(shared), "cidr": "10.9.0.0/24", "ip_version": 4], as: .admin)
        let (own, _) = try await world.makeNetwork()
        func logical(_ network: String, _ name: JSON, _ domain: JSON) async throws -> LogicalPort {
            let port = try await world.make(
                "port", ["network_id": .string(network), "dns_name": name, "dns_domain": domain]
            ).id
            try await world.project()
            return try #require(world.logicalPort(port))
        }
        #expect(try await logical(shared, "www", "bank.example.").dnsDomain == "")
        #expect(try await logical(shared, "www.bank.example", "").hostname == "www")
        #expect(try await logical(shared, "web", "a.openstacklocal.").dnsDomain == "a.openstacklocal.")
        #expect(try await logical(shared, "web.openstacklocal.", "").hostname == "web.openstacklocal.")
        #expect(try await logical(shared, "db", "").hostname == "db")
        #expect(try await logical(own, "www", "bank.example.").dnsDomain == "bank.example.")
        #expect(try await logical(own, "www.bank.example", "").hostname == "www.bank.example")
    }

    @Test("names of ports")
    func names() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network), "dns_name": "web"])
        let assignment = try #require(port["dns_assignment"]?.array?.first)
        #expect(assignment["fqdn"] == "web.openstacklocal.")
        #expect(assignment["ip_address"]?.string == port.firstAddress)
        let plain = try await world.make("port", ["network_id": .string(network)])
        let dashed = plain.firstAddress.replacing(".", with: "-")
        #expect(plain["dns_assignment"]?.array?.first?["hostname"]?.string == "host-\(dashed)")
        try await world.project()
        #expect(world.logicalPort(port.id)?.hostname == "web")
        #expect(world.logicalPort(plain.id)?.hostname == "host-\(dashed)")
    }
}

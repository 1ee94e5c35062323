// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit
import Testing

@testable import NetworkDriverOVN

/// Goal: what the engine wants becomes the rows that ML2/OVN writes for it.
/// Method: translate a small cloud, change one thing at a time, and look at single rows.
@Suite("OVN translation")
struct OVNTranslationTests {
    private let cloud = OVNSampleCloud()
    private let chassis = ["a", "b", "c", "d", "e", "f"].map {
        OVNGatewayChassis(name: $0, physicalNetworks: ["physnet1"])
    }

    private func rows(_ cloud: OVNSampleCloud, distributes: Bool = false) throws -> [OVNKey: OVNRow] {
        let configuration = OVNConfiguration(
            northbound: [.unix(path: "/n")], southbound: [.unix(path: "/s")], distributesFloatingAddresses: distributes)
        let world = OVNWorld(cloud.objects, gatewayChassis: chassis)
        let rows = OVNTranslation(world: world, configuration: configuration).rows(of: world.units)
        return Dictionary(rows.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private func row(_ table: OVNTable, _ id: String, _ cloud: OVNSampleCloud, distributes: Bool = false) throws
        -> OVNRow
    {
        try #require(try rows(cloud, distributes: distributes)[OVNKey(table, id)])
    }

    private func text(_ number: Int) -> String { (OVNSampleCloud.id(number) as PortID).rawValue }

    @Test("a network is a switch; a provider network has a door, with its VLAN")
    func networks() throws {
        #expect(try row(.logicalSwitch, text(1), cloud).columns.string("name") == "neutron-\(text(1))")
        #expect(try rows(cloud)[OVNKey(.switchPort, "provnet-\(text(1))")] == nil)
        var cloud = cloud
        cloud.external.provider?.vlan = 101
        let door = try row(.switchPort, "provnet-\(text(2))", cloud)
        #expect(door.columns.string("type") == "localnet")
        #expect(door.columns.int("tag") == 101)
        #expect(door.columns.value("options", key: "network_name") == "physnet1")
        #expect(door.links == [.ports(of: text(2))])
    }

    @Test("DHCP says router, name servers, and all routes again in option 121")
    func dhcp() throws {
        let options = try row(.dhcpOptions, text(11), cloud).columns["options"]?.stringMap ?? [:]
        #expect(options["server_id"] == "10.1.0.1")
        #expect(options["router"] == "10.1.0.1")
        #expect(options["mtu"] == "1442")
        #expect(options["lease_time"] == "43200")
        #expect(options["dns_server"] == "{8.8.8.8}")
        #expect(options["domain_name"] == "\"openstacklocal\"")
        #expect(options["classless_static_route"] == "{169.254.169.254/32,10.1.0.2, 0.0.0.0/0,10.1.0.1}")
        // SLAAC is the router's business; a subnet without DHCP answers nothing.
        #expect(try rows(cloud)[OVNKey(.dhcpOptions, text(12))] == nil)
        #expect(try rows(cloud)[OVNKey(.dhcpOptions, text(21))] == nil)
    }

    @Test("a subnet without gateway has a server all the same")
    func dhcpWithoutGateway() throws {
        var cloud = cloud
        cloud.network.subnets[0].gateway = nil
        var options = try row(.dhcpOptions, text(11), cloud).columns["options"]?.stringMap ?? [:]
        #expect(options["server_id"] == "10.1.0.2")
        #expect(options["router"] == nil)
        #expect(options["classless_static_route"] == "{169.254.169.254/32,10.1.0.2}")
        cloud.network.subnets[0].hostRoutes = []
        options = try row(.dhcpOptions, text(11), cloud).columns["options"]?.stringMap ?? [:]
        #expect(options["server_id"] == "10.1.0.1")
    }

    @Test("a guest's port: addresses, anti-spoofing, DHCP, groups, host")
    func guest() throws {
        var cloud = cloud
        cloud.guests[0].allowedAddressPairs = [
            .init(macAddress: "", ip: "10.9.0.0/24"), .init(macAddress: "FA:16:3E:99:99:99", ip: "10.1.0.50"),
        ]
        let mac = cloud.guests[0].macAddress
        let row = try row(.switchPort, text(44), cloud)
        #expect(row.columns.string("name") == text(44))
        #expect(row.columns.strings("addresses") == ["\(mac) 10.1.0.11"])
        #expect(
            row.columns.strings("port_security")
                == ["\(mac) 10.1.0.11 10.9.0.0/24", "fa:16:3e:99:99:99 10.1.0.50"].sorted())
        #expect(row.columns.value("options", key: "requested-chassis") == "node-1")
        #expect(row.columns.value("options", key: "hostname") == "\"vm-44\"")
        #expect(row.references["dhcpv4_options"] == [OVNKey(.dhcpOptions, text(11))])
        #expect(row.links == [.ports(of: text(1)), .members(of: "neutron_pg_drop"), .members(of: text(3))])
        #expect(row.externalIDs["neutron:cidrs"] == "10.1.0.11/24")
    }

    @Test("without port security everything passes and unknown destinations come")
    func withoutPortSecurity() throws {
        var cloud = cloud
        cloud.guests[0].hasPortSecurity = false
        let row = try row(.switchPort, text(44), cloud)
        #expect(row.columns.strings("addresses").contains("unknown"))
        #expect(row.columns.strings("port_security").isEmpty)
        #expect(row.links == [.ports(of: text(1))])
    }

    @Test("ports of other kinds")
    func otherPorts() throws {
        #expect(try row(.switchPort, text(40), cloud).columns.string("type") == "localport")
        let inner = try row(.switchPort, text(41), cloud)
        #expect(inner.columns["options"] == .pairs(["router-port": "lrp-\(text(41))"]))
        let gateway = try row(.switchPort, text(42), cloud)
        #expect(gateway.columns.value("options", key: "nat-addresses") == "router")
        #expect(try rows(cloud)[OVNKey(.switchPort, text(43))] == nil)
    }

    @Test(
        "rules become expressions",
        arguments: [
            (OVNSampleCloud.rule(1, isIngress: false), "inport == @g && ip4"),
            (OVNSampleCloud.rule(1, isIngress: true, isIPv6: true), "outport == @g && ip6"),
            (
                OVNSampleCloud.rule(1, isIngress: true, ipProtocol: 6, minimum: 80, maximum: 90),
                "outport == @g && ip4 && tcp && tcp.dst >= 80 && tcp.dst <= 90"
            ),
            (
                OVNSampleCloud.rule(
                    1, isIngress: true, ipProtocol: 17, minimum: 53, maximum: 53, peer: .prefix("10.0.0.0/8")),
                "outport == @g && ip4 && ip4.src == 10.0.0.0/8 && udp && udp.dst == 53"
            ),
            (
                OVNSampleCloud.rule(1, isIngress: false, isIPv6: true, peer: .prefix("fd00::/8")),
                "inport == @g && ip6 && ip6.dst == fd00::/8"
            ),
            (
                OVNSampleCloud.rule(1, isIngress: true, ipProtocol: 1, minimum: 8, maximum: 0),
                "outport == @g && ip4 && icmp4 && icmp4.type == 8 && icmp4.code == 0"
            ),
            (OVNSampleCloud.rule(1, isIngress: true, isIPv6: true, ipProtocol: 58), "outport == @g && ip6 && icmp6"),
            (OVNSampleCloud.rule(1, isIngress: true, ipProtocol: 89), "outport == @g && ip4 && ip.proto == 89"),
            (
                OVNSampleCloud.rule(1, isIngress: true, peer: .group(OVNSampleCloud.id(7))),
                "outport == @g && ip4 && ip4.src == $pg_00000000_0000_4000_8000_000000000007_ip4"
            ),
            (
                OVNSampleCloud.rule(1, isIngress: true, isIPv6: true, peer: .addresses(OVNSampleCloud.id(6))),
                "outport == @g && ip6 && ip6.src == $ag_00000000_0000_4000_8000_000000000006_ip6"
            ),
            // A prefix of the other family, or none at all, can match nothing.
            (OVNSampleCloud.rule(1, isIngress: true, peer: .prefix("fd00::/8")), nil),
            (OVNSampleCloud.rule(1, isIngress: true, peer: .prefix("1.1.1.1) || (ip4")), nil),
        ] as [(LogicalSecurityGroup.Rule, String?)])
    func rules(_ rule: LogicalSecurityGroup.Rule, _ expression: String?) {
        #expect(OVNTranslation.match(rule, in: "g") == expression)
    }

    @Test("groups allow and keep state, or not; the shared group drops, but lets DHCP out")
    func groups() throws {
        var cloud = cloud
        #expect(
            try row(.portGroup, text(3), cloud).columns.string("name") == "pg_"
                + text(3).split(separator: "-").joined(separator: "_"))
        #expect(try row(.acl, text(33), cloud).columns.string("action") == "allow-related")
        #expect(try row(.acl, text(33), cloud).columns.string("direction") == "to-lport")
        cloud.group.isStateful = false
        #expect(try row(.acl, text(33), cloud).columns.string("action") == "allow-stateless")
        let drops = try rows(cloud).values.filter {
            $0.key.table == .acl && $0.columns.string("action") == "drop"
        }
        #expect(Set(drops.map { $0.columns.string("direction") }) == ["from-lport", "to-lport"])
        #expect(drops.allSatisfy { $0.columns.int("priority") == 1000 })
        #expect(try row(.acl, "neutron_pg_drop:dhcp4", cloud).columns.int("priority") == 1002)
    }

    @Test("an address group is a set for each family, also an empty one")
    func addressGroups() throws {
        let name = "ag_" + text(6).split(separator: "-").joined(separator: "_")
        #expect(try row(.addressSet, name + "_ip4", cloud).columns.strings("addresses") == ["192.0.2.0/24"])
        #expect(try row(.addressSet, name + "_ip6", cloud).columns.strings("addresses") == ["fd00:9::/64"])
        #expect(try row(.acl, text(35), cloud).columns.string("match").hasSuffix("ip4.src == $\(name)_ip4"))
        var cloud = cloud
        cloud.addresses.prefixes = ["192.0.2.0/24", "1.1.1.1} || {2.2.2.2"]
        #expect(try row(.addressSet, name + "_ip4", cloud).columns.strings("addresses") == ["192.0.2.0/24"])
        #expect(try row(.addressSet, name + "_ip6", cloud).columns.strings("addresses").isEmpty)
        var world = OVNWorld(cloud.objects)
        #expect(world.set(.addressGroup(cloud.addresses)) == [.addresses(text(6))])
    }

    @Test("each further segment is a door of the same switch")
    func segments() throws {
        var cloud = cloud
        cloud.external.segments = [.init(id: text(61), provider: .init(physicalNetwork: "physnet2", vlan: 9))]
        #expect(try row(.switchPort, "provnet-\(text(2))", cloud).links == [.ports(of: text(2))])
        let door = try row(.switchPort, "provnet-\(text(61))", cloud)
        #expect(door.columns.value("options", key: "network_name") == "physnet2")
        #expect(door.columns.int("tag") == 9)
        #expect(door.links == [.ports(of: text(2))])
    }

    @Test("a router: ports, default route, translation")
    func routers() throws {
        let gateway = try row(.routerPort, "lrp-\(text(42))", cloud)
        #expect(gateway.externalIDs["neutron:is_ext_gw"] == "True")
        #expect(gateway.columns.strings("networks") == ["172.24.4.10/24"])
        let routes = try rows(cloud).values.filter { $0.key.table == .staticRoute }
        #expect(routes.map { $0.columns.string("nexthop") } == ["172.24.4.1"])
        let nat = try rows(cloud).values.filter { $0.key.table == .nat }
        #expect(Set(nat.map { $0.columns.string("type") }) == ["snat", "dnat_and_snat"])
    }

    @Test("gateways spread over capable chassis, and stay when another comes")
    func gatewayChassis() throws {
        let rows = try rows(cloud).values.filter { $0.key.table == .gatewayChassis }
        #expect(rows.count == 5)
        #expect(Set(rows.map { $0.columns.int("priority") }) == [1, 2, 3, 4, 5])
        #expect(
            rows.allSatisfy {
                $0.links == [OVNLink(parent: OVNKey(.routerPort, "lrp-\(text(42))"), column: "gateway_chassis")]
            })
        var cloud = cloud
        cloud.external.provider?.physicalNetwork = "elsewhere"
        #expect(try !self.rows(cloud).keys.contains { $0.table == .gatewayChassis })
    }

    @Test("a distributed floating address leaves on the guest's host, unless the port is on none")
    func floatingAddresses() throws {
        var cloud = cloud
        #expect(try row(.nat, text(51), cloud).columns["external_mac"] == .empty)
        let local = try row(.nat, text(51), cloud, distributes: true)
        #expect(local.columns.string("external_mac") == "fa:16:3e:00:00:43")
        #expect(local.columns.string("logical_port") == text(44))
        cloud.guests[0].host = nil
        #expect(try row(.nat, text(51), cloud, distributes: true).columns["logical_port"] == .empty)
    }

    @Test("VLAN networks are routed on the gateway chassis")
    func vlanRouting() throws {
        var cloud = cloud
        #expect(try row(.routerPort, "lrp-\(text(41))", cloud).columns["options"] == .pairs([:]))
        cloud.network.provider = .init(physicalNetwork: "physnet1", vlan: 7)
        let options = try row(.routerPort, "lrp-\(text(41))", cloud).columns["options"]
        #expect(options?["reside-on-redirect-chassis"] == "true")
    }

    @Test("names of guests resolve; what is no name stays out of expressions")
    func names() throws {
        var cloud = cloud
        cloud.guests[1].hostname = "x\"); drop; next("
        let records = try row(.dns, text(1), cloud).columns["records"]?.stringMap ?? [:]
        #expect(
            records == [
                "vm-44": "10.1.0.11", "vm-44.openstacklocal": "10.1.0.11",
                "11.0.1.10.in-addr.arpa": "vm-44.openstacklocal",
            ])
        #expect(try row(.switchPort, text(45), cloud).columns.value("options", key: "hostname") == nil)
    }

    @Test("a change tells which other rows it touches")
    func affected() {
        var world = OVNWorld(cloud.objects)
        var port = cloud.guests[0]
        port.host = "node-2"
        // The router's floating address follows the host.
        #expect(world.set(.port(port)) == [.port(text(44)), .router(text(5))])
        #expect(world.set(.securityGroup(cloud.group)) == [.group(text(3))])
        #expect(world.remove(.securityGroup(cloud.group.id)).contains(.group(text(3))))
        // A group that comes after its ports gets them.
        #expect(world.set(.securityGroup(cloud.group)) == [.group(text(3)), .port(text(44)), .port(text(45))])
        var router = cloud.router
        router.interfaces[1].isGateway = false
        #expect(world.set(.router(router)) == [.router(text(5)), .port(text(42))])
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit
import Testing

@testable import NetworkDriverOVN

/// Goal: bounds, trunks, forwarded ports and DHCP options become the rows that ML2/OVN writes for them.
/// Method: translate a small cloud, change one thing at a time, and look at single rows.
@Suite("OVN translation of guests' services")
struct OVNGuestServicesTests {
    private let cloud = OVNSampleCloud()

    private func rows(_ cloud: OVNSampleCloud, distributes: Bool = false) -> [OVNKey: OVNRow] {
        let configuration = OVNConfiguration(
            northbound: [.unix(path: "/n")], southbound: [.unix(path: "/s")], distributesFloatingAddresses: distributes)
        let world = OVNWorld(cloud.objects)
        let rows = OVNTranslation(world: world, configuration: configuration).rows(of: world.units)
        return Dictionary(rows.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    private func row(_ table: OVNTable, _ id: String, _ cloud: OVNSampleCloud, distributes: Bool = false) throws
        -> OVNRow
    {
        try #require(rows(cloud, distributes: distributes)[OVNKey(table, id)])
    }

    private func text(_ number: Int) -> String { (OVNSampleCloud.id(number) as PortID).rawValue }

    private func numbers(_ values: [String: Int64]) -> OVSDBValue {
        .map(Dictionary(uniqueKeysWithValues: values.map { (.string($0.key), .int($0.value)) }))
    }

    // MARK: Bounds

    @Test("a port's bounds: one row for each direction, rate and mark in one")
    func portQoS() throws {
        var cloud = cloud
        cloud.guests[0].qos = LogicalQoS(
            egress: .init(kbps: 1000, burstKilobits: 800), ingress: .init(kbps: 5), dscp: 26)
        let egress = try row(.qos, text(44) + ":egress", cloud)
        #expect(egress.columns.string("match") == "inport == \"\(text(44))\"")
        #expect(egress.columns.string("direction") == "from-lport" && egress.columns.int("priority") == 2002)
        #expect(egress.columns["bandwidth"] == numbers(["rate": 1000, "burst": 800]))
        #expect(egress.columns["action"] == numbers(["dscp": 26]))
        #expect(egress.links == [OVNLink(parent: OVNKey(.logicalSwitch, text(1)), column: "qos_rules")])
        let ingress = try row(.qos, text(44) + ":ingress", cloud)
        #expect(ingress.columns.string("match") == "outport == \"\(text(44))\"")
        #expect(ingress.columns.string("direction") == "to-lport")
        #expect(ingress.columns["bandwidth"] == numbers(["rate": 5]) && ingress.columns["action"] == .map([:]))
        cloud.guests[0].qos?.ingress = nil
        #expect(rows(cloud)[OVNKey(.qos, text(44) + ":ingress")] == nil)
    }

    @Test("a promise is a queue where there is a card, and nothing on an overlay")
    func promise() throws {
        var cloud = cloud
        cloud.guests[0].qos = LogicalQoS(egress: .init(kbps: 1000), dscp: 8, minimumEgressKbps: 100)
        #expect(try row(.switchPort, text(44), cloud).columns.value("options", key: "qos_min_rate") == nil)
        #expect(try row(.qos, text(44) + ":egress", cloud).columns["bandwidth"] == numbers(["rate": 1000]))
        cloud.network.provider = .init(physicalNetwork: "physnet1", vlan: 7)
        let options = try row(.switchPort, text(44), cloud).columns["options"]?.stringMap ?? [:]
        #expect(options["qos_min_rate"] == "100000" && options["qos_max_rate"] == "1000000")
        let mark = try row(.qos, text(44) + ":egress", cloud)
        #expect(mark.columns["bandwidth"] == .map([:]) && mark.columns["action"] == numbers(["dscp": 8]))
        // The rows of its ports follow the kind of the network.
        var world = OVNWorld(self.cloud.objects)
        #expect(world.set(.network(cloud.network)).contains(.port(text(44))))
    }

    @Test("bounds of a gateway and of one floating address, counted where it is translated")
    func routerQoS() throws {
        var cloud = cloud
        cloud.router.gatewayQoS = LogicalQoS(egress: .init(kbps: 9))
        cloud.router.floatingAddresses[0].qos = LogicalQoS(ingress: .init(kbps: 3))
        let gateway = try row(.qos, text(5) + ":egress", cloud)
        #expect(gateway.columns.string("match") == "inport == \"\(text(42))\"")
        #expect(gateway.links == [OVNLink(parent: OVNKey(.logicalSwitch, text(2)), column: "qos_rules")])
        let central = try row(.qos, text(51) + ":ingress", cloud)
        #expect(central.columns.int("priority") == 2003)
        #expect(
            central.columns.string("match")
                == "outport == \"\(text(42))\" && ip4.dst == 172.24.4.101 && "
                + "is_chassis_resident(\"cr-lrp-\(text(42))\")")
        let local = try row(.qos, text(51) + ":ingress", cloud, distributes: true)
        #expect(local.columns.string("match").hasSuffix("is_chassis_resident(\"\(text(44))\")"))
    }

    // MARK: Trunks

    @Test("a subport is behind its parent, wherever that is")
    func subport() throws {
        var cloud = cloud
        #expect(try row(.switchPort, text(45), cloud).columns["parent_name"] == .empty)
        cloud.guests[1].parent = .init(port: cloud.guests[0].id, vlan: 101)
        let row = try row(.switchPort, text(45), cloud)
        #expect(row.columns.string("parent_name") == text(44) && row.columns.int("tag") == 101)
        #expect(row.columns.value("options", key: "requested-chassis") == nil)
        #expect(row.externalIDs["neutron:device_owner"] == "trunk:subport")
    }

    // MARK: Forwarded ports

    @Test("a load balancer for each floating address and protocol, on the router and on the switches behind it")
    func portForwarding() throws {
        var cloud = cloud
        cloud.router.portForwardings = [
            .init(
                floatingIP: OVNSampleCloud.id(52), address: "172.24.4.102", protocolName: "udp",
                targets: [53: "10.1.0.11:5353", 54: "10.1.0.12:54"])
        ]
        let name = "pf-floatingip-\(text(52))-udp"
        let row = try row(.loadBalancer, name, cloud)
        #expect(row.columns.string("name") == name && row.columns.string("protocol") == "udp")
        #expect(
            row.columns["vips"]
                == .pairs(["172.24.4.102:53": "10.1.0.11:5353", "172.24.4.102:54": "10.1.0.12:54"]))
        #expect(
            row.links == [
                OVNLink(parent: OVNKey(.router, text(5)), column: "load_balancer"),
                OVNLink(parent: OVNKey(.logicalSwitch, text(1)), column: "load_balancer"),
            ])
    }

    // MARK: DHCP

    @Test("options of one port go over those of its subnet; what is not plainly a value stays out")
    func dhcpOptions() throws {
        var cloud = cloud
        cloud.guests[1].extraDHCPOptions = []
        func set(_ options: [(String, String)]) {
            cloud.guests[0].extraDHCPOptions = options.map { .init(name: $0.0, value: $0.1, isIPv6: false) }
        }
        set([
            ("bootfile-name", "undionly.kpxe"), ("tftp-server", "boot.example"), ("42", "10.0.0.1, 10.0.0.2"),
            ("mtu", "1300"), ("wpad", "x\"); drop; next("), ("lease-time", "soon"), ("router", "nowhere"),
            ("classless-static-route", "10.9.0.0/16,10.1.0.9"), ("colour", "blue"),
        ])
        let own = OVNKey(.dhcpOptions, "\(text(11)):\(text(44))")
        let row = try row(.dhcpOptions, own.id, cloud)
        let options = row.columns["options"]?.stringMap ?? [:]
        #expect(options["bootfile_name"] == "\"undionly.kpxe\"" && options["tftp_server"] == "\"boot.example\"")
        #expect(options["ntp_server"] == "{10.0.0.1, 10.0.0.2}" && options["mtu"] == "1300")
        #expect(options["classless_static_route"] == "{10.9.0.0/16,10.1.0.9}")
        #expect(options["wpad"] == nil && options["lease_time"] == "43200" && options["router"] == "10.1.0.1")
        #expect(options["server_id"] == "10.1.0.1")
        #expect(row.externalIDs["port_id"] == text(44) && row.columns.string("cidr") == "10.1.0.0/24")
        let shared = OVNKey(.dhcpOptions, text(11))
        #expect(try self.row(.switchPort, text(44), cloud).references["dhcpv4_options"] == [own, shared])
        #expect(try self.row(.switchPort, text(45), cloud).references["dhcpv4_options"] == [shared])
        // They repeat what the subnet says, so they follow it.
        var world = OVNWorld(cloud.objects)
        cloud.network.subnets[0].dnsServers = ["1.1.1.1"]
        let units = world.set(.network(cloud.network))
        #expect(units.contains(.port(text(44))) && !units.contains(.port(text(45))))
        set([("dhcp_disabled", "True")])
        #expect(rows(cloud)[own] == nil)
        #expect(try self.row(.switchPort, text(44), cloud).references["dhcpv4_options"] == [])
    }

    // MARK: Names

    @Test("names resolve in the port's domain, the cloud's and the network's, and addresses to the first")
    func names() throws {
        var cloud = cloud
        cloud.guests.removeLast()
        cloud.network.ownDNSDomain = "net.example."
        cloud.guests[0].dnsDomain = "port.example."
        cloud.guests[0].addresses.append(.init(subnet: OVNSampleCloud.id(12), address: "fd00:1::b"))
        let records = try row(.dns, text(1), cloud).columns["records"]?.stringMap ?? [:]
        let reverse =
            "b." + String(repeating: "0.", count: 23) + "1.0.0.0." + "0.0.d.f." + "ip6.arpa"
        #expect(
            Set(records.keys) == [
                "vm-44", "vm-44.port.example", "vm-44.net.example", "vm-44.openstacklocal",
                "11.0.1.10.in-addr.arpa", reverse,
            ])
        let told = try row(.dhcpOptions, text(11), cloud).columns["options"]?["domain_name"]
        #expect(told == "\"openstacklocal\"")
        #expect(records["vm-44.port.example"] == "10.1.0.11 fd00:1::b")
        #expect(records["11.0.1.10.in-addr.arpa"] == "vm-44.port.example")
    }
}

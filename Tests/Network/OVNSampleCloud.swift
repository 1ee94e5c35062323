// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A small cloud as the data plane sees it: a tenant network behind a router, an external network, a group, two guests.
struct OVNSampleCloud {
    var network = LogicalNetwork(
        id: id(1), name: "private", mtu: 1442, provider: nil,
        subnets: [
            .init(
                id: id(11), cidr: "10.1.0.0/24", isIPv6: false, gateway: "10.1.0.1", usesDHCP: true,
                dnsServers: ["8.8.8.8"], hostRoutes: [.init(destination: "169.254.169.254/32", nextHop: "10.1.0.2")],
                ipv6Mode: nil),
            .init(
                id: id(12), cidr: "fd00:1::/64", isIPv6: true, gateway: "fd00:1::1", usesDHCP: true, dnsServers: [],
                hostRoutes: [], ipv6Mode: "slaac"),
        ], dnsDomain: "", isEnabled: true)
    var external = LogicalNetwork(
        id: id(2), name: "public", mtu: 1500, provider: .init(physicalNetwork: "physnet1", vlan: nil),
        subnets: [
            .init(
                id: id(21), cidr: "172.24.4.0/24", isIPv6: false, gateway: "172.24.4.1", usesDHCP: false,
                dnsServers: [], hostRoutes: [], ipv6Mode: nil)
        ], dnsDomain: "", isEnabled: true)
    var group = LogicalSecurityGroup(
        id: id(3), name: "default", isStateful: true,
        rules: [
            rule(31, isIngress: false), rule(32, isIngress: false, isIPv6: true),
            rule(33, isIngress: true, ipProtocol: 6, minimum: 22, maximum: 22),
            rule(34, isIngress: true, peer: .group(id(3))),
            rule(35, isIngress: true, peer: .addresses(id(6))),
        ])
    var addresses = LogicalAddressGroup(id: id(6), name: "offices", prefixes: ["192.0.2.0/24", "fd00:9::/64"])
    var metadata = port(40, on: id(1), .metadata, "10.1.0.2", subnet: 11)
    var routerPort = port(41, on: id(1), .router(id(5)), "10.1.0.1", subnet: 11)
    var gatewayPort = port(42, on: id(2), .router(id(5)), "172.24.4.10", subnet: 21)
    var floatingPort = port(43, on: id(2), .reserved, "172.24.4.101", subnet: 21)
    var guests = [guest(44, "10.1.0.11"), guest(45, "10.1.0.12")]
    var router = LogicalRouter(
        id: id(5), name: "router", isEnabled: true,
        interfaces: [
            .init(
                port: id(41), network: id(1), macAddress: "fa:16:3e:00:00:41", addresses: ["10.1.0.1/24"], mtu: 1442,
                isGateway: false, ipv6Mode: nil),
            .init(
                port: id(42), network: id(2), macAddress: "fa:16:3e:00:00:42", addresses: ["172.24.4.10/24"],
                mtu: 1500, isGateway: true, ipv6Mode: nil),
        ],
        routes: [.init(destination: "0.0.0.0/0", nextHop: "172.24.4.1", isDefault: true)],
        snatAddress: "172.24.4.10", snatCIDRs: ["10.1.0.0/24"],
        floatingAddresses: [
            .init(
                id: id(51), address: "172.24.4.101", fixedAddress: "10.1.0.11", port: id(44),
                macAddress: "fa:16:3e:00:00:43")
        ], isDistributed: false)

    init() {
        guests[0].qos = LogicalQoS(
            egress: .init(kbps: 2000, burstKilobits: 1600), ingress: .init(kbps: 3000), dscp: 26)
        guests[1].extraDHCPOptions = [.init(name: "bootfile-name", value: "boot.ipxe", isIPv6: false)]
        router.gatewayQoS = LogicalQoS(egress: .init(kbps: 9000), ingress: .init(kbps: 9000))
        router.floatingAddresses[0].qos = LogicalQoS(egress: .init(kbps: 500))
        router.portForwardings = [
            .init(
                floatingIP: Self.id(52), address: "172.24.4.102", protocolName: "tcp",
                targets: [2222: "10.1.0.12:22", 8080: "10.1.0.11:80"])
        ]
    }

    var objects: [LogicalObject] {
        [.network(network), .network(external), .addressGroup(addresses), .securityGroup(group), .router(router)]
            + ([metadata, routerPort, gatewayPort, floatingPort] + guests).map(LogicalObject.port)
    }

    static func id<Tag>(_ number: Int) -> ID<Tag> {
        ID("00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - "\(number)".count) + "\(number)")
    }

    static func port(
        _ number: Int, on network: NetworkID, _ kind: LogicalPort.Kind, _ address: String, subnet: Int
    ) -> LogicalPort {
        LogicalPort(
            id: id(number), name: "", network: network, kind: kind, macAddress: "fa:16:3e:00:00:\(number)",
            addresses: [.init(subnet: id(subnet), address: address)], allowedAddressPairs: [], hasPortSecurity: false,
            securityGroups: [], isEnabled: true, host: nil, deviceID: "", hostname: "")
    }

    static func guest(_ number: Int, _ address: String) -> LogicalPort {
        var port = port(number, on: id(1), .device, address, subnet: 11)
        port.name = "guest \(number)"
        port.macAddress = "fa:16:3e:00:\(number / 100 + 10):\(number % 100 / 10)\(number % 10)"
        port.hasPortSecurity = true
        port.securityGroups = [id(3)]
        port.host = "node-1"
        port.deviceID = "server-\(number)"
        port.hostname = "vm-\(number)"
        return port
    }

    static func rule(
        _ number: Int, isIngress: Bool, isIPv6: Bool = false, ipProtocol: Int? = nil, minimum: Int? = nil,
        maximum: Int? = nil, peer: LogicalSecurityGroup.Rule.Peer = .anywhere
    ) -> LogicalSecurityGroup.Rule {
        .init(
            id: id(number), isIngress: isIngress, isIPv6: isIPv6, ipProtocol: ipProtocol, portMinimum: minimum,
            portMaximum: maximum, peer: peer)
    }
}

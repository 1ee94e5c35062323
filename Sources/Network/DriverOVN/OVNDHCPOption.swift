// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Options that a user gives to one port, as OVN writes them. OVN makes an expression of them, so a value that is not
/// plainly what its option takes is left out; so is an option that OVN does not know.
enum OVNDHCPOption {
    private enum Kind {
        case text, addresses, number, flag, routes, mac
    }

    /// Nobody answers DHCP to a port with this one.
    static let disabled = "dhcp_disabled"

    /// By upstream's names and by number (RFC 2132). The netmask is not among them: OVN itself says the subnet's.
    private static let four: [String: (name: String, kind: Kind)] = [
        "router": ("router", .addresses),
        "3": ("router", .addresses), "dns-server": ("dns_server", .addresses), "6": ("dns_server", .addresses),
        "log-server": ("log_server", .addresses), "7": ("log_server", .addresses),
        "lpr-server": ("lpr_server", .addresses), "9": ("lpr_server", .addresses),
        "domain-name": ("domain_name", .text), "15": ("domain_name", .text),
        "swap-server": ("swap_server", .addresses), "16": ("swap_server", .addresses),
        "ip-forward-enable": ("ip_forward_enable", .flag), "19": ("ip_forward_enable", .flag),
        "policy-filter": ("policy_filter", .addresses), "21": ("policy_filter", .addresses),
        "default-ttl": ("default_ttl", .number), "23": ("default_ttl", .number), "mtu": ("mtu", .number),
        "26": ("mtu", .number), "router-discovery": ("router_discovery", .flag), "31": ("router_discovery", .flag),
        "router-solicitation": ("router_solicitation", .addresses), "32": ("router_solicitation", .addresses),
        "arp-timeout": ("arp_cache_timeout", .number), "35": ("arp_cache_timeout", .number),
        "ethernet-encap": ("ethernet_encap", .flag), "36": ("ethernet_encap", .flag),
        "tcp-ttl": ("tcp_ttl", .number), "37": ("tcp_ttl", .number),
        "tcp-keepalive": ("tcp_keepalive_interval", .number), "38": ("tcp_keepalive_interval", .number),
        "nis-server": ("nis_server", .addresses), "41": ("nis_server", .addresses),
        "ntp-server": ("ntp_server", .addresses), "42": ("ntp_server", .addresses),
        "lease-time": ("lease_time", .number), "51": ("lease_time", .number),
        "server-id": ("server_id", .addresses), "54": ("server_id", .addresses), "T1": ("T1", .number),
        "58": ("T1", .number), "T2": ("T2", .number), "59": ("T2", .number), "tftp-server": ("tftp_server", .text),
        "66": ("tftp_server", .text), "bootfile-name": ("bootfile_name", .text), "67": ("bootfile_name", .text),
        "tag:ipxe,bootfile-name": ("bootfile_name", .text), "tag:ipxe,67": ("bootfile_name", .text),
        "bootfile-name-alt": ("bootfile_name_alt", .text),
        "tag:!ipxe,bootfile-name": ("bootfile_name_alt", .text), "tag:!ipxe,67": ("bootfile_name_alt", .text),
        "domain-search": ("domain_search_list", .text), "119": ("domain_search_list", .text),
        "classless-static-route": ("classless_static_route", .routes), "121": ("classless_static_route", .routes),
        "tftp-server-address": ("tftp_server_address", .addresses), "150": ("tftp_server_address", .addresses),
        "path-prefix": ("path_prefix", .text), "210": ("path_prefix", .text),
        "ms-classless-static-route": ("ms_classless_static_route", .routes),
        "249": ("ms_classless_static_route", .routes), "wpad": ("wpad", .text), "252": ("wpad", .text),
        "server-ip-address": ("next_server", .addresses), "255": ("next_server", .addresses),
    ]

    private static let six: [String: (name: String, kind: Kind)] = [
        "server-id": ("server_id", .mac), "2": ("server_id", .mac), "ia-addr": ("ia_addr", .addresses),
        "5": ("ia_addr", .addresses), "dns-server": ("dns_server", .addresses), "23": ("dns_server", .addresses),
        "domain-search": ("domain_search", .text), "24": ("domain_search", .text),
        "bootfile-name": ("bootfile_name", .text), "59": ("bootfile_name", .text),
        "tag:ipxe6,bootfile-name": ("bootfile_name", .text), "tag:ipxe6,59": ("bootfile_name", .text),
        "tag:!ipxe6,bootfile-name": ("bootfile_name_alt", .text), "tag:!ipxe6,59": ("bootfile_name_alt", .text),
    ]

    /// Name and value in OVN's words; nil for what it cannot say.
    static func translated(_ option: LogicalPort.ExtraDHCPOption) -> (name: String, value: String)? {
        guard let (name, kind) = (option.isIPv6 ? six : four)[option.name],
            let value = value(option.value, kind, isIPv6: option.isIPv6)
        else { return nil }
        return (name, value)
    }

    private static func value(_ text: String, _ kind: Kind, isIPv6: Bool) -> String? {
        switch kind {
        case .text:
            // It stands between quotes: those that it may bring with it, as upstream wants them for OVN, or ours.
            let text = unquoted(text)
            let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != 0x22 && $0 != 0x5C && $0 != 0x24 }
            return isPlain && !text.isEmpty ? "\"\(text)\"" : nil
        case .addresses:
            let parts = text.split { "{}, ;".contains($0) }.map(String.init)
            let addresses = parts.compactMap { IPAddress($0) }.filter { $0.isIPv6 == isIPv6 }.map(\.description)
            guard !addresses.isEmpty, addresses.count == parts.count else { return nil }
            return addresses.count == 1 ? addresses[0] : "{" + addresses.joined(separator: ", ") + "}"
        case .number: return UInt32(text).map { "\($0)" }
        case .flag: return ["1": "1", "true": "1", "0": "0", "false": "0"][text.lowercased()]
        case .routes: return routes(text)
        case .mac: return MACAddress(text)?.description
        }
    }

    private static func unquoted(_ text: String) -> Substring {
        text.count > 1 && text.hasPrefix("\"") && text.hasSuffix("\"") ? text.dropFirst().dropLast() : text[...]
    }

    /// `10.0.0.0/8,192.0.2.1` in any number.
    private static func routes(_ text: String) -> String? {
        let parts = text.split { "{}, ;".contains($0) }.map(String.init)
        guard !parts.isEmpty, parts.count.isMultiple(of: 2) else { return nil }
        var routes: [String] = []
        for index in stride(from: 0, to: parts.count, by: 2) {
            guard let destination = CIDR(parts[index]), let hop = IPAddress(parts[index + 1]), !destination.isIPv6,
                !hop.isIPv6
            else { return nil }
            routes.append("\(destination),\(hop)")
        }
        return "{" + routes.joined(separator: ", ") + "}"
    }
}

extension OVNTranslation {
    /// What DHCP answers to a port with options of its own: what it answers on the subnet, with these over it.
    func dhcpRows(of port: LogicalPort) -> [OVNRow] {
        guard let network = world.networks[port.network] else { return [] }
        return [false, true].compactMap { isIPv6 in
            let extra = port.extraDHCPOptions.filter { $0.isIPv6 == isIPv6 }
            guard !extra.isEmpty, !hasNoDHCP(port, isIPv6: isIPv6),
                let subnet = dhcpSubnet(of: port, on: network, isIPv6: isIPv6),
                var options = dhcpOptions(on: subnet, in: network)
            else { return nil }
            for option in extra.compactMap(OVNDHCPOption.translated) { options[option.name] = option.value }
            return OVNRow(
                .dhcpOptions, Self.dhcpID(port.id, subnet.id), owner: .port(port.id.rawValue),
                ["cidr": .string(subnet.cidr), "options": .pairs(options)],
                externalIDs: ["subnet_id": subnet.id.rawValue, "port_id": port.id.rawValue])
        }
    }

    /// The rows that may answer DHCP to the port, best first.
    func dhcpReferences(of port: LogicalPort, isIPv6: Bool) -> [OVNKey] {
        guard !hasNoDHCP(port, isIPv6: isIPv6) else { return [] }
        let subnets = port.addresses.filter { $0.isIPv6 == isIPv6 }.map(\.subnet)
        let shared = subnets.map { OVNKey(.dhcpOptions, $0.rawValue) }
        guard port.extraDHCPOptions.contains(where: { $0.isIPv6 == isIPv6 }) else { return shared }
        return subnets.map { OVNKey(.dhcpOptions, Self.dhcpID(port.id, $0)) } + shared
    }

    private func hasNoDHCP(_ port: LogicalPort, isIPv6: Bool) -> Bool {
        port.extraDHCPOptions.contains {
            $0.isIPv6 == isIPv6 && $0.name == OVNDHCPOption.disabled && $0.value.lowercased() == "true"
        }
    }

    private func dhcpSubnet(of port: LogicalPort, on network: LogicalNetwork, isIPv6: Bool) -> LogicalNetwork.Subnet? {
        for address in port.addresses where address.isIPv6 == isIPv6 {
            if let subnet = network.subnets.first(where: { $0.id == address.subnet && $0.usesDHCP }) { return subnet }
        }
        return nil
    }

    private static func dhcpID(_ port: PortID, _ subnet: SubnetID) -> String { "\(subnet):\(port)" }
}

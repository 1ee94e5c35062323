// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

/// Turns wanted objects into rows of OVN's Northbound database, with the names that ML2/OVN gives them, so that
/// operators find what they know. A pure function of the world and the configuration.
struct OVNTranslation: Sendable {
    let world: OVNWorld
    let configuration: OVNConfiguration

    /// All rows of a unit; none when its object is gone.
    func rows(of unit: OVNUnit) -> [OVNRow] {
        switch unit {
        case .shared: return sharedRows()
        case .network(let id): return world.networks[NetworkID(id)].map(rows) ?? []
        case .names(let id): return nameRows(of: NetworkID(id))
        case .port(let id): return world.ports[PortID(id)].map { rows($0) } ?? []
        case .router(let id): return world.routers[RouterID(id)].map { rows($0) } ?? []
        case .group(let id): return world.groups[SecurityGroupID(id)].map(rows) ?? []
        case .addresses(let id): return world.addressGroups[AddressGroupID(id)].map { rows($0) } ?? []
        }
    }

    func rows(of units: Set<OVNUnit>) -> [OVNRow] { units.flatMap(rows) }

    static func name(_ network: NetworkID) -> String { "neutron-\(network)" }
    static func name(_ router: RouterID) -> String { "neutron-\(router)" }
    static func routerPortName(_ port: PortID) -> String { "lrp-\(port)" }
    static func name(_ group: SecurityGroupID) -> String {
        "pg_" + plain(group.rawValue)
    }
    /// The set of one family's prefixes.
    static func name(_ group: AddressGroupID, isIPv6: Bool) -> String {
        "ag_" + plain(group.rawValue) + (isIPv6 ? "_ip6" : "_ip4")
    }

    /// An expression takes a name without dashes.
    private static func plain(_ id: String) -> String { id.map { $0 == "-" ? "_" : String($0) }.joined() }
}

/// Texts that become part of OVN's expressions. Whatever is not plain is left out there, so that no name of a tenant
/// can end a string and begin an action.
enum OVNText {
    /// An address or CIDR; nil for anything else.
    static func address(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { byte in
            Hex.value(byte) != nil || byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
                || byte == UInt8(ascii: "/")
        }
        return isPlain && !text.isEmpty && text.utf8.count < 64 ? text : nil
    }

    /// A domain or host name without its last dot; nil for anything else.
    static func domain(_ text: String) -> String? {
        var text = text[...]
        if text.hasSuffix(".") { text = text.dropLast() }
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        return isPlain && !text.isEmpty && text.utf8.count < 254 ? String(text) : nil
    }
}

/// FNV-1a: a number that stays the same between processes, unlike Swift's own hash.
enum StableHash {
    static func of(_ text: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // The last bytes change little above; two rounds of mixing spread them.
        hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
        return hash ^ hash >> 29
    }

    /// A MAC in OpenStack's usual prefix.
    static func macAddress(_ text: String) -> String {
        let hash = of(text)
        let bytes: [UInt8] = [0xfa, 0x16, 0x3e] + [0, 8, 16].map { UInt8(truncatingIfNeeded: hash >> UInt64($0)) }
        return bytes.map { Hex.encode([$0]) }.joined(separator: ":")
    }
}

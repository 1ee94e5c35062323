// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit

/// A network whose guests on this host get the metadata service here.
struct MetadataNetwork: Equatable, Sendable {
    static let address = "169.254.169.254"
    static let port: UInt16 = 80
    static let namespacePrefix = "ovnmeta-"

    let network: NetworkID
    /// The network's own port for it; OVN answers for it on every host.
    let metadataPort: String
    let macAddress: String
    /// With prefix length.
    let addresses: [Address]

    struct Address: Equatable, Sendable {
        let address: String
        let prefixLength: Int

        init(_ address: String, prefixLength: Int) {
            self.address = address
            self.prefixLength = prefixLength
        }

        /// `10.0.0.2/24`
        init?(_ text: some StringProtocol) {
            let parts = text.split(separator: "/")
            guard parts.count == 2, let length = Int(parts[1]), (0...128).contains(length) else { return nil }
            address = String(parts[0])
            prefixLength = length
        }
    }

    var namespace: String { Self.namespacePrefix + network.rawValue }
    /// The host's end of the cable; the kernel takes 15 characters.
    var outerDevice: String { "tap" + network.rawValue.prefix(10) + "0" }
    var innerDevice: String { "tap" + network.rawValue.prefix(10) + "1" }
}

/// What this host's part of the Southbound database says about metadata. Pure.
struct MetadataPlan {
    /// Guests' ports on this host, and every network's metadata port; nothing else is read.
    static func conditions(chassis: RowID?) -> [OVSDBMonitor.Condition] {
        [.init("type", equals: .string("localport"))] + (chassis.map { [.init("chassis", equals: .uuid($0))] } ?? [])
    }

    static let monitor = OVSDBMonitor(
        database: "OVN_Southbound",
        tables: [
            .init("Chassis", ["name"]),
            .init(
                "Port_Binding", ["logical_port", "type", "datapath", "chassis", "mac", "external_ids"],
                where: conditions(chassis: nil)),
            .init("Datapath_Binding", ["external_ids"]),
        ],
        indexes: [.column(table: "Chassis", column: "name")])

    static func chassis(_ name: String, _ replica: OVSDBReplica) -> RowID? {
        replica.find(.column(table: "Chassis", column: "name"), .string(name)).first
    }

    /// The networks that have a guest's port on `chassis`.
    static func networks(on chassis: RowID, _ replica: OVSDBReplica) -> [NetworkID: MetadataNetwork] {
        var used: Set<RowID> = []
        var metadata: [RowID: OVSDBRow] = [:]
        for row in replica.rows("Port_Binding").values {
            guard let datapath = row.uuid("datapath") else { continue }
            switch row.string("type") {
            case "localport": metadata[datapath] = row
            case "" where row.uuid("chassis") == chassis: used.insert(datapath)
            default: break
            }
        }
        var networks: [NetworkID: MetadataNetwork] = [:]
        for datapath in used {
            guard let port = metadata[datapath], let id = network(of: datapath, replica) else { continue }
            let mac = port.strings("mac").first?.split(separator: " ").first.map(String.init)
            let addresses = (port.value("external_ids", key: "neutron:cidrs") ?? "").split(separator: " ")
                .compactMap { MetadataNetwork.Address($0) }
            guard let mac, !addresses.isEmpty else { continue }
            networks[id] = MetadataNetwork(
                network: id, metadataPort: port.string("logical_port"), macAddress: mac, addresses: addresses)
        }
        return networks
    }

    /// Datapaths of switches are called as the switch: `neutron-<network id>`.
    private static func network(of datapath: RowID, _ replica: OVSDBReplica) -> NetworkID? {
        let name = replica.row("Datapath_Binding", datapath)?.value("external_ids", key: "name") ?? ""
        let id = name.hasPrefix("neutron-") ? String(name.dropFirst(8)) : ""
        return UUIDText.isUUID(id) ? NetworkID(id) : nil
    }
}

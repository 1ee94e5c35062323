// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import NetworkContract

/// What a guest may learn of itself, in the formats of OpenStack and of EC2. Pure: the metadata service and the config
/// drive show the same (nova: api/metadata/base.py).
package struct MetadataDocuments: Sendable {
    package static let ec2Versions = [
        "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01", "2008-09-01",
        "2009-04-04",
    ]
    /// The date of a version decides what its documents have; the later ones add.
    package static let openStackVersions = [
        "2012-08-10", "2013-04-04", "2013-10-17", "2015-10-15", "2016-06-30", "2016-10-06", "2017-02-22", "2018-08-27",
        "2020-10-14", "2025-04-04",
    ]

    package var server: Server
    package var keyData: String?
    package var keyType: String?
    package var ports: [ServerPort]
    package var disks: [ServerBlockDevice]
    /// Tag of a NIC by port id.
    package var networkTags: [String: String]
    package var files: [ServerDraft.File]
    package var userData: [UInt8]?
    package var zone: String
    package var domain: String
    /// 512 random bytes in Base64, for the guest's own generator.
    package var randomSeed: String
    /// On the config drive alone: the metadata service never says it.
    package var adminPassword: String?

    package init(
        server: Server, keyData: String?, keyType: String?, ports: [ServerPort], disks: [ServerBlockDevice],
        networkTags: [String: String],
        files: [ServerDraft.File], userData: [UInt8]?, zone: String, domain: String, randomSeed: String,
        adminPassword: String?
    ) {
        self.server = server
        self.keyData = keyData
        self.keyType = keyType
        self.ports = ports
        self.disks = disks
        self.networkTags = networkTags
        self.files = files
        self.userData = userData
        self.zone = zone
        self.domain = domain
        self.randomSeed = randomSeed
        self.adminPassword = adminPassword
    }

    private var hostname: String { domain.isEmpty ? server.hostname : "\(server.hostname).\(domain)" }

    private static func has(_ feature: String, _ version: String) -> Bool { version == "latest" || version >= feature }

    // MARK: OpenStack

    /// The first version with `password`.
    private static let firstPassword = "2013-04-04"

    /// Whether guests of `version` may write their password, and read it again.
    package static func hasPassword(_ version: String) -> Bool {
        (version == "latest" || openStackVersions.contains(version)) && has(firstPassword, version)
    }

    /// Names below `openstack/<version>/`.
    package func names(_ version: String) -> [String] {
        var names = ["meta_data.json"]
        if userData != nil { names.append("user_data") }
        if Self.has(Self.firstPassword, version) { names.append("password") }
        if Self.has("2013-10-17", version) { names.append("vendor_data.json") }
        if Self.has("2015-10-15", version) { names.append("network_data.json") }
        if Self.has("2016-10-06", version) { names.append("vendor_data2.json") }
        return names
    }

    package func metaData(_ version: String) -> [UInt8] {
        JSONWriter.object(capacity: 2048) { writer in
            writer.field("uuid", server.id.rawValue)
            if server.metadata != "{}" {
                writer.key("meta")
                writer.raw(server.metadata)
            }
            if !files.isEmpty {
                writer.array("files") { writer in
                    for (index, file) in files.enumerated() {
                        writer.beginObject()
                        writer.field("path", file.path)
                        writer.field("content_path", "/content/" + Self.contentName(index))
                        writer.endObject()
                    }
                }
            }
            if let adminPassword { writer.field("admin_pass", adminPassword) }
            if let keyName = server.keyName, let keyData {
                writer.object("public_keys") { writer in
                    writer.key(dynamic: keyName)
                    writer.value(keyData)
                }
                writer.array("keys") { writer in
                    writer.beginObject()
                    writer.field("name", keyName)
                    writer.field("type", keyType ?? "ssh")
                    writer.field("data", keyData)
                    writer.endObject()
                }
            }
            writer.field("hostname", hostname)
            writer.field("name", server.name)
            writer.field("launch_index", server.launchIndex)
            writer.field("availability_zone", zone)
            if Self.has("2013-04-04", version) { writer.field("random_seed", randomSeed) }
            if Self.has("2015-10-15", version) { writer.field("project_id", server.projectID.rawValue) }
            if Self.has("2016-06-30", version) { devices(&writer, version) }
            if Self.has("2020-10-14", version) { writer.array("dedicated_cpus") { _ in } }
        }
    }

    private func devices(_ writer: inout JSONWriter, _ version: String) {
        writer.array("devices") { writer in
            for port in ports where networkTags[port.id.rawValue] != nil {
                writer.beginObject()
                if Self.has("2018-08-27", version) { writer.field("vf_trusted", false) }
                writer.field("type", "nic")
                writer.field("mac", port.macAddress)
                writer.field("bus", "none")
                writer.field("address", "none")
                writer.array("tags") { writer in writer.value(networkTags[port.id.rawValue] ?? "") }
                writer.endObject()
            }
            for disk in disks {
                guard let tag = disk.tag, disk.isShown || !disk.isVolume else { continue }
                writer.beginObject()
                writer.field("type", "disk")
                // Guests find it by the serial, wherever their buses put it.
                writer.field("bus", "none")
                writer.field("address", "none")
                if let volume = disk.volume { writer.field("serial", volume.rawValue) }
                if let path = disk.device { writer.field("path", path) }
                writer.array("tags") { writer in writer.value(tag) }
                writer.endObject()
            }
        }
    }

    static func contentName(_ index: Int) -> String {
        let digits = String(index)
        return String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }

    package var networkData: [UInt8] {
        JSONWriter.object(capacity: 1024) { writer in
            let linked = ports.filter { !$0.fixedAddresses.isEmpty }
            writer.array("links") { writer in
                for port in linked {
                    writer.beginObject()
                    writer.field("id", port.tapName)
                    writer.field("vif_id", port.id.rawValue)
                    writer.field("type", "ovs")
                    writer.field("mtu", port.mtu)
                    writer.field("ethernet_mac_address", port.macAddress)
                    writer.endObject()
                }
            }
            writer.array("networks") { writer in
                var number = 0
                for port in linked {
                    for address in port.firstAddresses {
                        network(&writer, port, address, number)
                        number += 1
                    }
                }
            }
            var dns: [String] = []
            for server in linked.flatMap(\.firstAddresses).flatMap(\.dnsServers) where !dns.contains(server) {
                dns.append(server)
            }
            services(&writer, dns)
        }
    }

    private func network(
        _ writer: inout JSONWriter, _ port: ServerPort, _ address: ServerPort.FixedAddress, _ number: Int
    ) {
        let version = address.address.contains(":") ? 6 : 4
        writer.beginObject()
        writer.field("id", "network\(number)")
        writer.field("type", "ipv\(version)" + (address.usesDHCP ? "_dhcp" : ""))
        writer.field("link", port.tapName)
        if !address.usesDHCP {
            writer.field("ip_address", address.address)
            writer.field("netmask", Self.netmask(isIPv6: version == 6, address.prefixLength))
            writer.array("routes") { writer in
                if let gateway = address.gateway {
                    let any = version == 6 ? "::" : "0.0.0.0"
                    route(&writer, any, any, gateway)
                }
                for extra in address.hostRoutes {
                    guard let cidr = CIDR(extra.destination) else { continue }
                    let mask = Self.netmask(isIPv6: cidr.isIPv6, cidr.prefixLength)
                    route(&writer, cidr.network.description, mask, extra.nextHop)
                }
            }
            services(&writer, address.dnsServers)
        }
        writer.field("network_id", port.network.rawValue)
        writer.endObject()
    }

    private func route(_ writer: inout JSONWriter, _ network: String, _ netmask: String, _ gateway: String) {
        writer.beginObject()
        writer.field("network", network)
        writer.field("netmask", netmask)
        writer.field("gateway", gateway)
        writer.endObject()
    }

    private func services(_ writer: inout JSONWriter, _ servers: [String]) {
        writer.array("services") { writer in
            for server in servers {
                writer.beginObject()
                writer.field("type", "dns")
                writer.field("address", server)
                writer.endObject()
            }
        }
    }

    private static func netmask(isIPv6: Bool, _ prefixLength: Int) -> String {
        CIDR(containing: IPAddress(isIPv6: isIPv6, value: 0), prefixLength: prefixLength).netmask.description
    }

    // MARK: EC2

    /// The tree below `/<version>/`; nil: no such version.
    package func ec2Tree(_ version: String) -> MetadataTree? {
        let version = version == "latest" ? Self.ec2Versions[Self.ec2Versions.count - 1] : version
        guard Self.ec2Versions.contains(version) else { return nil }
        // `1.0` came before the dates.
        func has(_ feature: String) -> Bool { version != "1.0" && version >= feature }
        var data: [String: MetadataTree] = [
            "ami-id": .text("ami-" + (server.imageID?.rawValue.prefix(8) ?? "00000000")),
            "ami-launch-index": .text("\(server.launchIndex)"), "ami-manifest-path": .text("FIXME"),
            "instance-id": .text(Server.ec2ID(server.number)), "hostname": .text(hostname),
            "local-ipv4": .text(ports.addresses(isIPv6: false).first ?? ""),
            "reservation-id": .text(server.reservationID),
            "security-groups": .text(ports.groupNames.joined(separator: "\n")),
        ]
        if let keyName = server.keyName, let keyData {
            data["public-keys"] = .keys([(name: keyName, key: keyData)])
        }
        if has("2007-01-19") {
            data["local-hostname"] = .text(hostname)
            data["public-hostname"] = .text(hostname)
            data["public-ipv4"] = .text(ports.floatingAddresses.first ?? "")
        }
        if has("2007-08-29") { data["instance-type"] = .text(server.flavor.name) }
        if has("2007-12-15") {
            data["block-device-mapping"] = .folder(blockDeviceMapping)
        }
        if has("2008-02-01") { data["placement"] = .folder(["availability-zone": .text(zone)]) }
        if has("2008-09-01") { data["instance-action"] = .text("none") }
        var tree: [String: MetadataTree] = ["meta-data": .folder(data)]
        if let userData { tree["user-data"] = .bytes(userData) }
        return .folder(tree)
    }

    /// nova: block_device.py, `instance_block_mapping`.
    private var blockDeviceMapping: [String: MetadataTree] {
        let root = disks.first { $0.isRoot }?.device ?? "/dev/vda"
        var mapping: [String: MetadataTree] = [
            "ami": .text(String(root.dropFirst("/dev/".count))), "root": .text(root),
        ]
        for (name, found) in [
            ("ephemeral", disks.filter(\.isEphemeral)), ("ebs", disks.filter { $0.isShown && !$0.isRoot }),
        ] {
            for (number, disk) in found.enumerated() { mapping["\(name)\(number)"] = .text(disk.device ?? "") }
        }
        if let swap = disks.first(where: \.isSwap)?.device { mapping["swap"] = .text(swap) }
        return mapping
    }

    // MARK: Config drive

    /// The versions that cloud-init and older guests look for; the others would hold the same again.
    package func configDriveFiles() -> [GuestSpecification.ConfigDriveFile] {
        var drive: [GuestSpecification.ConfigDriveFile] = []
        for version in ["2012-08-10", "2018-08-27", "latest"] {
            drive.append(.init(path: "openstack/\(version)/meta_data.json", content: metaData(version)))
            if let userData { drive.append(.init(path: "openstack/\(version)/user_data", content: userData)) }
            guard Self.has("2015-10-15", version) else { continue }
            drive.append(.init(path: "openstack/\(version)/vendor_data.json", content: Array("{}".utf8)))
            drive.append(.init(path: "openstack/\(version)/vendor_data2.json", content: Array("{}".utf8)))
            drive.append(.init(path: "openstack/\(version)/network_data.json", content: networkData))
        }
        for version in ["2009-04-04", "latest"] {
            guard case .folder(let tree)? = ec2Tree(version), let data = tree["meta-data"] else { continue }
            drive.append(.init(path: "ec2/\(version)/meta-data.json", content: Array(data.json.text().utf8)))
            if let userData { drive.append(.init(path: "ec2/\(version)/user-data", content: userData)) }
        }
        for (index, file) in files.enumerated() {
            drive.append(.init(path: "openstack/content/" + Self.contentName(index), content: file.content))
        }
        return drive
    }
}

extension ServerPort {
    /// The first address of each IP version, as the documents show them.
    fileprivate var firstAddresses: [FixedAddress] {
        [fixedAddresses.first { !$0.address.contains(":") }, fixedAddresses.first { $0.address.contains(":") }]
            .compactMap { $0 }
    }
}

extension [ServerPort] {
    func addresses(isIPv6: Bool) -> [String] {
        flatMap(\.fixedAddresses).map(\.address).filter { $0.contains(":") == isIPv6 }
    }

    var floatingAddresses: [String] {
        flatMap { port in port.fixedAddresses.flatMap { port.floatingAddresses[$0.address] ?? [] } }
    }

    package var groupNames: [String] {
        var names: [String] = []
        for name in lazy.flatMap(\.securityGroupNames) where !names.contains(name) { names.append(name) }
        return names
    }
}

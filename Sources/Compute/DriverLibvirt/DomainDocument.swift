// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// libvirt's description of a domain, with its disks in the middle of attention.
struct DomainDocument: Sendable {
    private(set) var root: XMLElement

    init(_ root: XMLElement) { self.root = root }

    var text: String { root.text }

    var disks: [XMLElement] { root.first("devices")?.elements.filter { $0.name == "disk" } ?? [] }

    /// Ids of the volumes among the disks.
    var volumes: [VolumeID] { disks.compactMap(Self.volume) }

    /// Disks of the host's own carry no serial.
    static func volume(_ disk: XMLElement) -> VolumeID? {
        disk.first("serial").map(\.content).flatMap { UUIDText.isUUID($0) ? VolumeID($0) : nil }
    }

    func disk(_ volume: VolumeID) -> XMLElement? { disks.first { Self.volume($0) == volume } }

    static func target(_ disk: XMLElement) -> String? { disk.first("target")?["dev"] }
    static func file(_ disk: XMLElement) -> String? { disk.first("source")?["file"] }
    static func format(_ disk: XMLElement) -> String? { disk.first("driver")?["type"] }
    /// Where a disk's bytes are, or a copy's: equal texts are the same place. Nil: libvirt does not say.
    static func place(_ disk: XMLElement) -> String? {
        guard let source = disk.first("source") else { return nil }
        if let path = source["file"] { return "file:\(path)" }
        guard let scheme = source["protocol"], let name = source["name"] else { return nil }
        let hosts = source.elements.filter { $0.name == "host" }.map { "\($0["name"] ?? ""):\($0["port"] ?? "")" }
        return "\(scheme):\(name)@\(hosts.sorted().joined(separator: ","))"
    }
    /// The names of the files of ephemeral disks, by the guest's names for the disks.
    var ephemeralFiles: [String: String] {
        var names: [String: String] = [:]
        for disk in disks {
            guard let target = Self.target(disk), let name = Self.file(disk)?.split(separator: "/").last,
                name.hasPrefix(GuestFiles.ephemeralPrefix)
            else { continue }
            names[target] = String(name)
        }
        return names
    }

    static func isEncrypted(_ disk: XMLElement) -> Bool { disk.first("source")?.first("encryption") != nil }

    /// The bus of disks with names like this one.
    func bus(ofNamesLike target: String) -> String? {
        disks.lazy.compactMap { $0.first("target") }.first {
            $0["dev"]?.prefix(2) == target.prefix(2)
        }.flatMap { $0["bus"] }
    }

    var interfaces: [XMLElement] { root.first("devices")?.elements.filter { $0.name == "interface" } ?? [] }

    private static func port(_ interface: XMLElement) -> String? {
        interface.first("virtualport")?.first("parameters")?["interfaceid"]
    }

    func interface(_ port: String) -> XMLElement? { interfaces.first { Self.port($0) == port } }

    // MARK: Change

    mutating func add(interface: XMLElement) { append(interface) }

    mutating func remove(interface port: String) {
        guard var devices = root.first("devices") else { return }
        devices.update("interface") { Self.port($0) == port ? nil : $0 }
        root.replace(devices)
    }

    private mutating func updateDisks(_ change: (XMLElement) -> XMLElement?) {
        guard var devices = root.first("devices") else { return }
        devices.update("disk", change)
        root.replace(devices)
    }

    mutating func remove(_ volume: VolumeID) { updateDisks { Self.volume($0) == volume ? nil : $0 } }

    /// Makes `disks` the only volumes. One that stays keeps its place on the guest's buses.
    mutating func setVolumes(_ disks: [XMLElement]) {
        let old = Dictionary(
            self.disks.compactMap { disk in Self.volume(disk).map { ($0, disk) } },
            uniquingKeysWith: { first, _ in first })
        updateDisks { Self.volume($0) == nil ? $0 : nil }
        for disk in disks { append(Self.placed(disk, as: Self.volume(disk).flatMap { old[$0] })) }
    }

    /// Adds a volume, or puts it in the place of itself.
    mutating func set(_ disk: XMLElement) {
        guard let volume = Self.volume(disk) else { return }
        let old = self.disk(volume)
        remove(volume)
        append(Self.placed(disk, as: old))
    }

    private mutating func append(_ disk: XMLElement) {
        guard var devices = root.first("devices") else { return }
        devices.children.append(.element(disk))
        root.replace(devices)
    }

    private static func placed(_ disk: XMLElement, as old: XMLElement?) -> XMLElement {
        guard let old, old.first("target")?["bus"] == disk.first("target")?["bus"] else { return disk }
        var disk = disk
        for name in ["alias", "address"] {
            if let element = old.first(name) { disk.replace(element) }
        }
        return disk
    }

    /// The volume is in another file from now on.
    mutating func move(_ volume: VolumeID, toFile path: String, format: String) {
        updateDisks { disk in
            guard Self.volume(disk) == volume, var source = disk.first("source"), var driver = disk.first("driver")
            else { return disk }
            var disk = disk
            let below = Self.layer(disk)
            source.attributes = [("file", path)]
            driver.attributes.removeAll { $0.name == "type" }
            driver.attributes.append(("type", format))
            disk.replace(source)
            disk.replace(driver)
            // A chain that was given stays given.
            disk.update("backingStore") { _ in below }
            return disk
        }
    }

    /// A disk's head as the layer below another.
    private static func layer(_ disk: XMLElement) -> XMLElement? {
        guard let source = disk.first("source"), let below = disk.first("backingStore") else { return nil }
        var layer = XMLElement("backingStore")
        layer.attributes = [("type", disk["type"] ?? "file")]
        var format = XMLElement("format")
        format.attributes = [("type", Self.format(disk) ?? "qcow2")]
        layer.children = [.element(format), .element(source), .element(below)]
        return layer
    }

    /// The volume is where `disk` says from now on, in all else it stays what it is: a guest goes on with it.
    mutating func relocate(_ volume: VolumeID, as wanted: XMLElement) {
        updateDisks { disk in
            guard Self.volume(disk) == volume, let source = wanted.first("source") else { return disk }
            var disk = disk
            disk.attributes.removeAll { $0.name == "type" }
            if let type = wanted["type"] { disk.attributes.append(("type", type)) }
            disk.replace(source)
            if var driver = disk.first("driver"), let format = Self.format(wanted) {
                driver.attributes.removeAll { $0.name == "type" }
                driver.attributes.append(("type", format))
                disk.replace(driver)
            }
            disk.update("backingStore") { _ in wanted.first("backingStore") }
            return disk
        }
    }
}

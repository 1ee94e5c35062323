// SPDX-License-Identifier: Apache-2.0

/// Gives disks of one server names that differ in their letters, whatever their buses (nova: compute/utils.py,
/// `get_next_device_name`).
package struct BlockDeviceNames: Sendable {
    private var used: Set<String>
    /// The bus of disks that name none.
    private let bus: String

    /// `bus`: the image's `hw_disk_bus`.
    package init(taken devices: [String], bus: String?) {
        used = Set(devices.compactMap(Self.letters))
        self.bus = bus ?? "virtio"
    }

    /// `/dev/vdb`. What the user asks for counts when its letter is free; a guest decides itself how it names its disks.
    package mutating func next(wanted: String? = nil, bus: String? = nil) -> String {
        var letters = wanted.flatMap(Self.letters) ?? ""
        if letters.isEmpty || used.contains(letters) {
            letters = (0...).lazy.map(Self.letters(number:)).first { !used.contains($0) } ?? ""
        }
        used.insert(letters)
        let prefix = bus.flatMap(Self.prefix) ?? Self.prefix(of: self.bus) ?? "vd"
        return "/dev/" + prefix + letters
    }

    /// Nil: no bus of this hypervisor, which then uses its own.
    private static func prefix(of bus: String) -> String? {
        switch bus {
        case "virtio": "vd"
        case "scsi", "sata", "usb": "sd"
        case "ide": "hd"
        default: nil
        }
    }

    /// `a`, …, `z`, `aa`, …
    package static func letters(number: Int) -> String {
        var (rest, text) = (number, "")
        repeat {
            text = String(Character(Unicode.Scalar(UInt8(ascii: "a") + UInt8(rest % 26)))) + text
            rest = rest / 26 - 1
        } while rest >= 0
        return text
    }

    /// `b` of `/dev/vdb`, `vdb` or `/dev/vdb1`; nil for what is no name of a disk.
    package static func letters(_ device: String) -> String? {
        var name = device.hasPrefix("/dev/") ? device.dropFirst(5) : device[...]
        while let last = name.utf8.last, (0x30...0x39).contains(last) { name.removeLast() }
        guard !name.isEmpty, name.utf8.allSatisfy({ (0x61...0x7A).contains($0) }) else { return nil }
        for prefix in ["xvd", "vd", "sd", "hd", "fd"] where name.hasPrefix(prefix) && name.utf8.count > prefix.utf8.count
        {
            return String(name.dropFirst(prefix.utf8.count))
        }
        return String(name)
    }

    /// nova: block_device.py, `match_device`.
    package static func isPath(_ device: String) -> Bool { device.hasPrefix("/dev/") && letters(device) != nil }
}

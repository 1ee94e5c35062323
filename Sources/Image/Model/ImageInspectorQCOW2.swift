// SPDX-License-Identifier: Apache-2.0

/// QEMU's own format, versions 2 and 3 (qemu: `docs/interop/qcow2.txt`).
enum QCOW2Inspection {
    private static let magic: [UInt8] = [UInt8(ascii: "Q"), UInt8(ascii: "F"), UInt8(ascii: "I"), 0xFB]
    private static let dataFileBit: UInt64 = 1 << 2
    /// Dirty, corrupt, data file, compression type, extended L2 entries.
    private static let knownIncompatible: UInt64 = 0b11111
    private static let dataFileExtension: UInt32 = 0x4441_5441
    private static let maximumExtensions = 64

    static func inspect(_ head: ByteView) -> ImageInspection? {
        guard head.has(magic, at: 0) else { return nil }
        guard let size: UInt64 = head.bigEndian(24), let virtual = size.plausibleSize else {
            return ImageInspection(
                format: "qcow2", virtualSizeBytes: nil, violation: "the header is cut short or damaged")
        }
        return ImageInspection(format: "qcow2", virtualSizeBytes: virtual, violation: violation(head))
    }

    private static func violation(_ head: ByteView) -> String? {
        guard let version: UInt32 = head.bigEndian(4), version == 2 || version == 3 else {
            return "this version of qcow2 is not supported"
        }
        guard let backing: UInt64 = head.bigEndian(8), let clusterBits: UInt32 = head.bigEndian(20),
            head.count >= (version == 2 ? 72 : 104)
        else { return "the header is cut short" }
        if backing != 0 { return "the image has a backing file" }
        guard (9...21).contains(clusterBits) else { return "the cluster size is out of range" }
        var headerLength = 72
        if version == 3 {
            guard let features: UInt64 = head.bigEndian(72), let length: UInt32 = head.bigEndian(100) else {
                return "the header is cut short"
            }
            if features & dataFileBit != 0 { return "the image has an external data file" }
            if features & ~knownIncompatible != 0 { return "the image uses unknown features" }
            guard length >= 104, length.isMultiple(of: 8), length <= 1 << clusterBits else {
                return "the header length is wrong"
            }
            headerLength = Int(length)
        }
        return extensionViolation(head, from: headerLength, to: 1 << Int(clusterBits))
    }

    /// Header extensions are type, length, data padded to 8 bytes, inside the first cluster, ended by type 0.
    private static func extensionViolation(_ head: ByteView, from start: Int, to end: Int) -> String? {
        var offset = start
        for _ in 0..<maximumExtensions {
            guard offset + 8 <= end, let type: UInt32 = head.bigEndian(offset),
                let length: UInt32 = head.bigEndian(offset + 4), type != 0
            else { return nil }
            if type == dataFileExtension { return "the image has an external data file" }
            let padded = (Int(length) + 7) / 8 * 8
            guard padded <= end - offset - 8 else { return "a header extension is out of bounds" }
            offset += 8 + padded
        }
        return "the header has too many extensions"
    }
}

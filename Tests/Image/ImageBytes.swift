// SPDX-License-Identifier: Apache-2.0

/// Crafted images.
enum ImageBytes {
    static func put(_ value: UInt64, bytes: Int, bigEndian: Bool, at offset: Int, in image: inout [UInt8]) {
        for index in 0..<bytes {
            let shift = UInt64(bigEndian ? bytes - 1 - index : index) * 8
            image[offset + index] = UInt8(truncatingIfNeeded: value >> shift)
        }
    }

    static func qcow2(
        version: UInt64 = 3, size: UInt64 = 10 << 20, backing: UInt64 = 0, features: UInt64 = 0,
        extensions: [(UInt64, [UInt8])] = []
    ) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 1024)
        image.replaceSubrange(0..<4, with: [UInt8(ascii: "Q"), UInt8(ascii: "F"), UInt8(ascii: "I"), 0xFB])
        put(version, bytes: 4, bigEndian: true, at: 4, in: &image)
        put(backing, bytes: 8, bigEndian: true, at: 8, in: &image)
        put(16, bytes: 4, bigEndian: true, at: 20, in: &image)
        put(size, bytes: 8, bigEndian: true, at: 24, in: &image)
        put(features, bytes: 8, bigEndian: true, at: 72, in: &image)
        put(104, bytes: 4, bigEndian: true, at: 100, in: &image)
        var offset = version == 2 ? 72 : 104
        for (type, data) in extensions {
            put(type, bytes: 4, bigEndian: true, at: offset, in: &image)
            put(UInt64(data.count), bytes: 4, bigEndian: true, at: offset + 4, in: &image)
            image.replaceSubrange(offset + 8..<offset + 8 + data.count, with: data)
            offset += 8 + (data.count + 7) / 8 * 8
        }
        return image
    }

    static func vmdk(
        type: String = "monolithicSparse", extent: String = "RW 2048 SPARSE \"disk.vmdk\"", extra: String = ""
    )
        -> [UInt8]
    {
        var image = [UInt8](repeating: 0, count: 64 << 10)
        image.replaceSubrange(0..<4, with: Array("KDMV".utf8))
        put(1, bytes: 4, bigEndian: false, at: 4, in: &image)
        put(2048, bytes: 8, bigEndian: false, at: 12, in: &image)
        put(1, bytes: 8, bigEndian: false, at: 28, in: &image)
        put(20, bytes: 8, bigEndian: false, at: 36, in: &image)
        let text =
            "# Disk DescriptorFile\nversion=1\nCID=ab\nparentCID=ffffffff\ncreateType=\"\(type)\"\n\(extra)\n\(extent)\nddb.x = \"1\"\n"
        image.replaceSubrange(512..<512 + text.utf8.count, with: Array(text.utf8))
        return image
    }

    static func iso(blocks: UInt64 = 100) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 64 << 10)
        image[32 << 10] = 1
        image.replaceSubrange((32 << 10) + 1..<(32 << 10) + 6, with: Array("CD001".utf8))
        put(blocks, bytes: 4, bigEndian: false, at: (32 << 10) + 80, in: &image)
        put(2048, bytes: 2, bigEndian: false, at: (32 << 10) + 128, in: &image)
        return image
    }

    static func vhd(kind: UInt64 = 3) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 4096)
        image.replaceSubrange(0..<8, with: Array("conectix".utf8))
        put(7 << 20, bytes: 8, bigEndian: true, at: 48, in: &image)
        put(kind, bytes: 4, bigEndian: true, at: 60, in: &image)
        return image
    }

    static func vdi(kind: UInt64 = 1) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 4096)
        put(0xBEDA_107F, bytes: 4, bigEndian: false, at: 0x40, in: &image)
        put(kind, bytes: 4, bigEndian: false, at: 0x4C, in: &image)
        put(5 << 20, bytes: 8, bigEndian: false, at: 0x170, in: &image)
        return image
    }

    static func vhdx(flags: UInt64 = 0, metadata: UInt64 = 1 << 20, items: UInt64 = 2) -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 2 << 20)
        image.replaceSubrange(0..<8, with: Array("vhdxfile".utf8))
        let table = 192 << 10
        image.replaceSubrange(table..<table + 4, with: Array("regi".utf8))
        put(1, bytes: 4, bigEndian: false, at: table + 8, in: &image)
        image.replaceSubrange(
            table + 16..<table + 32,
            with: [0x06, 0xA2, 0x7C, 0x8B, 0x90, 0x47, 0x9A, 0x4B, 0xB8, 0xFE, 0x57, 0x5F, 0x05, 0x0F, 0x88, 0x6E])
        put(metadata, bytes: 8, bigEndian: false, at: table + 32, in: &image)
        let region = 1 << 20
        image.replaceSubrange(region..<region + 8, with: Array("metadata".utf8))
        put(items, bytes: 2, bigEndian: false, at: region + 10, in: &image)
        image.replaceSubrange(
            region + 32..<region + 48,
            with: [0x24, 0x42, 0xA5, 0x2F, 0x1B, 0xCD, 0x76, 0x48, 0xB2, 0x11, 0x5D, 0xBE, 0xD8, 0x3B, 0xF4, 0xB8])
        put(64 << 10, bytes: 4, bigEndian: false, at: region + 48, in: &image)
        image.replaceSubrange(
            region + 64..<region + 80,
            with: [0x37, 0x67, 0xA1, 0xCA, 0x36, 0xFA, 0x43, 0x4D, 0xB3, 0xB6, 0x33, 0xF0, 0xAA, 0x44, 0xE7, 0x6B])
        put(65 << 10, bytes: 4, bigEndian: false, at: region + 80, in: &image)
        put(9 << 20, bytes: 8, bigEndian: false, at: region + (64 << 10), in: &image)
        put(flags, bytes: 4, bigEndian: false, at: region + (65 << 10) + 4, in: &image)
        return image
    }

    static func mbr() -> [UInt8] {
        var image = [UInt8](repeating: 0, count: 4096)
        image[446] = 0x80
        image[450] = 0x83
        image[510] = 0x55
        image[511] = 0xAA
        return image
    }
}

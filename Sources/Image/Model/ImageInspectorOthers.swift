// SPDX-License-Identifier: Apache-2.0

/// Microsoft's older format, called vpc by QEMU. A dynamic image begins with a copy of its footer.
enum VHDInspection {
    static func inspect(_ head: ByteView) -> ImageInspection? {
        guard head.has("conectix", at: 0) else { return nil }
        guard let size: UInt64 = head.bigEndian(48), let virtual = size.plausibleSize,
            let kind: UInt32 = head.bigEndian(60)
        else {
            return ImageInspection(
                format: "vhd", virtualSizeBytes: nil, violation: "the header is cut short or damaged")
        }
        let violation: String? =
            switch kind {
            case 2, 3: nil
            case 4: "the image has a parent"
            default: "this kind of vhd is not supported"
            }
        return ImageInspection(format: "vhd", virtualSizeBytes: virtual, violation: violation)
    }
}

/// VirtualBox's format.
enum VDIInspection {
    static func inspect(_ head: ByteView) -> ImageInspection? {
        guard let magic: UInt32 = head.littleEndian(0x40), magic == 0xBEDA_107F else { return nil }
        guard let kind: UInt32 = head.littleEndian(0x4C), let size: UInt64 = head.littleEndian(0x170),
            let virtual = size.plausibleSize
        else {
            return ImageInspection(
                format: "vdi", virtualSizeBytes: nil, violation: "the header is cut short or damaged")
        }
        // 1 grows, 2 is allocated whole; 3 and 4 refer to another image.
        let violation = kind == 1 || kind == 2 ? nil : "this kind of vdi is not supported"
        return ImageInspection(format: "vdi", virtualSizeBytes: virtual, violation: violation)
    }
}

/// ISO 9660 and UDF: the first volume descriptor lies at 32 KiB.
enum ISOInspection {
    private static let descriptor = 32 << 10

    static func inspect(_ head: ByteView) -> ImageInspection? {
        let identifier = descriptor + 1
        guard
            head.has("CD001", at: identifier) || head.has("NSR02", at: identifier) || head.has("NSR03", at: identifier)
        else { return nil }
        guard head.slice(descriptor, 1)?.first == 1, let blocks: UInt32 = head.littleEndian(descriptor + 80),
            let blockSize: UInt16 = head.littleEndian(descriptor + 128)
        else { return ImageInspection(format: "iso", virtualSizeBytes: nil) }
        return ImageInspection(format: "iso", virtualSizeBytes: Int64(blocks) * Int64(blockSize))
    }
}

/// Formats that are recognized so that they cannot pass for another.
enum OtherInspection {
    static func inspect(_ head: ByteView) -> ImageInspection? {
        if head.has(Array("QED".utf8) + [0], at: 0) {
            return ImageInspection(format: "qed", virtualSizeBytes: nil, violation: "this format is not allowed")
        }
        if head.has("WithoutFreeSpace", at: 0) || head.has("WithouFreSpacExt", at: 0) {
            let sectors: UInt32? = head.littleEndian(36)
            return ImageInspection(format: "ploop", virtualSizeBytes: sectors.map { Int64($0) * 512 })
        }
        return nil
    }
}

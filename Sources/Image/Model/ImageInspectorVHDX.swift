// SPDX-License-Identifier: Apache-2.0

/// Microsoft's newer format (MS-VHDX): a region table at 192 KiB (copy at 256 KiB) leads to the metadata region, whose
/// table leads to the virtual size and the flags. Offsets come from the image, so each is bounded.
enum VHDXInspection {
    private static let tables = [192 << 10, 256 << 10]
    private static let metadataRegion = guid("8b7ca206-4790-4b9a-b8fe-575f050f886e")
    private static let virtualDiskSize = guid("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
    private static let fileParameters = guid("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
    private static let hasParentFlag: UInt32 = 1 << 1
    private static let maximumEntries = 2047

    static func inspect(_ head: ByteView, window: ByteView?) -> ImageInspection? {
        guard head.has("vhdxfile", at: 0) else { return nil }
        guard let window else { return ImageInspection(format: "vhdx", virtualSizeBytes: nil) }
        guard let size = item(virtualDiskSize, window, 8), let parameters = item(fileParameters, window, 8),
            let bytes: UInt64 = size.littleEndian(0), let virtual = bytes.plausibleSize,
            let flags: UInt32 = parameters.littleEndian(4)
        else {
            return ImageInspection(
                format: "vhdx", virtualSizeBytes: nil, violation: "the metadata is damaged or missing")
        }
        let violation = flags & hasParentFlag != 0 ? "the image has a parent" : nil
        return ImageInspection(format: "vhdx", virtualSizeBytes: virtual, violation: violation)
    }

    /// Where the metadata region begins, for an image that says it is VHDX. It lies behind the head in every valid one.
    static func metadataOffset(_ head: ByteView) -> Int64? {
        guard head.has("vhdxfile", at: 0) else { return nil }
        for table in tables where head.has("regi", at: table) {
            guard let count: UInt32 = head.littleEndian(table + 8), count <= maximumEntries else { continue }
            for entry in 0..<Int(count) {
                let offset = table + 16 + entry * 32
                guard head.has(metadataRegion, at: offset), let region: UInt64 = head.littleEndian(offset + 16) else {
                    continue
                }
                return region >= UInt64(ImageInspector.headLimit) ? region.plausibleSize : nil
            }
        }
        return nil
    }

    private static func item(_ identifier: [UInt8], _ window: ByteView, _ count: Int) -> ByteView? {
        guard window.has("metadata", at: 0), let entries: UInt16 = window.littleEndian(10), entries <= maximumEntries
        else { return nil }
        for entry in 0..<Int(entries) {
            let offset = 32 + entry * 32
            guard window.has(identifier, at: offset), let start: UInt32 = window.littleEndian(offset + 16) else {
                continue
            }
            return window.slice(Int(start), count).map { ByteView(Array($0)) }
        }
        return nil
    }

    /// A GUID as it lies in the file: the first three groups in little-endian order.
    private static func guid(_ text: StaticString) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, group) in text.description.split(separator: "-").enumerated() {
            var digits = group[...]
            var part: [UInt8] = []
            while !digits.isEmpty {
                part.append(UInt8(digits.prefix(2), radix: 16) ?? 0)
                digits = digits.dropFirst(2)
            }
            bytes += index < 3 ? part.reversed() : part
        }
        return bytes
    }
}

// SPDX-License-Identifier: Apache-2.0

/// VMware's format. Only the two kinds that are one file with an embedded descriptor are safe: any other descriptor
/// names files of the host that opens it.
enum VMDKInspection {
    private static let sector = 512
    private static let allowedTypes: Set<String> = ["monolithicsparse", "streamoptimized"]
    private static let directoryAtEnd = UInt64.max

    static func inspect(_ head: ByteView, tail: ByteView?) -> ImageInspection? {
        if head.has("KDMV", at: 0) {
            // Of a disk of no size QEMU reads the descriptor alone, as if it were a file of its own.
            guard let sectors: UInt64 = head.littleEndian(12), (1...(1 << 47)).contains(sectors) else {
                return refused("the header is cut short or damaged")
            }
            return ImageInspection(
                format: "vmdk", virtualSizeBytes: Int64(sectors) * Int64(sector), violation: violation(head, tail))
        }
        if head.has("COWD", at: 0) { return refused("this kind of vmdk is not supported") }
        if isDescriptor(head) { return refused("the descriptor is not embedded in its data") }
        return nil
    }

    private static func refused(_ reason: String) -> ImageInspection {
        ImageInspection(format: "vmdk", virtualSizeBytes: nil, violation: reason)
    }

    /// A text file that QEMU would take for a descriptor: comments and blank lines, then `version=`.
    private static func isDescriptor(_ head: ByteView) -> Bool {
        let text = String(decoding: head.bytes.prefix(2048), as: UTF8.self).lowercased()
        for line in text.split(separator: "\n", maxSplits: 64, omittingEmptySubsequences: true) {
            let words = line.trimmingSpace()
            if words.hasPrefix("# disk descriptorfile") { return true }
            if words.isEmpty || words.hasPrefix("#") { continue }
            return words.hasPrefix("version=")
        }
        return false
    }

    private static func violation(_ head: ByteView, _ tail: ByteView?) -> String? {
        guard let version: UInt32 = head.littleEndian(4), (1...3).contains(version) else {
            return "this version of vmdk is not supported"
        }
        guard let start: UInt64 = head.littleEndian(28), let length: UInt64 = head.littleEndian(36),
            let directory: UInt64 = head.littleEndian(56)
        else { return "the header is cut short" }
        guard start == 1, length >= 1, length <= UInt64((ImageInspector.headLimit - sector) / sector),
            let bytes = head.slice(sector, Int(length) * sector)
        else { return "the descriptor is not where it must be" }
        if let reason = descriptorViolation(bytes) { return reason }
        if directory == directoryAtEnd, let tail { return footerViolation(head, tail) }
        return nil
    }

    /// Every line must be understood; extents must name no path.
    private static func descriptorViolation(_ bytes: ArraySlice<UInt8>) -> String? {
        let content = bytes.prefix { $0 != 0 }
        guard content.allSatisfy({ $0 < 0x80 }) else { return "the descriptor is not plain text" }
        let text = String(decoding: content, as: UTF8.self).lowercased()
        // QEMU takes the first that stands anywhere, in a comment, too.
        guard text.occurrences(of: "createtype") == 1 else { return "the descriptor does not have one type" }
        var extents = 0
        var type: String?
        for line in text.split(whereSeparator: \.isNewline).map({ $0.trimmingSpace() }) {
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix("ddb") { continue }
            let words = line.split(separator: " ", maxSplits: 1)
            if let equals = line.firstIndex(of: "="), !line[..<equals].trimmingSpace().contains(" ") {
                let key = line[..<equals].trimmingSpace()
                let value = line[line.index(after: equals)...].trimmingSpace().trimming("\"")
                if key == "createtype" {
                    type = String(value)
                }
                if key == "parentfilenamehint" { return "the image has a parent" }
                if key == "parentcid", value != "ffffffff" { return "the image has a parent" }
            } else if let access = words.first, ["rw", "rdonly", "noaccess"].contains(access) {
                if line.contains("/") || line.contains("\\") { return "an extent names a path" }
                let fields = line.split(separator: " ")
                guard fields.count >= 3, fields[2] == "sparse" else { return "an extent is in another file" }
                extents += 1
            } else {
                return "the descriptor has a line that is not understood"
            }
        }
        guard let type, allowedTypes.contains(type) else { return "this kind of vmdk is not supported" }
        if extents == 0 { return "the descriptor has no extents" }
        return extents == 1 ? nil : "the descriptor has more than one extent"
    }

    /// A footer takes precedence over the header, so both must say the same.
    private static func footerViolation(_ head: ByteView, _ tail: ByteView) -> String? {
        guard tail.count == 3 * sector, let kind: UInt32 = tail.littleEndian(12), kind == 3,
            let size: UInt32 = tail.littleEndian(8), size == 0, let last: UInt32 = tail.littleEndian(2 * sector + 12),
            last == 0, tail.has("KDMV", at: sector)
        else { return "the footer is damaged" }
        // Version, flags, capacity, grain size, descriptor, entries in a table, compression.
        let fields = [(4, 4), (8, 4), (12, 8), (20, 8), (28, 8), (36, 8), (44, 4), (77, 2)]
        let same = fields.allSatisfy { offset, count in
            head.slice(offset, count).map(Array.init) == tail.slice(sector + offset, count).map(Array.init)
        }
        guard same, let directory: UInt64 = tail.littleEndian(sector + 56), directory != directoryAtEnd else {
            return "the footer does not agree with the header"
        }
        return nil
    }
}

extension StringProtocol {
    fileprivate func occurrences(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let first = rest.firstRange(of: text) {
            count += 1
            rest = rest[first.upperBound...]
        }
        return count
    }

    func trimmingSpace() -> SubSequence {
        var text = self[...]
        while let first = text.first, first.isWhitespace { text = text.dropFirst() }
        while let last = text.last, last.isWhitespace { text = text.dropLast() }
        return text
    }

    func trimming(_ character: Character) -> SubSequence {
        var text = self[...]
        while text.first == character { text = text.dropFirst() }
        while text.last == character { text = text.dropLast() }
        return text
    }
}

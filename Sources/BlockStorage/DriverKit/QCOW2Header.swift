// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

/// What the header of a qcow2 file says, read without opening anything that it names.
package struct QCOW2Header: Sendable, Equatable {
    package var virtualSizeBytes: Int64
    /// As written: relative to the file's folder, in the layers of this program.
    package var backingName: String?
    package var backingFormat: String?
    package var isEncrypted: Bool
    package var hasDataFile: Bool
    private var tableOffset: UInt64
    private var tableEntries: Int

    private static let magic: [UInt8] = [0x51, 0x46, 0x49, 0xFB]
    private static let shortHeaderLength = 72
    private static let maximumNameLength = 1023
    private static let maximumTableEntries = 4 << 20
    private static let dataFileFeature: UInt64 = 1 << 2
    private static let backingFormatExtension: UInt32 = 0xE279_2ACA
    /// Header, extensions and the name below all lie in the first cluster, of which this much is looked at.
    private static let headLimit = 65_536

    /// Throws `.badRequest` when the file is not qcow2, or its header is not in order.
    package init(path: String) throws {
        guard let bytes = try FileSystem.read(path, limit: Self.headLimit) else {
            throw CloudError(.notFound, "The volume's storage is not there.", cause: "\(path) is missing")
        }
        try self.init(bytes)
    }

    package init(_ bytes: [UInt8]) throws {
        guard bytes.count >= Self.shortHeaderLength, Array(bytes[..<4]) == Self.magic else { throw Self.fault("magic") }
        let version = Self.number(bytes, 4, 4)
        guard version == 2 || version == 3 else { throw Self.fault("version") }
        let size = Self.number(bytes, 24, 8)
        guard size <= UInt64(Int64.max) else { throw Self.fault("size") }
        virtualSizeBytes = Int64(size)
        isEncrypted = Self.number(bytes, 32, 4) != 0
        tableEntries = Int(Self.number(bytes, 36, 4))
        tableOffset = Self.number(bytes, 40, 8)
        var length = UInt64(Self.shortHeaderLength)
        hasDataFile = false
        if version == 3 {
            guard bytes.count >= 104 else { throw Self.fault("length") }
            hasDataFile = Self.number(bytes, 72, 8) & Self.dataFileFeature != 0
            length = Self.number(bytes, 100, 4)
        }
        let nameOffset = Self.number(bytes, 8, 8)
        if nameOffset != 0 {
            let nameLength = Self.number(bytes, 16, 4)
            guard nameLength > 0, nameLength <= UInt64(Self.maximumNameLength), nameOffset < UInt64(bytes.count),
                nameOffset + nameLength <= UInt64(bytes.count)
            else { throw Self.fault("backing file name") }
            backingName = String(
                decoding: bytes[Int(nameOffset)..<Int(nameOffset + nameLength)], as: UTF8.self)
        }
        backingFormat = Self.backingFormat(bytes, from: length)
    }

    /// Whether no cluster was ever written, so that the layer reads as what is below it. The file must be the one that
    /// this header was read from.
    package func isEmpty(path: String) throws -> Bool {
        guard tableEntries <= Self.maximumTableEntries else { return false }
        let number = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard number >= 0 else { throw SystemError("open", path) }
        let file = OwnedDescriptor(number)
        var chunk = [UInt8](repeating: 0, count: 65_536)
        var (offset, left) = (Int(clamping: tableOffset), tableEntries * 8)
        while left > 0 {
            let count = pread(file.number, &chunk, min(chunk.count, left), offset)
            guard count > 0 else { return false }
            if chunk[..<count].contains(where: { $0 != 0 }) { return false }
            offset += count
            left -= count
        }
        return true
    }

    private static func backingFormat(_ bytes: [UInt8], from start: UInt64) -> String? {
        var offset = Int(clamping: start)
        while offset >= shortHeaderLength, offset + 8 <= bytes.count {
            let (type, length) = (UInt32(number(bytes, offset, 4)), Int(number(bytes, offset + 4, 4)))
            offset += 8
            guard type != 0, length <= bytes.count - offset else { return nil }
            if type == backingFormatExtension {
                return String(decoding: bytes[offset..<offset + length], as: UTF8.self)
            }
            offset += (length + 7) & ~7
        }
        return nil
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ length: Int) -> UInt64 {
        bytes[offset..<offset + length].reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func fault(_ field: String) -> CloudError {
        CloudError(
            .badRequest, "The image is not what its format says.", kind: "ImageUnacceptable",
            cause: "qcow2 header: \(field)")
    }
}

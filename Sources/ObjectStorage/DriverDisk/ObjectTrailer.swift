// SPDX-License-Identifier: Apache-2.0
import Glibc
import LinuxKit
import ObjectStorageContract

/// What ends each file of an object: the record as JSON, then a fixed part that says how long it is and proves it.
/// A file without it was never finished.
enum ObjectTrailer {
    /// Length, checksum, version: 4 bytes each, most significant first; then the magic.
    private static let fixedBytes = 20
    private static let version: UInt32 = 1
    private static let magic = Array("HANEULOB".utf8)
    private static let recordLimit = 1 << 20
    /// Reads the whole trailer of most files at once.
    private static let guessBytes = 4096

    static func bytes(_ record: ObjectRecord) -> [UInt8] {
        var bytes = ObjectRecordText.write(record)
        let fields = [UInt32(bytes.count), CRC32.of(bytes), version]
        for field in fields {
            for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: field >> shift)) }
        }
        return bytes + magic
    }

    /// The record of an open file. Nil: the trailer is not there, or not whole, or the body before it has another size.
    static func read(_ descriptor: Int32, _ path: String) throws(SystemError) -> ObjectRecord? {
        var info = stat()
        guard fstat(descriptor, &info) == 0 else { throw SystemError("fstat", path) }
        let size = Int(info.st_size)
        guard size >= fixedBytes else { return nil }
        var tail = try read(descriptor, min(size, guessBytes), endingAt: size, path)
        let fixed = Array(tail.suffix(fixedBytes))
        func field(_ index: Int) -> UInt32 {
            fixed[(4 * index)..<(4 * index + 4)].reduce(0) { $0 << 8 | UInt32($1) }
        }
        let length = Int(field(0))
        guard tail.count >= fixedBytes, fixed.suffix(magic.count).elementsEqual(magic), field(2) == version,
            length <= recordLimit, length + fixedBytes <= size
        else { return nil }
        if tail.count < length + fixedBytes {
            tail = try read(descriptor, length + fixedBytes, endingAt: size, path)
        }
        let text = Array(tail.dropLast(fixedBytes).suffix(length))
        guard text.count == length, CRC32.of(text) == field(1), let record = ObjectRecordText.read(text),
            record.sizeBytes == Int64(size - fixedBytes - length)
        else { return nil }
        return record
    }

    /// Fewer bytes than `count` only when the file has shrunk meanwhile.
    private static func read(
        _ descriptor: Int32, _ count: Int, endingAt end: Int, _ path: String
    ) throws(SystemError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: the buffer has room for `count` bytes, of which `done` are filled.
                pread(descriptor, buffer.baseAddress?.advanced(by: done), count - done, off_t(end - count + done))
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw SystemError("pread", path) }
            if got == 0 { break }
            done += got
        }
        return done == count ? bytes : Array(bytes[..<done]) + [UInt8](repeating: 0, count: count - done)
    }
}

/// The checksum of Ethernet and ZIP.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ value >> 1 : value >> 1 }
    }

    static func of(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(~UInt32(0)) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ $0 >> 8 }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CompressionKit
import HTTPKit
import ObjectStorageCore
import Synchronization

/// Bytes of a body in the pieces that a reader asks for. For one task at a time.
final class BufferedSource: Sendable {
    private let source: any ByteSource
    private let buffer = Mutex<ArraySlice<UInt8>>([])

    init(_ source: any ByteSource) { self.source = source }

    /// At most `count` bytes, at least one; nil at the end.
    func some(_ count: Int64) async throws -> [UInt8]? {
        if buffer.withLock({ $0.isEmpty }) {
            guard let piece = try await source.next() else { return nil }
            buffer.withLock { $0 = piece[...] }
        }
        return buffer.withLock { buffer in
            let part = buffer.prefix(Int(clamping: count))
            buffer = buffer.dropFirst(part.count)
            return Array(part)
        }
    }

    /// Exactly `count` bytes, or fewer at the end.
    func exactly(_ count: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count, let part = try await some(Int64(count - bytes.count)) { bytes += part }
        return bytes
    }

    func skip(_ count: Int64) async throws {
        var rest = count
        while rest > 0, let part = try await some(rest) { rest -= Int64(part.count) }
    }
}

/// The bytes of a body, decompressed.
struct DecompressedSource: ByteSource {
    let source: any ByteSource
    let decompressor: Decompressor

    func next() async throws -> [UInt8]? {
        while true {
            if let piece = try decompressor.pull() { return piece }
            guard let piece = try await source.next() else {
                guard decompressor.hasEnded else { throw TarFault(text: "unexpected end of data") }
                return nil
            }
            decompressor.push(piece)
        }
    }
}

/// The files of a tar archive, as it arrives.
final class ArchiveReader: Sendable {
    struct Entry: Sendable {
        /// As `WireText` says, where it is not UTF-8.
        var name: String
        var sizeBytes: Int64
        var attributes: [String: String]
        /// Must be read to its end, or skipped by asking for the next entry.
        var body: EntrySource
    }

    /// Names and attributes that stand before an entry.
    private static let maximumAttributeBytes: Int64 = 64 << 10
    private let source: BufferedSource
    private let current = Mutex<(entry: EntrySource, padding: Int64)?>(nil)

    init(_ source: any ByteSource) { self.source = BufferedSource(source) }

    func next() async throws -> Entry? {
        if let (entry, padding) = current.withLock({ $0 }) {
            try await source.skip(entry.rest + padding)
            current.withLock { $0 = nil }
        }
        var longName: String?
        var attributes: [String: String] = [:]
        while true {
            let block = try await source.exactly(TarHeader.blockBytes)
            if block.isEmpty { return nil }
            guard let header = try TarHeader.read(block[...]) else { return nil }
            let padding = (512 - header.sizeBytes % 512) % 512
            switch header.kind {
            case .longName, .attributes:
                guard header.sizeBytes <= Self.maximumAttributeBytes else { throw TarFault(text: "invalid header") }
                let bytes = try await source.exactly(Int(header.sizeBytes))
                try await source.skip(padding)
                if header.kind == .longName {
                    longName = WireText.text(Array(bytes.prefix { $0 != 0 }))
                } else {
                    attributes = TarHeader.attributes(bytes)
                }
            case .other:
                try await source.skip(header.sizeBytes + padding)
                (longName, attributes) = (nil, [:])
            case .file:
                let size = attributes["size"].flatMap(Int64.init) ?? header.sizeBytes
                guard (0...TarHeader.maximumEntryBytes).contains(size) else { throw TarFault(text: "invalid header") }
                let body = EntrySource(source, size)
                current.withLock { $0 = (body, (512 - size % 512) % 512) }
                return Entry(
                    name: attributes["path"] ?? longName ?? header.name, sizeBytes: size, attributes: attributes,
                    body: body)
            }
        }
    }
}

/// The bytes of one file of an archive.
final class EntrySource: ByteSource {
    private let source: BufferedSource
    private let left: Mutex<Int64>

    init(_ source: BufferedSource, _ sizeBytes: Int64) {
        self.source = source
        left = Mutex(sizeBytes)
    }

    var rest: Int64 { left.withLock { $0 } }

    func next() async throws -> [UInt8]? {
        let rest = rest
        guard rest > 0 else { return nil }
        guard let piece = try await source.some(rest) else { throw TarFault(text: "unexpected end of data") }
        left.withLock { $0 -= Int64(piece.count) }
        return piece
    }
}

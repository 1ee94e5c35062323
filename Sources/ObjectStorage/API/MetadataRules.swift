// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// What a client may set on an account, a container or an object, and how much of it.
struct MetadataRules: Sendable {
    enum Kind: String {
        case account, container, object
        var metaPrefix: String { "x-\(rawValue)-meta-" }
        var systemPrefix: String { "x-\(rawValue)-sysmeta-" }
    }

    let limits: StorageLimits

    /// Shown to owners, set by owners.
    static let ownerHeaders: Set<String> = [
        "x-container-read", "x-container-write", "x-container-sync-key", "x-container-sync-to",
        "x-account-meta-temp-url-key", "x-account-meta-temp-url-key-2", "x-container-meta-temp-url-key",
        "x-container-meta-temp-url-key-2", "x-account-access-control",
    ]

    /// Of an object, besides its metadata: kept with it and sent with it.
    static let objectHeaders: Set<String> = [
        "content-disposition", "content-encoding", "x-delete-at", "x-object-manifest", "x-static-large-object",
        "cache-control", "content-language", "expires", "x-robots-tag",
    ]

    func check(_ headers: SwiftHeaders, _ kind: Kind) throws {
        var (count, size) = (0, 0)
        for (name, value) in headers.values {
            if WireText.byteCount(value) > limits.headerBytes {
                throw SwiftFault.plain(
                    400,
                    "Header value too long: \(SwiftText.titled(String(name.unicodeScalars.prefix(limits.metadataNameBytes))))"
                )
            }
            guard let key = name.removing(bytePrefix: kind.metaPrefix) else { continue }
            guard !key.isEmpty else { throw SwiftFault.plain(400, "Metadata name cannot be empty") }
            count += 1
            // An object's may be any bytes.
            if kind != .object, WireText.isEscaped(name) || WireText.isEscaped(value) {
                throw SwiftFault.plain(400, "Metadata must be valid UTF-8")
            }
            size += WireText.byteCount(String(key)) + WireText.byteCount(value)
            if WireText.byteCount(String(key)) > limits.metadataNameBytes {
                throw SwiftFault.plain(400, "Metadata name too long: \(name)")
            }
            if WireText.byteCount(value) > limits.metadataValueBytes {
                throw SwiftFault.plain(
                    400, "Metadata value longer than \(limits.metadataValueBytes): \(name)")
            }
            if count > limits.metadataCount { throw tooMany }
            if size > limits.metadataBytes { throw tooLarge }
        }
    }

    /// The same limits hold for what is there already and what comes to it.
    func check(_ record: IndexRecord?, with new: [String: String], _ kind: Kind) throws {
        guard let record, new.contains(where: { $0.key.hasBytePrefix(kind.metaPrefix) && !$0.value.isEmpty }) else {
            return
        }
        let merged = record.headers.mapValues(\.value).merging(new) { _, new in new }
        let metadata = merged.filter { $0.key.hasBytePrefix(kind.metaPrefix) && !$0.value.isEmpty }
        if metadata.count > limits.metadataCount { throw tooMany }
        let size = metadata.reduce(0) { $0 + $1.key.utf8.count - kind.metaPrefix.utf8.count + $1.value.utf8.count }
        if size > limits.metadataBytes { throw tooLarge }
    }

    private var tooMany: SwiftFault { .plain(400, "Too many metadata items; max \(limits.metadataCount)") }
    private var tooLarge: SwiftFault { .plain(400, "Total metadata too large; max \(limits.metadataBytes)") }

    /// What a request sets on an account or a container; an empty value removes.
    func transferred(_ headers: SwiftHeaders, _ kind: Kind, isOwner: Bool) -> [String: String] {
        let passed: Set<String> =
            kind == .container
            ? ["x-container-read", "x-container-write", "x-container-sync-key", "x-container-sync-to"] : []
        var result: [String: String] = [:]
        let removal = "x-remove-"
        for name in headers.values.keys {
            guard let rest = name.removing(bytePrefix: removal) else { continue }
            let target = "x-" + rest
            if passed.contains(target) || target.hasBytePrefix(kind.metaPrefix) { result[target] = "" }
        }
        for (name, value) in headers.values
        where passed.contains(name) || name.hasBytePrefix(kind.metaPrefix) || name.hasBytePrefix(kind.systemPrefix) {
            result[name] = value
        }
        if !isOwner { result = result.filter { !Self.ownerHeaders.contains($0.key) } }
        return result
    }
}

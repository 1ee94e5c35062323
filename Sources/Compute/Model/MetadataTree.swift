// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// EC2's metadata: folders, whose listing is their names, and values.
package indirect enum MetadataTree: Sendable {
    case text(String)
    case bytes([UInt8])
    case folder([String: MetadataTree])
    /// `0=name`, each a folder with the key in `openssh-key`.
    case keys([(name: String, key: String)])

    /// What is at `path`; nil: nothing.
    package func find(_ path: some Collection<String>) -> MetadataTree? {
        guard let first = path.first else { return self }
        switch self {
        case .text, .bytes: return nil
        case .folder(let entries): return entries[first]?.find(path.dropFirst())
        case .keys(let keys):
            guard let index = Int(first), keys.indices.contains(index) else { return nil }
            return MetadataTree.folder(["openssh-key": .text(keys[index].key)]).find(path.dropFirst())
        }
    }

    /// The value, or a folder's listing.
    package var body: [UInt8] {
        switch self {
        case .text(let text): Array(text.utf8)
        case .bytes(let bytes): bytes
        case .folder(let entries):
            Array(
                entries.sorted { $0.key < $1.key }.map { name, entry in
                    switch entry {
                    case .folder, .keys: name + "/"
                    case .text, .bytes: name
                    }
                }.joined(separator: "\n").utf8)
        case .keys(let keys):
            Array(keys.enumerated().map { "\($0.offset)=\($0.element.name)" }.joined(separator: "\n").utf8)
        }
    }

    /// For `meta-data.json` of the config drive.
    package var json: JSON {
        switch self {
        case .text(let text): .string(text)
        case .bytes(let bytes): .string(String(decoding: bytes, as: UTF8.self))
        case .folder(let entries): .object(entries.mapValues(\.json))
        case .keys(let keys):
            .object(
                Dictionary(
                    keys.enumerated().map { ("\($0.offset)", JSON.object(["openssh-key": .string($0.element.key)])) },
                    uniquingKeysWith: { first, _ in first }))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import SecurityKit

/// Which chunk of a backup is where. A text: a few lines of head, a line for each chunk or run of empty ones, and the
/// digest of all that at the end, so that a torn or altered one is never taken for a backup.
struct BackupManifest: Sendable, Equatable {
    static let mark = "haneul-backup 1"

    struct Place: Sendable, Equatable {
        var digest: String
        /// Index into `holders`.
        var holder: Int
        var object: Int
        var offset: Int64
    }

    enum Entry: Sendable, Equatable {
        /// So many chunks of zeros.
        case zeros(Int)
        case chunk(Place)
    }

    var sizeBytes: Int64
    var chunkBytes: Int
    /// The backups whose objects are named: itself first.
    var holders: [VolumeBackupID]
    var parent: VolumeBackupID?
    var objectCount = 0
    var keptBytes: Int64 = 0
    var entries: [Entry] = []

    init(id: VolumeBackupID, sizeBytes: Int64, chunkBytes: Int, parent: VolumeBackupID?) {
        self.sizeBytes = sizeBytes
        self.chunkBytes = chunkBytes
        self.parent = parent
        holders = [id]
    }

    var content: BackupContent {
        BackupContent(sizeBytes: sizeBytes, objectCount: objectCount, keptBytes: keptBytes, parent: parent)
    }

    mutating func addZeros(_ count: Int) {
        guard count > 0 else { return }
        if case .zeros(let before)? = entries.last {
            entries[entries.count - 1] = .zeros(before + count)
        } else {
            entries.append(.zeros(count))
        }
    }

    /// The index of a backup in `holders`, which it joins.
    mutating func holder(_ id: VolumeBackupID) -> Int {
        if let index = holders.firstIndex(of: id) { return index }
        holders.append(id)
        return holders.count - 1
    }

    /// Each chunk's place by its number; nil where it is zeros. For comparing with a child.
    func places() -> [Place?] {
        var places: [Place?] = []
        for entry in entries {
            switch entry {
            case .zeros(let count): places.append(contentsOf: repeatElement(nil, count: count))
            case .chunk(let place): places.append(place)
            }
        }
        return places
    }

    // MARK: Text

    func text() -> String {
        var text = Self.mark + "\n"
        text += "size \(sizeBytes) \(chunkBytes) \(objectCount) \(keptBytes)\n"
        text += "parent \(parent?.rawValue ?? "-")\n"
        text += "holders \(holders.map(\.rawValue).joined(separator: " "))\n"
        for entry in entries {
            switch entry {
            case .zeros(let count): text += "z \(count)\n"
            case .chunk(let place): text += "c \(place.digest) \(place.holder) \(place.object) \(place.offset)\n"
            }
        }
        return text + "sha256 \(Hex.encode(Digest.of(Array(text.utf8), .sha256)))\n"
    }

    /// Nil for anything but a whole manifest.
    init?(_ text: String) {
        guard let last = text.dropLast().lastIndex(of: "\n") else { return nil }
        let body = text[...last]
        let seal = text[text.index(after: last)...]
        guard seal == "sha256 \(Hex.encode(Digest.of(Array(body.utf8), .sha256)))\n" else { return nil }
        let lines = body.split(separator: "\n")
        guard lines.count >= 4, lines[0] == Self.mark else { return nil }
        let sizes = lines[1].split(separator: " ").dropFirst().compactMap { Int64($0) }
        guard sizes.count == 4, sizes[1] > 0, let parent = lines[2].split(separator: " ").last else { return nil }
        sizeBytes = sizes[0]
        chunkBytes = Int(sizes[1])
        objectCount = Int(sizes[2])
        keptBytes = sizes[3]
        self.parent = parent == "-" ? nil : VolumeBackupID(String(parent))
        holders = lines[3].split(separator: " ").dropFirst().map { VolumeBackupID(String($0)) }
        entries.reserveCapacity(lines.count - 4)
        for line in lines.dropFirst(4) {
            let words = line.split(separator: " ")
            if words.count == 2, words[0] == "z", let count = Int(words[1]) {
                entries.append(.zeros(count))
            } else if words.count == 5, words[0] == "c", let holder = Int(words[2]), let object = Int(words[3]),
                let offset = Int64(words[4]), holders.indices.contains(holder)
            {
                entries.append(
                    .chunk(Place(digest: String(words[1]), holder: holder, object: object, offset: offset)))
            } else {
                return nil
            }
        }
    }
}

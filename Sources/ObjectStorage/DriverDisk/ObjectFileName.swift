// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// The name of a file of an object: when it was written, and what it holds.
struct ObjectFileName: Sendable, Hashable {
    enum Kind: String, Sendable {
        /// Bytes and their record.
        case data
        /// A record alone: what a POST has set.
        case meta
        /// A tombstone.
        case deleted = "ts"
    }
    private static let digits = 16

    let time: WriteTime
    let kind: Kind

    init(_ time: WriteTime, _ kind: Kind) {
        self.time = time
        self.kind = kind
    }

    /// Nil: no file of this program's.
    init?(_ name: String) {
        guard let point = name.firstIndex(ofByte: "."), name[..<point].utf8.count >= Self.digits,
            name[..<point].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let ticks = Int64(name[..<point]), let kind = Kind(rawValue: String(name.text(after: point)))
        else { return nil }
        self.init(WriteTime(ticks: ticks), kind)
    }

    var text: String {
        let ticks = String(time.ticks)
        return String(repeating: "0", count: max(0, Self.digits - ticks.count)) + ticks + "." + kind.rawValue
    }
}

/// What the files of one object say together.
struct ObjectFiles: Sendable {
    /// The bytes that count, unless they were deleted.
    private(set) var data: ObjectFileName?
    /// The metadata that replaces theirs.
    private(set) var metadata: ObjectFileName?
    private(set) var tombstone: ObjectFileName?
    /// What later ones have replaced.
    private(set) var obsolete: [ObjectFileName] = []

    init(_ names: [String]) {
        let files = names.compactMap { ObjectFileName($0) }
        func newest(_ kind: ObjectFileName.Kind) -> ObjectFileName? {
            files.filter { $0.kind == kind }.max { $0.time < $1.time }
        }
        let (data, metadata, tombstone) = (newest(.data), newest(.meta), newest(.deleted))
        if let tombstone, data.map({ $0.time <= tombstone.time }) ?? true {
            self.tombstone = tombstone
        } else {
            self.data = data
        }
        guard let time = self.data?.time ?? self.tombstone?.time else { return }
        if self.data != nil, let metadata, metadata.time > time { self.metadata = metadata }
        let limit = self.metadata?.time ?? time
        obsolete = files.filter { file in
            switch file.kind {
            case .meta: file.time < limit || file.time == time
            // Of the same time the tombstone wins.
            case .data: file.time < time || (self.tombstone != nil && file.time == time)
            case .deleted: file.time < time
            }
        }
    }

    var state: ReplicaState {
        if let tombstone { return .deleted(tombstone.time) }
        if let data { return .present(data.time, metadata: metadata?.time) }
        return .absent
    }
}

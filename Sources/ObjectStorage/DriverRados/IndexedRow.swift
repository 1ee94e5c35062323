// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// A row of an index as the value of a key. Each is in the order of names, `o…` or, deleted, `d…`; and in the order in
/// which rows came, `s…`.
protocol IndexedRow: Sendable, Hashable, Codable {
    var name: String { get }
    var isDeleted: Bool { get }
    /// What it adds to the totals when it is listed.
    var totals: IndexTotals { get }
    /// The row that stays of two; nil: the old one, as it is.
    func merged(over old: Self?) -> Self?
    func write(_ json: inout JSONWriter)
    init?(_ name: String, _ json: JSON)
}

struct IndexTotals: Sendable, Hashable {
    var containers: Int64 = 0
    var objects: Int64 = 0
    var bytes: Int64 = 0
}

enum IndexKey {
    static let listed = UInt8(ascii: "o")
    static let deleted = UInt8(ascii: "d")
    static let sequence = UInt8(ascii: "s")

    static func row(_ name: String, isDeleted: Bool) -> [UInt8] {
        OmapKey.encode(name.utf8, isDeleted ? deleted : listed)
    }

    static func sequence(_ number: Int64) -> [UInt8] { [sequence] + Array(RadosNames.number(number).utf8) }
}

extension IndexedRow {
    func text(_ sequence: Int64) -> [UInt8] {
        JSONWriter.object(capacity: 160) { json in
            json.field("q", sequence)
            write(&json)
        }
    }

    /// Nil: the value is damaged.
    static func read(_ key: [UInt8], _ value: [UInt8]) -> (row: Self, sequence: Int64)? {
        guard let json = try? JSONReader.read(value),  // nil: damaged
            let sequence = json["q"]?.int,
            let row = Self(String(decoding: OmapKey.name(key), as: UTF8.self), json)
        else { return nil }
        return (row, sequence)
    }
}

extension ObjectRow: IndexedRow {
    var totals: IndexTotals { IndexTotals(objects: 1, bytes: sizeBytes) }

    /// The later one; of one time, the one that deletes.
    func merged(over old: ObjectRow?) -> ObjectRow? {
        guard let old else { return self }
        return time > old.time || (time == old.time && isDeleted && !old.isDeleted) ? self : nil
    }

    func write(_ json: inout JSONWriter) {
        json.field("t", time.ticks)
        if isDeleted { return json.field("x", true) }
        json.field("s", sizeBytes)
        json.field("c", contentType)
        json.field("e", etag)
    }

    init?(_ name: String, _ json: JSON) {
        guard let ticks = json["t"]?.int else { return nil }
        self.init(
            name: name, time: WriteTime(ticks: ticks), sizeBytes: json["s"]?.int ?? 0,
            contentType: json["c"]?.string ?? "", etag: json["e"]?.string ?? "", isDeleted: json["x"]?.bool ?? false)
    }
}

extension ContainerRow: IndexedRow {
    var totals: IndexTotals { IndexTotals(containers: 1, objects: objectCount, bytes: bytesUsed) }

    /// The later of each time, and the totals that were counted later.
    func merged(over old: ContainerRow?) -> ContainerRow? {
        var new = self
        let counted = totalsTime ?? putTime
        new.totalsTime = counted
        guard let old else { return new }
        let oldCounted = old.totalsTime ?? old.putTime
        if oldCounted > counted {
            (new.objectCount, new.bytesUsed, new.totalsTime) = (old.objectCount, old.bytesUsed, oldCounted)
        }
        if old.putTime >= putTime { new.policy = old.policy }
        new.putTime = max(old.putTime, putTime)
        new.deleteTime = [old.deleteTime, deleteTime].compactMap { $0 }.max()
        return new == old ? nil : new
    }

    func write(_ json: inout JSONWriter) {
        json.field("p", putTime.ticks)
        if let deleteTime { json.field("x", deleteTime.ticks) }
        json.field("o", objectCount)
        json.field("b", bytesUsed)
        json.field("y", policy)
        if let totalsTime { json.field("t", totalsTime.ticks) }
    }

    init?(_ name: String, _ json: JSON) {
        guard let put = json["p"]?.int else { return nil }
        self.init(
            name: name, putTime: WriteTime(ticks: put), deleteTime: json["x"]?.int.map(WriteTime.init(ticks:)),
            objectCount: json["o"]?.int ?? 0, bytesUsed: json["b"]?.int ?? 0, policy: Int(json["y"]?.int ?? 0),
            totalsTime: json["t"]?.int.map(WriteTime.init(ticks:)))
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// What an account or a container is, with its totals, in an attribute of the object whose keys are its rows.
struct StoredIndex: Sendable, Hashable {
    var record: IndexRecord
    /// Of the row that came last.
    var sequence: Int64 = 0
    /// Up to this key deleted rows were looked at for old ones.
    var reclaimed: [UInt8] = [IndexKey.deleted]

    /// Totals count rows, and there are none yet.
    init(_ record: IndexRecord) {
        self.record = record
        (self.record.objectCount, self.record.bytesUsed, self.record.containerCount) = (0, 0, 0)
    }

    mutating func add(_ totals: IndexTotals, times sign: Int64) {
        record.containerCount += sign * totals.containers
        record.objectCount += sign * totals.objects
        record.bytesUsed += sign * totals.bytes
    }

    // MARK: Changes

    /// Takes what is later of `other`, field by field. One that was deleted and is made anew takes its policy, too.
    mutating func merge(_ other: IndexRecord) {
        let put = max(record.putTime, other.putTime)
        if record.isDeleted, !other.isDeleted, other.putTime == put { record.policy = other.policy }
        record.createdTime = min(record.createdTime, other.createdTime)
        record.putTime = put
        if let time = other.deleteTime { delete(at: time) }
        // What was set before the deletion went with it.
        setHeaders(other.headers.filter { header in record.deleteTime.map { header.value.time > $0 } ?? true })
    }

    /// The later of two values of a name stays.
    mutating func setHeaders(_ headers: [String: IndexRecord.TimedValue]) {
        for (name, value) in headers where record.headers[name].map({ $0.time <= value.time }) ?? true {
            record.headers[name] = value
        }
    }

    mutating func delete(at time: WriteTime) {
        record.deleteTime = max(time, record.deleteTime ?? time)
        for (name, value) in record.headers where value.time <= time {
            record.headers[name] = IndexRecord.TimedValue("", time)
        }
    }

    /// Forgets headers that were removed long ago.
    mutating func reclaimHeaders(before time: WriteTime) {
        record.headers = record.headers.filter { !$0.value.value.isEmpty || $0.value.time >= time }
    }

    // MARK: As JSON. Keys are only ever added.

    func text() -> [UInt8] {
        JSONWriter.object { json in
            json.field("account", record.path.account)
            if let container = record.path.container { json.field("container", container) }
            json.field("created", record.createdTime.ticks)
            json.field("put", record.putTime.ticks)
            if let time = record.deleteTime { json.field("deleted", time.ticks) }
            json.field("objects", record.objectCount)
            json.field("bytes", record.bytesUsed)
            json.field("containers", record.containerCount)
            json.field("policy", record.policy)
            json.field("sequence", sequence)
            // Hexadecimal: a name may be cut where JSON could not.
            json.field("reclaimed", Hex.encode(reclaimed))
            json.object("headers") { json in
                for (name, value) in record.headers {
                    json.key(dynamic: name)
                    json.value(.array([.string(value.value), .int(value.time.ticks)]))
                }
            }
        }
    }

    /// Nil: no record.
    init?(_ text: [UInt8]) {
        guard let json = try? JSONReader.read(text),  // nil: damaged
            let account = json["account"]?.string, let created = json["created"]?.int, let put = json["put"]?.int
        else { return nil }
        record = IndexRecord(
            path: ObjectPath(account: account, container: json["container"]?.string), time: WriteTime(ticks: created),
            policy: Int(json["policy"]?.int ?? 0))
        record.putTime = WriteTime(ticks: put)
        record.deleteTime = json["deleted"]?.int.map(WriteTime.init(ticks:))
        record.objectCount = json["objects"]?.int ?? 0
        record.bytesUsed = json["bytes"]?.int ?? 0
        record.containerCount = json["containers"]?.int ?? 0
        sequence = json["sequence"]?.int ?? 0
        reclaimed = json["reclaimed"]?.string.flatMap { Hex.decode($0) } ?? [IndexKey.deleted]
        for (name, header) in json["headers"]?.object ?? [:] {
            guard let parts = header.array, parts.count == 2, let value = parts[0].string, let ticks = parts[1].int
            else { return nil }
            record.headers[name] = IndexRecord.TimedValue(value, WriteTime(ticks: ticks))
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// A record as JSON, as it stands in an object's files. Keys are only ever added.
enum ObjectRecordText {
    static func write(_ record: ObjectRecord) -> [UInt8] {
        JSONWriter.object(capacity: 1024) { json in
            json.field("account", record.path.account)
            if let container = record.path.container { json.field("container", container) }
            if let object = record.path.object { json.field("object", object) }
            json.field("time", record.time.ticks)
            if let time = record.metadataTime { json.field("metadataTime", time.ticks) }
            json.field("size", record.sizeBytes)
            json.field("etag", record.etag)
            json.field("type", record.contentType)
            json.field("headers", record.headers)
            json.field("system", record.system)
        }
    }

    /// Nil: no record.
    static func read(_ bytes: [UInt8]) -> ObjectRecord? {
        // What is not JSON is not a record; the checksum has said why already.
        guard let json = try? JSONReader.read(bytes), let account = json["account"]?.string,  // nil: damaged
            let time = json["time"]?.int, let size = json["size"]?.int, let etag = json["etag"]?.string,
            let type = json["type"]?.string
        else { return nil }
        let path = ObjectPath(
            account: account, container: json["container"]?.string, object: json["object"]?.string)
        var record = ObjectRecord(
            path: path, time: WriteTime(ticks: time), sizeBytes: size, etag: etag, contentType: type,
            headers: texts(json["headers"]), system: texts(json["system"]))
        record.metadataTime = json["metadataTime"]?.int.map(WriteTime.init(ticks:))
        return record
    }

    private static func texts(_ json: JSON?) -> [String: String] { json?.object?.compactMapValues(\.string) ?? [:] }
}

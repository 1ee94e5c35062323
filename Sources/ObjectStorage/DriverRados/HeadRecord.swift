// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// The bytes of one upload that are not in the head: objects of `Stripes.objectBytes` each.
struct StoredUpload: Sendable, Hashable {
    var id: String
    var stripes: Int
}

/// What an object's head says.
struct HeadRecord: Sendable {
    enum State: Sendable, Hashable {
        /// Only a mark that no former upload may be committed any more.
        case void
        case present(ObjectRecord)
        case deleted(WriteTime)
    }
    var path: ObjectPath
    var state: State
    /// Nil: the bytes, if any, are in the head.
    var upload: StoredUpload?
    /// When it became so, by the host's clock.
    var changedMicroseconds: Int64

    var record: ObjectRecord? { if case .present(let record) = state { record } else { nil } }

    var replica: ReplicaState {
        switch state {
        case .void: .absent
        case .present(let record): .present(record.time, metadata: record.metadataTime)
        case .deleted(let time): .deleted(time)
        }
    }

    // MARK: As JSON. Keys are only ever added.

    func text() -> [UInt8] {
        JSONWriter.object(capacity: 1024) { json in
            json.field("account", path.account)
            if let container = path.container { json.field("container", container) }
            if let object = path.object { json.field("object", object) }
            json.field("changed", changedMicroseconds)
            if let upload {
                json.field("upload", upload.id)
                json.field("stripes", upload.stripes)
            }
            switch state {
            case .void: break
            case .deleted(let time): json.field("deleted", time.ticks)
            case .present(let record):
                json.field("time", record.time.ticks)
                if let time = record.metadataTime { json.field("metadataTime", time.ticks) }
                json.field("size", record.sizeBytes)
                json.field("etag", record.etag)
                json.field("type", record.contentType)
                json.field("headers", record.headers)
                json.field("system", record.system)
            }
        }
    }

    /// Nil: no record.
    init?(_ text: [UInt8]) {
        guard let json = try? JSONReader.read(text),  // nil: damaged
            let account = json["account"]?.string, let changed = json["changed"]?.int
        else { return nil }
        path = ObjectPath(account: account, container: json["container"]?.string, object: json["object"]?.string)
        changedMicroseconds = changed
        upload = json["upload"]?.string.map { StoredUpload(id: $0, stripes: Int(json["stripes"]?.int ?? 0)) }
        state = .void
        if let ticks = json["deleted"]?.int { state = .deleted(WriteTime(ticks: ticks)) }
        if let ticks = json["time"]?.int {
            guard let size = json["size"]?.int, let etag = json["etag"]?.string, let type = json["type"]?.string else {
                return nil
            }
            var record = ObjectRecord(
                path: path, time: WriteTime(ticks: ticks), sizeBytes: size, etag: etag, contentType: type,
                headers: Self.texts(json["headers"]), system: Self.texts(json["system"]))
            record.metadataTime = json["metadataTime"]?.int.map(WriteTime.init(ticks:))
            state = .present(record)
        }
    }

    init(path: ObjectPath, state: State, upload: StoredUpload? = nil, changed: Timestamp) {
        self.path = path
        self.state = state
        self.upload = upload
        changedMicroseconds = changed.microseconds
    }

    private static func texts(_ json: JSON?) -> [String: String] { json?.object?.compactMapValues(\.string) ?? [:] }
}

extension ObjectRecord {
    /// Takes what a later POST has replaced.
    mutating func take(_ later: ObjectRecord) {
        metadataTime = later.metadataTime
        headers = later.headers
        contentType = later.contentType
        let prefix = "x-object-transient-"
        system = system.filter { !$0.key.utf8.starts(with: prefix.utf8) }
        system.merge(later.system.filter { $0.key.utf8.starts(with: prefix.utf8) }) { _, later in later }
    }
}

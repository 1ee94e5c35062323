// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// What a journal says of an upload: whose it is, so that its head can be asked whether it counts.
struct UploadEntry: Sendable, Hashable {
    var head: ObjectHead
    var upload: String
    /// Nil: not known, because it was never finished.
    var stripes: Int?

    var stripesOf: Stripes { Stripes(hash: head.hash, upload: upload) }

    func text() -> [UInt8] {
        JSONWriter.object { json in
            json.field("policy", head.policy)
            json.field("hash", head.hash)
            json.field("upload", upload)
            if let stripes { json.field("stripes", stripes) }
        }
    }

    init(head: ObjectHead, upload: String, stripes: Int? = nil) {
        self.head = head
        self.upload = upload
        self.stripes = stripes
    }

    init?(_ text: [UInt8]) {
        guard let json = try? JSONReader.read(text),  // nil: damaged
            let policy = json["policy"]?.int, let hash = json["hash"]?.string, let upload = json["upload"]?.string
        else { return nil }
        self.init(
            head: ObjectHead(policy: Int(policy), hash: hash), upload: upload,
            stripes: json["stripes"]?.int.map { Int($0) })
    }
}

/// Keys of a journal.
enum JournalKey {
    /// An upload that has begun.
    static let begun = "b."
    /// An upload that was replaced: from a time on its bytes may go.
    static let replaced = "r."
    /// An object whose row may not be in its container yet.
    static let changed = "c."

    static func begun(_ upload: String) -> [UInt8] { Array((begun + upload).utf8) }
    static func replaced(_ due: Timestamp, _ upload: String) -> [UInt8] {
        Array("\(replaced)\(RadosNames.number(due.microseconds)).\(upload)".utf8)
    }
    static func changed(_ time: Timestamp, _ head: ObjectHead) -> [UInt8] {
        Array(
            "\(changed)\(RadosNames.number(time.microseconds)).\(head.policy).\(head.hash).\(RadosNames.random())".utf8)
    }

    /// Time and head of an object that has changed.
    static func readChanged(_ key: [UInt8]) -> (time: Timestamp, head: ObjectHead)? {
        let parts = String(decoding: key, as: UTF8.self).split(separator: ".")
        guard parts.count == 5, let time = Int64(parts[1]), let policy = Int(parts[2]) else { return nil }
        return (Timestamp(microseconds: time), ObjectHead(policy: policy, hash: String(parts[3])))
    }
}

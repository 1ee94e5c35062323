// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import ObjectStorageContract

/// An object's head: `h.<policy>.<hash>`. Two attributes, the record and a mark that is another after each change; and
/// the bytes, where they are few. It is changed as a whole, on condition that the mark is the one that was read: so of
/// writers in any number of processes one is first, and the others read again.
///
/// Of an upload that was cut off before its object was ever there a head without a record's state stays, some hundred
/// bytes: if it went, the upload could still be committed.
struct ObjectHead: Sendable, Hashable {
    /// So many bytes are read with the record and written with it. More are in stripes.
    static let inlineBytes = 64 << 10
    static let recordName = "record"
    static let markName = "mark"
    static let attempts = 200

    var policy: Int
    var hash: String

    init(policy: Int, hash: String) {
        self.policy = policy
        self.hash = hash
    }

    init(_ location: StorageLocation) { self.init(policy: location.policy, hash: location.hash) }

    var name: String { "h.\(policy).\(hash)" }

    struct Found: Sendable {
        var record: HeadRecord
        var mark: [UInt8]
        var bytes: [UInt8]
    }

    /// Nil: there is none.
    func read(_ pool: RadosPool, withBytes: Bool = false) throws -> Found? {
        guard let found = try pool.read(name, bytes: withBytes ? Self.inlineBytes : 0) else { return nil }
        guard let text = found.attributes[Self.recordName], let mark = found.attributes[Self.markName],
            let record = HeadRecord(text)
        else { throw RadosFailure.away(cause: "\(name) has no record") }
        return Found(record: record, mark: mark, bytes: found.bytes)
    }

    enum Next: Sendable {
        case leave
        /// The bytes as they are, unless others are given.
        case write(HeadRecord, bytes: [UInt8]?)
        case remove
    }

    /// Reads, decides and changes, again and again until no other writer comes between. Blocks.
    func change(_ pool: RadosPool, _ decide: (Found?) throws -> Next) throws {
        for attempt in 0..<Self.attempts {
            let old = try read(pool)
            if try write(pool, try decide(old), over: old) { return }
            RadosPause.take(attempt)
        }
        throw RadosFailure.away(cause: "\(name) does not stand still")
    }
}

extension ObjectHead {
    /// False: it is no longer as it was read. Throws `UncertainChange` when nobody knows whether it was changed.
    /// Blocks.
    func write(_ pool: RadosPool, _ next: Next, over old: Found?) throws -> Bool {
        var change = RadosWrite()
        change.condition = old.map { .attribute(Self.markName, $0.mark) } ?? .absent
        switch next {
        case .leave: return true
        case .remove:
            guard old != nil else { return true }
            change.removesObject = true
        case .write(let record, let bytes):
            change.attributes = [(Self.recordName, record.text()), (Self.markName, Array(RadosNames.random().utf8))]
            change.bytes = bytes
        }
        do {
            return try pool.attempt(name, change)
        } catch let error as RadosError {
            throw UncertainChange(cause: error)
        }
    }
}

/// The answer to a change was lost: it may have happened.
struct UncertainChange: Error {
    var cause: RadosError
}

enum RadosPause {
    /// Others were first: makes way for a moment, longer each time.
    static func time(_ attempt: Int) -> Duration {
        .microseconds(Int64.random(in: 200...(1_000 + 500 * Int64(min(attempt, 40)))))
    }

    /// Blocks.
    static func take(_ attempt: Int) {
        usleep(UInt32(clamping: time(attempt).components.attoseconds / 1_000_000_000_000))
    }
}

enum RadosNames {
    static func random() -> String {
        let text = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - text.utf8.count) + text
    }

    /// Of fixed width, so that keys sort as numbers do.
    static func number(_ value: Int64, digits: Int = 20) -> String {
        let text = String(max(0, value))
        return String(repeating: "0", count: max(0, digits - text.utf8.count)) + text
    }
}

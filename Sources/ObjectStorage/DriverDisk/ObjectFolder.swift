// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import LogKit
import ObjectStorageContract
import SecurityKit

/// An object's bytes, open, and what is written beside them.
struct FoundObject: ~Copyable {
    let descriptor: OwnedDescriptor
    let record: ObjectRecord
}

/// The files of one object on a device. Its calls block.
struct ObjectFolder: Sendable {
    /// Files come and go while one looks: each round sees a later state.
    private static let roundLimit = 20
    private static let log = Logger("object-storage")

    let path: String
    let policy: Int
    let layout: DiskLayout

    init(_ location: StorageLocation, _ layout: DiskLayout) throws {
        path = try layout.object(location)
        policy = location.policy
        self.layout = layout
    }

    init(path: String, policy: Int, layout: DiskLayout) {
        self.path = path
        self.policy = policy
        self.layout = layout
    }

    /// What is there by the names of the files.
    func files() throws -> ObjectFiles { ObjectFiles(try layout.names(in: path) ?? []) }

    /// The bytes that count, open, and their record. Nil: not there, or deleted. What is damaged is put aside.
    func open(expecting object: ObjectPath? = nil) throws -> FoundObject? {
        for _ in 1...Self.roundLimit {
            let files = try files()
            guard let data = files.data else { return nil }
            guard let descriptor = try descriptor(data) else { continue }
            guard var record = try checked(descriptor.number, data, object) else { continue }
            if let name = files.metadata {
                guard let file = try self.descriptor(name) else { continue }
                guard let later = try checked(file.number, name, object) else { continue }
                record.take(later)
            }
            return FoundObject(descriptor: descriptor, record: record)
        }
        throw DiskFailure.away(cause: "the files of \(path) do not stand still")
    }

    /// The path and the time of the tombstone. Nil: there is none.
    func tombstone() throws -> (path: ObjectPath, time: WriteTime)? {
        for _ in 1...Self.roundLimit {
            guard let name = try files().tombstone else { return nil }
            guard let descriptor = try descriptor(name) else { continue }
            guard let record = try checked(descriptor.number, name, nil) else { continue }
            return (record.path, record.time)
        }
        throw DiskFailure.away(cause: "the files of \(path) do not stand still")
    }

    /// Removes what later files have replaced.
    func removeObsolete() throws {
        for name in try files().obsolete { try remove(name) }
    }

    /// Removes the files that are there now, by their names: what comes meanwhile stays.
    func removeAll(ifStill state: ReplicaState?) throws {
        let names = try layout.names(in: path) ?? []
        if let state, ObjectFiles(names).state != state { return }
        for name in names.compactMap({ ObjectFileName($0) }) { try remove(name) }
        layout.prune(path, .objects(policy: policy))
    }

    /// Whether the bytes have the checksum that the record says. Nil: nothing is there. What is damaged is put aside.
    func verify() throws -> (record: ObjectRecord, isWhole: Bool)? {
        guard let found = try open() else { return nil }
        let record = found.record
        let isWhole = try isWhole(found)
        if !isWhole { try putAside(ObjectFileName(record.time, .data), "checksum") }
        return (record, isWhole)
    }

    /// Reads all bytes.
    func isWhole(_ found: borrowing FoundObject) throws -> Bool {
        do throws(SystemError) {
            let digest = try Self.digest(found.descriptor.number, found.record.sizeBytes, path)
            return digest == found.record.etag
        } catch {
            // The disk cannot read what it has written.
            guard error.code == EIO else { throw error }
            return false
        }
    }

    /// Keeps a file for the operator, where nobody is served from it.
    func putAside(_ name: ObjectFileName, _ reason: String) throws {
        let target = try layout.newQuarantine(of: path, .objects(policy: policy))
        guard rename("\(path)/\(name.text)", "\(target).\(name.text)") == 0 || errno == ENOENT else {
            throw SystemError("rename", target)
        }
        DiskMetrics.quarantined.add()
        Self.log.error("object put aside", ["file": "\(path)/\(name.text)", "to": target, "reason": reason])
    }

    private func remove(_ name: ObjectFileName) throws(SystemError) {
        guard unlink("\(path)/\(name.text)") == 0 || errno == ENOENT else { throw SystemError("unlink", path) }
    }

    /// Nil: it has gone meanwhile.
    private func descriptor(_ name: ObjectFileName) throws(SystemError) -> OwnedDescriptor? {
        let number = Glibc.open("\(path)/\(name.text)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        if number >= 0 { return OwnedDescriptor(number) }
        if errno == ENOENT { return nil }
        throw SystemError("open", "\(path)/\(name.text)")
    }

    /// The file's record. Nil: it is damaged and was put aside.
    private func checked(_ descriptor: Int32, _ name: ObjectFileName, _ object: ObjectPath?) throws -> ObjectRecord? {
        guard let record = try ObjectTrailer.read(descriptor, "\(path)/\(name.text)") else {
            try putAside(name, "record")
            return nil
        }
        let time = name.kind == .meta ? record.metadataTime : record.time
        let isOther = object.map { !$0.description.utf8.elementsEqual(record.path.description.utf8) } ?? false
        guard time == name.time, !isOther else {
            try putAside(name, "another object's")
            return nil
        }
        return record
    }

    private static func digest(_ descriptor: Int32, _ count: Int64, _ path: String) throws(SystemError) -> String {
        var digest = Digest(.md5)
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        var done: Int64 = 0
        while done < count {
            let got = pread(descriptor, &buffer, Int(min(Int64(buffer.count), count - done)), off_t(done))
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw SystemError("pread", path) }
            if got == 0 { break }
            digest.update(buffer[..<got])
            done += Int64(got)
        }
        return digest.hex()
    }
}

extension ObjectRecord {
    /// What features keep for the bytes stays with them; what is of the metadata goes with it.
    private static let transientPrefix = "x-object-transient-"

    /// Takes what a later POST has replaced.
    fileprivate mutating func take(_ later: ObjectRecord) {
        metadataTime = later.metadataTime
        headers = later.headers
        contentType = later.contentType
        system = system.filter { !$0.key.hasBytePrefix(Self.transientPrefix) }
        for (name, value) in later.system where name.hasBytePrefix(Self.transientPrefix) { system[name] = value }
    }
}

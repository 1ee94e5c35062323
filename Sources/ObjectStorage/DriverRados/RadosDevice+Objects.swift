// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

extension RadosDevice {
    package func beginObject(_ location: StorageLocation, expecting sizeBytes: Int64?) async throws -> any ObjectSink {
        try await requireSpace(sizeBytes ?? 0)
        return RadosObjectSink(location, self)
    }

    package func openObject(_ location: StorageLocation) async throws -> (any OpenObject)? {
        let head = ObjectHead(location)
        let found = try await cluster.read { try head.read($0, withBytes: true) }
        guard let found, let record = found.record.record else { return nil }
        return RadosOpenObject(
            record: record, cluster: cluster, inline: found.bytes,
            stripes: found.record.upload.map { Stripes(hash: location.hash, upload: $0.id) })
    }

    package func replica(_ location: StorageLocation) async throws -> ReplicaState {
        let head = ObjectHead(location)
        return try await cluster.read { try head.read($0)?.record.replica ?? .absent }
    }

    package func setHeaders(_ location: StorageLocation, _ record: ObjectRecord) async throws -> Bool {
        guard let time = record.metadataTime else { throw RadosFailure.bug("headers without a time") }
        return try await changeHead(location, rowTime: time) { found in
            guard var old = found?.record, var current = old.record else { return (.leave, false) }
            guard time > current.modified else { return (.leave, true) }
            current.take(record)
            old.state = .present(current)
            old.changedMicroseconds = self.options.clock.now().microseconds
            return (.write(old, bytes: nil), true)
        }
    }

    package func deleteObject(_ location: StorageLocation, at time: WriteTime) async throws {
        _ = try await changeHead(location, rowTime: time) { found in
            switch found?.record.state {
            case .present(let record) where record.time > time: return (.leave, false)
            case .deleted(let deleted) where deleted >= time: return (.leave, false)
            default:
                let record = HeadRecord(
                    path: location.path, state: .deleted(time), changed: self.options.clock.now())
                return (.write(record, bytes: []), true)
            }
        }
    }

    /// Changes an object's head. Before it changes, it is written down that its row may be missing from now on, and
    /// which bytes nobody names any more.
    ///
    /// `journalID`: where the upload is written down that `decide` names; when another process has taken that over, the
    /// upload is not committed. Returns the second of what `decide` returned last.
    func changeHead<T: Sendable>(
        _ location: StorageLocation, rowTime: WriteTime?, in journalID: String? = nil,
        _ decide: @escaping @Sendable (ObjectHead.Found?) throws -> (ObjectHead.Next, T)
    ) async throws -> T {
        let head = ObjectHead(location)
        for attempt in 0..<ObjectHead.attempts {
            let now = options.clock.now()
            let row = rowTime.map { UploadJournal.Row(path: location.path, time: $0, since: now, head: head) }
            // Of an upload the journal is written after the head was read: see `UploadJournal`. Else any order will do.
            async let isNoted: Void = journalID == nil ? note(row) : ()
            let old = try await cluster.run { try head.read($0) }
            let (next, answer) = try decide(old)
            if case .leave = next {
                try await isNoted
                if let row { journal.drop(row) }
                return answer
            }
            async let isFindable: Void = makeFindable(location, old)
            var change = UploadJournal.Change()
            change.journal = journalID
            if let upload = old?.record.upload, !next.keeps(upload) {
                let entry = UploadEntry(head: head, upload: upload.id, stripes: upload.stripes)
                change.values[JournalKey.replaced(now + journal.keepReplaced, upload.id)] = entry.text()
            }
            if journalID != nil {
                try await note(row, with: change)
            } else if !change.values.isEmpty {
                try await journal.write(change)
            }
            _ = try await (isNoted, isFindable)
            if try await cluster.run({ try head.write($0, next, over: old) }) { return answer }
            if let row { journal.drop(row) }
            try await Task.sleep(for: RadosPause.time(attempt))
        }
        throw RadosFailure.away(cause: "\(head.name) does not stand still")
    }

    private func note(_ row: UploadJournal.Row?, with change: UploadJournal.Change = .init()) async throws {
        var change = change
        if let row {
            change.values[row.key] = []
            journal.expect(row)
        }
        if row != nil || change.journal != nil { try await journal.write(change) }
    }

    /// A new head is listed in its partition before it is made.
    private func makeFindable(_ location: StorageLocation, _ old: ObjectHead.Found?) async throws {
        guard old.map({ $0.record.state == .void }) ?? true else { return }
        let place = PartitionRegistry.Place(.objects(policy: location.policy), location.partition)
        try await cluster.run { try PartitionRegistry(pool: $0).add(place, location.hash) }
    }
}

extension ObjectHead.Next {
    /// Whether the head names the upload afterwards.
    fileprivate func keeps(_ upload: StoredUpload) -> Bool {
        if case .write(let record, _) = self { record.upload == upload } else { false }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import Synchronization

/// One object on its way to Ceph. Few bytes wait here and go with the head; more go to stripes as they come, some
/// pieces at once, and the head names them in the end.
final class RadosObjectSink: ObjectSink {
    private enum Phase { case open, failed, committed, aborted, uncertain }
    private struct State {
        /// What is not on its way yet; of many bytes less than a piece.
        var pending: [UInt8] = []
        var sentBytes: Int64 = 0
        var takenBytes: Int64 = 0
        var phase = Phase.open
        /// Nil: all bytes are here.
        var journal: String?
        var writes: [RadosPending] = []
    }

    private let location: StorageLocation
    private let device: RadosDevice
    private let stripes: Stripes
    private let state = Mutex(State())

    init(_ location: StorageLocation, _ device: RadosDevice) {
        self.location = location
        self.device = device
        stripes = Stripes(hash: location.hash, upload: RadosNames.random())
    }

    private var entry: UploadEntry { UploadEntry(head: ObjectHead(location), upload: stripes.upload) }

    /// Whoever drops it without a word leaves nothing.
    deinit {
        let (phase, hasStripes) = state.withLock { ($0.phase, $0.journal != nil) }
        guard hasStripes, phase == .open || phase == .failed else { return }
        let (writes, entry, journal) = (state.withLock { $0.writes }, entry, device.journal)
        let isStarted = device.cluster.start { pool in
            for write in writes { try? write.finish() }  // it is removed, whether it was written or not
            Self.remove(entry, journal, pool)
        }
        if !isStarted { journal.state.withLock { $0.uncertain.append(entry) } }
    }

    func write(_ bytes: [UInt8]) async throws {
        let needsJournal = try state.withLock { state in
            guard state.phase == .open else { throw Self.ended(state.phase) }
            state.takenBytes += Int64(bytes.count)
            state.pending += bytes
            return state.journal == nil && state.pending.count > ObjectHead.inlineBytes
        }
        do {
            if needsJournal { try await begin() }
            try await flush(all: false)
        } catch {
            // A piece is missing now.
            state.withLock { $0.phase = .failed }
            throw error
        }
    }

    /// Written down before the first stripe is: so it can be found, whatever happens.
    private func begin() async throws {
        var change = UploadJournal.Change()
        change.values[JournalKey.begun(stripes.upload)] = entry.text()
        let journal = try await device.journal.write(change)
        state.withLock { $0.journal = journal }
    }

    private func flush(all: Bool) async throws {
        let isDue = state.withLock { state in
            state.journal != nil && (state.pending.count >= Stripes.pieceBytes || all)
        }
        guard isDue else { return }
        try await device.cluster.run { [self] pool in try send(pool, all: all) }
    }

    /// One caller at a time. Blocks while too many pieces are on their way.
    private func send(_ pool: RadosPool, all: Bool) throws {
        var (pending, offset, writes) = state.withLock { state in
            defer { (state.pending, state.writes) = ([], []) }
            return (state.pending[...], state.sentBytes, state.writes)
        }
        // Whatever happens, what is on its way is known to whoever ends this.
        defer {
            let (rest, sent, left) = (Array(pending), offset, writes)
            state.withLock { ($0.pending, $0.sentBytes, $0.writes) = (rest, sent, left) }
        }
        while pending.count >= Stripes.pieceBytes || (all && !pending.isEmpty) {
            if writes.count >= Stripes.depth { try writes.removeFirst().finish() }
            let (number, start) = offset.quotientAndRemainder(dividingBy: Stripes.objectBytes)
            let count = min(Int64(Stripes.pieceBytes), Int64(pending.count), Stripes.objectBytes - start)
            writes.append(try pool.start(stripes.name(Int(number)), pending.prefix(Int(count)), at: start))
            pending = pending.dropFirst(Int(count))
            offset += count
        }
        guard all else { return }
        while !writes.isEmpty { try writes.removeFirst().finish() }
    }

    func commit(_ record: ObjectRecord) async throws {
        let isDone = try state.withLock { state in
            if state.phase == .committed { return true }
            guard state.phase == .open else { throw Self.ended(state.phase) }
            guard state.takenBytes == record.sizeBytes else {
                throw RadosFailure.bug("record of \(record.sizeBytes) bytes for \(state.takenBytes)")
            }
            state.phase = .failed
            return false
        }
        if isDone { return }
        let start = ContinuousClock.now
        try await flush(all: true)
        let (journal, inline) = state.withLock { ($0.journal, $0.journal == nil ? $0.pending : []) }
        let upload = journal.map { _ in
            StoredUpload(id: stripes.upload, stripes: Stripes.count(record.sizeBytes))
        }
        do {
            try await commit(record, upload, inline, journal)
        } catch let error as CloudError where error.code == .bug {
            throw error
        } catch {
            guard journal != nil else { throw error }
            // The head may name the stripes, or come to: that is found out later.
            state.withLock { $0.phase = .uncertain }
            device.journal.state.withLock { $0.uncertain.append(entry) }
            throw error
        }
        state.withLock { $0.phase = .committed }
        RadosMetrics.commits.add()
        RadosMetrics.commitTime.observe(ContinuousClock.now - start)
    }

    private func commit(
        _ record: ObjectRecord, _ upload: StoredUpload?, _ inline: [UInt8], _ journal: String?
    ) async throws {
        let (clock, location) = (device.options.clock, location)
        let isNamed = try await device.changeHead(location, rowTime: record.modified, in: journal) { found in
            var record = record
            switch found?.record.state {
            case .deleted(let time) where time >= record.time: return (.leave, false)
            case .present(let old) where old.time > record.time: return (.leave, false)
            case .present(let old):
                // Headers that were set later stay with the bytes they are of.
                if let time = old.metadataTime, time > record.modified { record.take(old) }
            default: break
            }
            let head = HeadRecord(
                path: location.path, state: .present(record), upload: upload, changed: clock.now())
            return (.write(head, bytes: inline), true)
        }
        guard upload != nil else { return }
        if isNamed {
            device.journal.isDone([JournalKey.begun(stripes.upload)])
        } else {
            // A later write was first.
            let (entry, journal) = (entry, device.journal)
            try await device.cluster.run { Self.remove(entry, journal, $0) }
        }
    }

    func abort() async {
        let (writes, isDue) = state.withLock { state in
            let isDue = state.journal != nil && (state.phase == .open || state.phase == .failed)
            if state.phase == .open || state.phase == .failed { state.phase = .aborted }
            defer { (state.pending, state.writes) = ([], []) }
            return (state.writes, isDue)
        }
        guard isDue else { return }
        let (entry, journal) = (entry, device.journal)
        await shielded { [device] in
            do {
                try await device.cluster.run { pool in
                    for write in writes { try? write.finish() }  // it is removed, whether it was written or not
                    Self.remove(entry, journal, pool)
                }
            } catch {
                journal.state.withLock { $0.uncertain.append(entry) }
            }
        }
    }

    /// Of an upload that nobody will commit. What cannot be removed now is removed by a sweep. Blocks.
    private static func remove(_ entry: UploadEntry, _ journal: UploadJournal, _ pool: RadosPool) {
        do {
            try entry.stripesOf.removeAll(pool)
            journal.isDone([JournalKey.begun(entry.upload)])
        } catch {
            journal.state.withLock { $0.uncertain.append(entry) }
            journal.log.warning("an upload is removed later", ["upload": entry.upload, "error": "\(error)"])
        }
    }

    private static func ended(_ phase: Phase) -> CloudError {
        RadosFailure.bug("object sink used when \(phase)")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import ObjectStorageContract

/// Removes bytes that no head names: what was replaced long ago, and what processes left that ended. Everything here
/// may be cut off and run again. Blocks.
struct JournalSweep {
    let journal: UploadJournal
    let pool: RadosPool

    func run() throws {
        journal.forgetOldRows()
        try settleUncertain()
        if let own = journal.state.withLock({ $0.own }) { try removeReplaced(own) }
        try journal.adopt(pool)
        for id in journal.state.withLock({ Array($0.adopted.keys) }) { try sweep(id) }
    }

    private func sweep(_ id: String) throws {
        do {
            try journal.forEach(JournalKey.begun, in: id, pool) { entry in
                // Whoever finds it again goes on where this one was cut off.
                guard let upload = UploadEntry(entry.value) else { return [entry.key] }
                try removeUnlessCommitted(upload)
                return [entry.key]
            }
            try removeReplaced(id)
            guard journal.state.withLock({ $0.adopted[id] ?? nil }) == nil else { return }
            if try journal.removeIfEmpty(id, pool) { journal.state.withLock { $0.adopted[id] = nil } }
        } catch let error as RadosError where error.isConflict {
            // Another process has taken it over: it is that one's work now.
            journal.state.withLock { $0.adopted[id] = nil }
        }
    }

    private func settleUncertain() throws {
        while let upload = journal.state.withLock({ $0.uncertain.first }) {
            try removeUnlessCommitted(upload)
            journal.state.withLock { $0.uncertain.removeAll { $0 == upload } }
            journal.isDone([JournalKey.begun(upload.upload)])
        }
    }

    /// Its writer may still be about to commit: the head's new mark stops it. See `UploadJournal`.
    private func removeUnlessCommitted(_ upload: UploadEntry) throws {
        var isCommitted = false
        try upload.head.change(pool) { found in
            isCommitted = found?.record.upload?.id == upload.upload
            if isCommitted { return .leave }
            let none = HeadRecord(path: ObjectPath(account: ""), state: .void, changed: journal.clock.now())
            return .write(found?.record ?? none, bytes: nil)
        }
        guard !isCommitted else { return }
        try upload.stripesOf.removeAll(pool)
        RadosMetrics.swept.add()
        journal.log.info("bytes of an upload that was cut off were removed", ["upload": upload.upload])
    }

    private func removeReplaced(_ id: String) throws {
        let now = Array(RadosNames.number(journal.clock.now().microseconds).utf8)
        try journal.forEach(JournalKey.replaced, in: id, pool) { entry in
            let time = entry.key.dropFirst(JournalKey.replaced.utf8.count).prefix(now.count)
            guard time.lexicographicallyPrecedes(now) else { return nil }
            if let upload = UploadEntry(entry.value),
                try upload.head.read(pool)?.record.upload?.id != upload.upload
            {
                if let stripes = upload.stripes {
                    try upload.stripesOf.remove(pool, count: stripes)
                } else {
                    try upload.stripesOf.removeAll(pool)
                }
            }
            return [entry.key]
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import TaskKit

/// Ends statuses of backups, groups and group snapshots whose run is gone, and removes what has expired: messages,
/// history of transfers, fragments of backups, files on their way that no run needs.
package struct BackupReconciler: Reconciler {
    package let name = "volume-backups"
    package let interval = Duration.seconds(60)
    /// A status that nobody holds is left alone for so long: its run may be about to say how it ended.
    private static let grace = Duration.seconds(60)
    private static let transferHistory = Duration.seconds(30 * 86_400)
    private let parts: BlockStorageParts
    private let sagas: SagaRunner

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    package func reconcile() async throws -> Int {
        var repairs = try await endBackups()
        repairs += try await endGroups()
        repairs += try await endGroupSnapshots()
        try await purge()
        return repairs + (try await sweep()) + (try await sweepScratch())
    }

    private func endBackups() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        var count = 0
        for backup in try await parts.database.read({ try stores.backups.transitional(before: now - Self.grace, $0) }) {
            guard try await sagas.hasNoRun(backup.sagaRun) else { continue }
            let status: VolumeBackupStatus = backup.status == .restoring ? .available : .error
            try await parts.database.write { transaction in
                guard let present = try stores.backups.backup(backup.id, transaction),
                    present.status == backup.status, present.sagaRun == backup.sagaRun
                else { return }
                try stores.backups.setStatus(backup.id, status, run: nil, at: now, transaction)
            }
            count += 1
        }
        return count
    }

    private func endGroups() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        var count = 0
        for group in try await parts.database.read({ try stores.groups.transitional(before: now - Self.grace, $0) }) {
            guard try await sagas.hasNoRun(group.sagaRun) else { continue }
            try await parts.database.write { transaction in
                guard let present = try stores.groups.group(group.id, transaction), present.status == group.status,
                    present.sagaRun == group.sagaRun
                else { return }
                let status: VolumeGroupStatus = group.status == .updating ? .available : .error
                try stores.groups.setStatus(group.id, status, run: nil, at: now, transaction)
            }
            count += 1
        }
        return count
    }

    private func endGroupSnapshots() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        let limit = now - Self.grace
        let rows = try await parts.database.read { try stores.groupSnapshots.transitional(before: limit, $0) }
        var count = 0
        for row in rows {
            guard try await sagas.hasNoRun(row.sagaRun) else { continue }
            try await parts.database.write { transaction in
                guard let present = try stores.groupSnapshots.snapshot(row.id, transaction),
                    present.status == row.status, present.sagaRun == row.sagaRun
                else { return }
                try stores.groupSnapshots.setStatus(row.id, .error, run: nil, at: now, transaction)
            }
            count += 1
        }
        return count
    }

    /// What expires is no repair. Reads first: a cloud that has nothing to do writes nothing.
    private func purge() async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        let limit = now - Self.transferHistory
        let isNeeded = try await parts.database.read { transaction in
            try stores.messages.hasExpired(at: now, transaction)
                || stores.transfers.isPurgeable(before: limit, transaction)
        }
        guard isNeeded else { return }
        try await parts.database.write { transaction in
            _ = try stores.messages.purge(at: now, transaction)
            _ = try stores.transfers.purge(before: limit, transaction)
        }
    }

    private func sweep() async throws -> Int {
        let stores = parts.stores
        var count = 0
        let fragments: [VolumeBackupID]
        do {
            fragments = try await parts.backupStore.fragments(olderThan: parts.config.sweepAge)
        } catch let error as CloudError where error.code == .unavailable {
            // Whoever watches the store tells of it.
            return 0
        }
        for id in fragments {
            let holders = try await parts.database.read { try stores.backups.holders(ofData: id, $0) }
            guard !holders.contains(where: { $0.status == .creating || $0.status == .deleting }) else { continue }
            try await parts.backupStore.remove(id)
            parts.log.warning("fragment of a backup removed", ["backup": id])
            count += 1
        }
        return count
    }

    private func sweepScratch() async throws -> Int {
        let sagas = sagas
        let removed = try await ScratchFiles.sweep(parts.config, olderThan: parts.config.sweepAge) {
            try await sagas.hasNoRun($0)
        }
        for name in removed { parts.log.warning("file of an ended run removed", ["name": name]) }
        return removed.count
    }
}

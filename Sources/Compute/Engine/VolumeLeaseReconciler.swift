// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import LogKit
import TaskKit

/// Ends leases of volumes that no run cares for any more: of servers that ended while their host was away, and of runs
/// that died halfway.
///
/// A volume that a host may have open is never given back on a guess. Its host must say that it closed the volume, or be
/// lost: an administrator has fenced it and said so (`forced_down` of its service), or removed its service.
struct VolumeLeaseReconciler: Sendable {
    /// A row that a run changed so shortly before is left to it.
    private static let patience = Duration.seconds(120)

    let parts: ComputeParts
    let sagas: SagaRunner

    func reconcile() async throws -> Int { try await adopt() + revoke() + release() }

    /// Rows in the middle of something that no run does.
    private func adopt() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        let limit = now - Self.patience
        let (unsettled, orphaned) = try await parts.database.read { transaction in
            (
                try stores.blockDevices.unsettled(since: limit, transaction),
                try stores.blockDevices.leftBehind(transaction)
            )
        }
        var adopted = 0
        for device in unsettled + orphaned where device.state != .releasing {
            guard try await sagas.hasNoRun(device.sagaRun) else { continue }
            // A volume that was made for a server that never was goes with it.
            let deletes: Bool? = device.state == .reserving && device.isMade ? true : nil
            try await parts.database.write {
                try stores.blockDevices.abandon(device.id, deletesVolume: deletes, at: now, $0)
            }
            parts.log.warning(
                "volume without a run", ["server": device.server, "volume": device.volume?.rawValue ?? ""])
            adopted += 1
        }
        return adopted
    }

    /// Volumes that are attached here, while Block Storage knows no lease: the server gives them back.
    private func revoke() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        let limit = now - Self.patience
        let devices = try await parts.database.read { try stores.blockDevices.attached(before: limit, $0) }
        guard !devices.isEmpty else { return 0 }
        let known = try await parts.volumes.leases(among: devices.compactMap(\.attachment))
        var revoked = 0
        for device in devices {
            guard let attachment = device.attachment, !known.contains(attachment) else { continue }
            let fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [
                "server": device.server, "volume": device.volume?.rawValue ?? "",
            ]
            // A guest cannot lose the disk that it runs from.
            guard !device.isRoot else {
                parts.log.error("root volume without a lease", fields)
                continue
            }
            try await parts.database.write { try stores.blockDevices.abandon(device.id, at: now, $0) }
            parts.log.warning("volume without a lease", fields)
            revoked += 1
        }
        return revoked
    }

    private func release() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        var released = 0
        for device in try await parts.database.read({ try stores.blockDevices.unsettled(since: now, $0) })
        where device.state == .releasing {
            do {
                guard try await isClosed(device) else { continue }
                let fate = try await parts.database.read { try stores.servers.fates(of: [device.server], $0)[0] }
                let goesToo = device.deletesOnTermination && (fate.isDeleted || fate.isUnknown || device.isMade)
                try await VolumeLeases(parts).release(device, deletesVolume: goesToo)
                parts.log.warning(
                    "volume released", ["server": device.server, "volume": device.volume?.rawValue ?? ""])
                released += 1
            } catch let error as CloudError {
                // The others come first; this one stays noted.
                parts.log.error(
                    "volume not released",
                    ["server": device.server, "volume": device.volume?.rawValue ?? "", "error": error])
            }
        }
        return released
    }

    /// Whether no host has it open, after asking the one that might to close it.
    private func isClosed(_ device: ServerBlockDevice) async throws -> Bool {
        guard let host = device.host, let volume = device.volume else { return true }
        switch try await parts.reach(host) {
        case .lost: break
        case .silent: return false
        case .up:
            let stores = parts.stores
            let fate = try await parts.database.read { try stores.servers.fates(of: [device.server], $0)[0] }
            if fate.isDeleted || fate.isUnknown || (!fate.hasRun && fate.host != host) {
                _ = try await parts.call(
                    host, DestroyGuest(server: device.server), timeout: parts.config.powerTimeout)
            } else {
                _ = try await parts.call(
                    host, DetachVolume(server: device.server, volume: volume), timeout: parts.config.detachTimeout)
            }
        }
        let (stores, id) = (parts.stores, device.id)
        try await parts.database.write { try stores.blockDevices.setHost(id, nil, $0) }
        return true
    }
}

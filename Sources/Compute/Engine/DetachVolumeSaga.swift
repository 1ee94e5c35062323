// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import LogKit
import TaskKit

/// Takes a volume from a server. The lease ends only after the host has said that the hypervisor closed the volume, or
/// after the host was fenced; a guest that does not let go keeps the volume, and so does the row.
package enum DetachVolumeSaga: Saga {
    package static let name: StaticString = "server.detach-volume"
    /// A host that is away may come back, or be fenced, within this time.
    package static let deadline = Duration.seconds(3600)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.detachTimeout * detachAttempts }
    private static let hostRetryInterval = Duration.seconds(5)
    /// How often a host that reports, but does not answer this, is asked.
    private static let detachAttempts = 6

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var device: BlockDeviceID
        package var host: String?
        /// The host has closed the volume: there is no way back.
        package var isUnplugged: Bool?
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("unplug", run: unplug, undo: keep),
        SagaStep("release", run: release, undo: leave),
    ]

    private static func unplug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.device, SagaRun.id)
        guard let device = try await parts.database.read({ try stores.blockDevices.device(id, $0) }),
            device.sagaRun == run, let volume = device.volume
        else {
            // A deletion of the server has taken it.
            return
        }
        if let host = ledger.host {
            switch try await parts.reach(host) {
            case .up: try await ask(host, ledger.server, volume, parts)
            case .silent:
                throw SagaRetry(
                    after: hostRetryInterval,
                    because: CloudError(
                        .unavailable, "The host of this server did not answer; the volume is still attached.",
                        cause: "host \(host) is silent"))
            case .lost: break
            }
        }
        ledger.isUnplugged = true
        try await parts.database.write { try stores.blockDevices.setHost(id, nil, $0) }
    }

    /// Asks again when the answer is lost: the host may have closed the volume all the same.
    private static func ask(
        _ host: String, _ server: ServerID, _ volume: VolumeID, _ parts: ComputeParts
    ) async throws {
        do {
            _ = try await parts.call(
                host, DetachVolume(server: server, volume: volume), timeout: parts.config.detachTimeout)
        } catch let error as CloudError where error.code == .unavailable {
            guard (SagaRun.current?.attempt ?? 0) + 1 < detachAttempts else { throw error }
            throw SagaRetry(after: hostRetryInterval, because: error)
        }
    }

    /// The guest still has it. After the point of no return the reconciler ends the lease.
    private static func keep(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        guard ledger.isUnplugged != true else { return try await leave(&ledger, parts) }
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        let device = try await parts.database.read { try stores.blockDevices.device(id, $0) }
        guard let device, device.sagaRun == run, let attachment = device.attachment else { return }
        try await parts.volumes.abortDetaching(attachment)
        try await parts.database.write {
            _ = try stores.blockDevices.move(
                id, from: .detaching, heldBy: run, to: .attached, holder: nil, at: now, $0)
        }
    }

    private static func release(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        let device = try await parts.database.read { try stores.blockDevices.device(id, $0) }
        if let device, device.sagaRun == run {
            do {
                try await VolumeLeases(parts).release(device, deletesVolume: false)
            } catch let error as CloudError {
                throw SagaRetry(after: hostRetryInterval, because: error)
            }
        }
        let final = ledger
        try await parts.database.write {
            try stores.actions.finish(
                final.server, request: final.requestID, error: nil, host: final.host, at: now, $0)
        }
    }

    private static func leave(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        try await parts.database.write { transaction in
            guard try stores.blockDevices.device(id, transaction)?.sagaRun == run else { return }
            try stores.blockDevices.abandon(id, deletesVolume: false, at: now, transaction)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write {
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, $0)
        }
    }
}

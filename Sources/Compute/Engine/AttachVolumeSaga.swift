// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import LogKit
import TaskKit

/// Gives a server a volume whose lease is reserved already. Survives a crash at any line, and gives way to a deletion of
/// the server, which takes the row.
package enum AttachVolumeSaga: Saga {
    package static let name: StaticString = "server.attach-volume"
    package static let deadline = Duration.seconds(900)
    package static func waits(_ parts: ComputeParts) -> Duration { parts.config.powerTimeout }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var device: BlockDeviceID
        package var host: String
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("hold", run: hold, undo: giveBack),
        SagaStep("plug", run: plug, undo: unplug),
        SagaStep("finish", run: finish, undo: unfinish),
    ]

    /// The lease was reserved with the request; what follows is undone from here.
    private static func hold(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        _ = try await held(ledger, parts)
    }

    private static func giveBack(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        let device = try await parts.database.write { transaction -> ServerBlockDevice? in
            guard let device = try stores.blockDevices.device(id, transaction), device.sagaRun == run else {
                return nil
            }
            // The host was asked and never said that it closed the volume.
            guard device.host == nil else {
                try stores.blockDevices.abandon(id, deletesVolume: false, at: now, transaction)
                return nil
            }
            return device
        }
        if let device { try await VolumeLeases(parts).release(device, deletesVolume: false) }
    }

    private static func plug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, host) = (parts.stores, ledger.device, SagaRun.id, ledger.host)
        let server = ledger.server
        let device = try await parts.database.write { transaction in
            guard let device = try stores.blockDevices.device(id, transaction), device.sagaRun == run else {
                throw lost(server)
            }
            try stores.blockDevices.setHost(id, host, transaction)
            return device
        }
        let volume = try await VolumeLeases(parts).connect(device, to: host)
        _ = try await parts.call(
            host, AttachVolume(server: ledger.server, volume: volume), timeout: parts.config.powerTimeout)
    }

    /// Runs even when `plug` threw: the host may have acted before the connection broke.
    private static func unplug(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run) = (parts.stores, ledger.device, SagaRun.id)
        guard let device = try await parts.database.read({ try stores.blockDevices.device(id, $0) }),
            device.sagaRun == run, let volume = device.volume, let host = device.host
        else { return }
        switch try await parts.reach(host) {
        case .up:
            _ = try await parts.call(
                host, DetachVolume(server: ledger.server, volume: volume), timeout: parts.config.detachTimeout)
        case .silent: return
        case .lost: break
        }
        try await parts.database.write { try stores.blockDevices.setHost(id, nil, $0) }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        guard let device = try await parts.database.read({ try stores.blockDevices.device(id, $0) }),
            let attachment = device.attachment
        else { throw lost(ledger.server) }
        // The first try committed and the process died before it could say so.
        if device.sagaRun == nil, device.state == .attached { return }
        try await parts.volumes.complete(attachment, device: device.device ?? "")
        let final = ledger
        try await parts.database.write { transaction in
            guard
                try stores.blockDevices.move(
                    id, from: .attaching, heldBy: run, to: .attached, holder: nil, at: now, transaction)
            else { throw lost(final.server) }
            try stores.actions.finish(
                final.server, request: final.requestID, error: nil, host: final.host, at: now, transaction)
        }
    }

    /// Takes the row back before the volume goes, unless somebody has begun something with it meanwhile.
    private static func unfinish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, run, now) = (parts.stores, ledger.device, SagaRun.id, parts.clock.now())
        try await parts.database.write {
            _ = try stores.blockDevices.move(
                id, from: .attached, heldBy: nil, to: .attaching, holder: run, at: now, $0)
        }
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write {
            try stores.actions.finish(
                ledger.server, request: ledger.requestID, error: error, host: ledger.host, at: now, $0)
        }
    }

    private static func held(_ ledger: Ledger, _ parts: ComputeParts) async throws -> ServerBlockDevice {
        let (stores, id, run) = (parts.stores, ledger.device, SagaRun.id)
        guard let device = try await parts.database.read({ try stores.blockDevices.device(id, $0) }),
            device.sagaRun == run
        else { throw lost(ledger.server) }
        return device
    }

    private static func lost(_ server: ServerID) -> CloudError {
        .conflict("Instance \(server) was deleted while a volume was attached to it.")
    }
}

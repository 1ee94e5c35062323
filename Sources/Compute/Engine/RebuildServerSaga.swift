// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import TaskKit

/// Makes a server's guest anew from an image, where it is: with another root disk, and with its ports and volumes. What
/// was on the root disk is lost as soon as the host begins, so nothing is undone; a server whose rebuild failed is in
/// ERROR and can be rebuilt again.
package enum RebuildServerSaga: Saga {
    package static let name: StaticString = "server.rebuild"
    package static let deadline = Duration.seconds(7200)
    package static func waits(_ parts: ComputeParts) -> Duration {
        let config = parts.config
        return config.powerTimeout + config.volumeTimeout + config.buildTimeout + config.portUpTimeout
    }

    /// A root volume that gets the image's bytes.
    package struct Reimage: Codable, Sendable, Equatable {
        package var volume: VolumeID
        package var attachment: VolumeAttachmentID
        package var image: String
    }

    package struct Ledger: Codable, Sendable {
        package var server: ServerID
        package var requestID: String
        package var actor: Requester
        package var host: String
        /// What the server was: a guest that was off stays off.
        package var origin: VMState
        /// For the config drive alone, and only when there is one.
        package var adminPassword: String?
        package var files: [ServerDraft.File]
        package var keepsEphemeral: Bool
        package var reimage: Reimage?

        var staysOff: Bool { origin == .stopped }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("reimage", run: reimage),
        SagaStep("build", run: build, undo: destroyIfEnding),
        SagaStep("plug", run: waitForPorts),
        SagaStep("finish", run: finish),
    ]

    private static func claim(_ ledger: Ledger, _ parts: ComputeParts) -> ServerClaim {
        ServerClaim(parts, ledger.server, .rebuild, request: ledger.requestID)
    }

    private static func reimage(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let claim = claim(ledger, parts)
        try await claim.advance(to: .rebuildBlockDeviceMapping)
        guard let reimage = ledger.reimage else { return }
        try await claim.clear(ledger.host)
        try await parts.volumes.reimage(
            reimage.volume, from: reimage.image, limit: parts.config.volumeTimeout, for: ledger.actor.principal)
    }

    private static func build(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let claim = claim(ledger, parts)
        try await claim.advance(to: .rebuildSpawning)
        var guest = try await claim.specification(
            on: ledger.host, files: ledger.files, adminPassword: ledger.adminPassword)
        guest.staysOff = ledger.staysOff ? true : nil
        guest.keepsEphemeral = ledger.keepsEphemeral ? true : nil
        try await claim.build(guest, on: ledger.host)
    }

    private static func destroyIfEnding(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        forgetSecrets(&ledger)
        try await claim(ledger, parts).destroyIfEnding(on: ledger.host)
    }

    private static func waitForPorts(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        if !ledger.staysOff { try await claim(ledger, parts).waitForPorts(on: ledger.host) }
    }

    private static func finish(_ ledger: inout Ledger, _ parts: ComputeParts) async throws {
        let (stores, id, now) = (parts.stores, ledger.server, parts.clock.now())
        try await claim(ledger, parts).finish(
            as: ledger.staysOff ? .stopped : .active, power: ledger.staysOff ? .shutdown : .running, host: ledger.host
        ) { _, transaction in try stores.servers.setLaunched(id, at: now, transaction) }
        forgetSecrets(&ledger)
    }

    /// The record of the run stays for a while after its end.
    private static func forgetSecrets(_ ledger: inout Ledger) {
        ledger.adminPassword = nil
        ledger.files = []
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ parts: ComputeParts) async throws {
        try await claim(ledger, parts).fail(error, as: .error, host: ledger.host)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit
import LogKit

/// Does the commands for one backend. Commands that share a volume or a snapshot run one after the other, in order.
struct VolumeWorker: Sendable {
    private static let parallelCommands = 64
    private static let sweepKey = "sweep"
    private static let durations = MetricsRegistry.shared.histograms(
        "haneul_volume_command_seconds", "How long commands of volume backends took.", ["command"])

    private let backend: ServedBackend
    /// Wider than the commands that run: who waits for its second key must not keep others from running.
    private let queue: KeyedSerialQueue<String>
    private let slots: AsyncSlots
    private let log = Logger("volume-agent")

    init(backend: ServedBackend) {
        self.backend = backend
        queue = KeyedSerialQueue("volumes of \(backend.address)", parallel: 100_000)
        slots = AsyncSlots("commands of \(backend.address)", slots: Self.parallelCommands)
    }

    func perform(_ command: VolumeCommand) async throws -> VolumeCommandReply {
        let work = command.work
        return try await holding(Self.keys(work)[...]) {
            try await slots.run {
                let start = ContinuousClock.now
                // Handles hold passphrases, so a command is logged by its name alone.
                do {
                    let reply = try await perform(work)
                    let took = ContinuousClock.now - start
                    Self.durations[work.label].observe(took)
                    log.info(
                        "volume command done",
                        ["command": work.label, "subject": work.subject, "took": "\(took)"])
                    return reply
                } catch {
                    log.error(
                        "volume command failed",
                        ["command": work.label, "subject": work.subject, "error": "\(error)"])
                    throw error
                }
            }
        }
    }

    /// Everything that a command works with or reads from, in one order for all commands, so that no two wait for each
    /// other.
    static func keys(_ work: VolumeCommand.Work) -> [String] {
        let ids: [String] =
            switch work {
            case .create(let volume, let source):
                switch source {
                case .blank, .image: [volume.id.rawValue]
                case .snapshot(let snapshot): [volume.id.rawValue, snapshot.id.rawValue]
                case .volume(let other): [volume.id.rawValue, other.id.rawValue]
                }
            case .reimage(let volume, _), .delete(let volume), .extend(let volume, _, _), .connect(let volume, _, _),
                .disconnect(let volume, _), .restore(let volume, _, _), .manage(let volume, _), .unmanage(let volume):
                [volume.id.rawValue]
            case .createSnapshot(let snapshot, let volume), .revert(let volume, let snapshot),
                .manageSnapshot(let snapshot, let volume, _):
                [volume.id.rawValue, snapshot.id.rawValue]
            case .deleteSnapshot(let snapshot), .unmanageSnapshot(let snapshot):
                [snapshot.volume.rawValue, snapshot.id.rawValue]
            case .export(.volume(let volume), _, _): [volume.id.rawValue]
            case .export(.snapshot(let snapshot), _, _): [snapshot.id.rawValue]
            case .sweep: [sweepKey]
            case .foreignVolumes, .foreignSnapshots: []
            }
        return Set(ids).sorted()
    }

    private func holding(
        _ keys: ArraySlice<String>, _ body: @Sendable () async throws -> VolumeCommandReply
    ) async throws -> VolumeCommandReply {
        guard let key = keys.first else { return try await body() }
        return try await queue.run(key) { try await holding(keys.dropFirst(), body) }
    }

    private func perform(_ work: VolumeCommand.Work) async throws -> VolumeCommandReply {
        let driver = backend.driver
        var reply = VolumeCommandReply()
        switch work {
        case .create(let volume, let source): reply.location = try await driver.create(volume, from: source)
        case .reimage(let volume, let image): reply.location = try await driver.reimage(volume, from: image)
        case .delete(let volume): try await driver.delete(volume)
        case .extend(let volume, let size, let isOpen):
            try await driver.extend(volume, toGiB: size, isOpen: isOpen)
        case .createSnapshot(let snapshot, let volume):
            reply.snapshot = try await driver.createSnapshot(snapshot, of: volume)
        case .deleteSnapshot(let snapshot): try await driver.deleteSnapshot(snapshot)
        case .revert(let volume, let snapshot): reply.location = try await driver.revert(volume, to: snapshot)
        case .connect(let volume, let connector, let isReadOnly):
            reply.connection = try await driver.connect(volume, to: connector, isReadOnly: isReadOnly)
        case .disconnect(let volume, let connector): try await driver.disconnect(volume, from: connector)
        case .export(let content, let path, let format):
            try await driver.export(content, to: path, format: format)
        case .restore(let volume, let path, let format):
            reply.location = try await driver.restore(volume, from: path, format: format)
        case .sweep(let volumes, let snapshots, let age):
            reply.swept = try await driver.sweep(keeping: volumes, snapshots, olderThan: .seconds(age))
        case .foreignVolumes: reply.foreign = try await driver.foreignVolumes()
        case .manage(let volume, let reference):
            reply.location = try await driver.manage(volume, reference: reference)
        case .unmanage(let volume): try await driver.unmanage(volume)
        case .foreignSnapshots(let volumes): reply.foreignSnapshots = try await driver.foreignSnapshots(of: volumes)
        case .manageSnapshot(let snapshot, let volume, let reference):
            reply.location = try await driver.manageSnapshot(snapshot, of: volume, reference: reference)
        case .unmanageSnapshot(let snapshot): try await driver.unmanageSnapshot(snapshot)
        }
        return reply
    }
}

extension VolumeCommand.Work {
    /// For logs and metrics.
    fileprivate var label: String {
        switch self {
        case .create: "create"
        case .reimage: "reimage"
        case .delete: "delete"
        case .extend: "extend"
        case .createSnapshot: "create-snapshot"
        case .deleteSnapshot: "delete-snapshot"
        case .revert: "revert"
        case .connect: "connect"
        case .disconnect: "disconnect"
        case .export: "export"
        case .restore: "restore"
        case .sweep: "sweep"
        case .foreignVolumes: "foreign-volumes"
        case .manage: "manage"
        case .unmanage: "unmanage"
        case .foreignSnapshots: "foreign-snapshots"
        case .manageSnapshot: "manage-snapshot"
        case .unmanageSnapshot: "unmanage-snapshot"
        }
    }

    fileprivate var subject: String {
        switch self {
        case .create(let volume, _), .reimage(let volume, _), .delete(let volume), .extend(let volume, _, _),
            .revert(let volume, _), .connect(let volume, _, _), .disconnect(let volume, _),
            .export(.volume(let volume), _, _),
            .restore(let volume, _, _), .manage(let volume, _), .unmanage(let volume):
            volume.id.rawValue
        case .createSnapshot(let snapshot, _), .deleteSnapshot(let snapshot), .export(.snapshot(let snapshot), _, _),
            .manageSnapshot(let snapshot, _, _), .unmanageSnapshot(let snapshot):
            snapshot.id.rawValue
        case .sweep, .foreignVolumes, .foreignSnapshots: "all"
        }
    }
}

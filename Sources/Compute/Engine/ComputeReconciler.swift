// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LogKit
import TaskKit

/// Repairs what runs that died halfway, and hands that are not ours, leave behind: resources and ports of servers that
/// have ended, servers whose run is gone. Guests are the business of each host's report.
package struct ComputeReconciler: Reconciler {
    package let name = "compute"
    package let interval = Duration.seconds(60)
    /// A row that a run changed so shortly before is left to it.
    private static let patience = Duration.seconds(120)

    private let parts: ComputeParts
    private let sagas: SagaRunner

    package init(_ parts: ComputeParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    package func reconcile() async throws -> Int {
        let leases = VolumeLeaseReconciler(parts: parts, sagas: sagas)
        let repaired =
            try await removeOrphans() + releaseResources() + releasePorts() + adoptServers() + leases.reconcile()
            + ServerMigrationReconciler(parts: parts, sagas: sagas).reconcile()
        try await offloadShelved()
        try await reclaimDeleted()
        try await purge()
        return repaired
    }

    /// Guests that the hosts' reports showed for longer than the grace and that are still nobody's.
    private func removeOrphans() async throws -> Int {
        let (stores, limit) = (parts.stores, parts.clock.now() - parts.config.orphanGrace)
        var repaired = 0
        for (host, id) in try await parts.database.read({ try stores.hosts.orphans(before: limit, $0) }) {
            let fate = try await parts.database.read { try stores.servers.fates(of: [id], $0)[0] }
            guard !fate.isUnknown, fate.isDeleted || (!fate.hasRun && fate.host != host), try await parts.isUp(host)
            else { continue }
            do {
                _ = try await parts.call(host, DestroyGuest(server: id), timeout: parts.config.powerTimeout)
            } catch let error as CloudError {
                // The others come first; this one stays noted.
                parts.log.error("orphan not removed", ["host": host, "server": id, "error": error])
                continue
            }
            try await parts.database.write { try stores.hosts.forgetOrphan(host, id, $0) }
            parts.log.warning("orphan removed", ["host": host, "server": id])
            repaired += 1
        }
        return repaired
    }

    /// Consumers that are no servers of ours (somebody may use placement for other things) are left alone.
    private func releaseResources() async throws -> Int {
        let stores = parts.stores
        var repaired = 0
        for host in try await parts.database.read({ try stores.hosts.all($0) }) {
            let consumers = try await parts.placement.consumers(of: ID(host.nodeID.rawValue))
            let fates = try await parts.database.read { try stores.servers.fates(of: consumers.map { ID($0) }, $0) }
            for fate in fates where !fate.isUnknown {
                guard fate.isDeleted || (!fate.hasRun && fate.host == nil) else { continue }
                try await parts.placement.release(consumer: fate.id.rawValue)
                parts.log.warning("resources released", ["server": fate.id])
                repaired += 1
            }
            // What servers had before a move is held under the id of the move.
            let unknown = fates.filter(\.isUnknown).map(\.id.rawValue)
            for id in try await parts.database.read({ try stores.migrations.settled(unknown, $0) }) {
                try await parts.placement.release(consumer: id.rawValue)
                parts.log.warning("resources of a move released", ["migration": id])
                repaired += 1
            }
        }
        return repaired
    }

    private func releasePorts() async throws -> Int {
        let stores = parts.stores
        let devices = try await parts.networks.serverDevices()
        let ids = Set(devices.values).filter(UUIDText.isUUID).sorted().map { ServerID($0) }
        let fates = try await parts.database.read { try stores.servers.fates(of: ids, $0) }
        let ended = Set(fates.lazy.filter { !$0.isUnknown && $0.isDeleted }.map(\.id.rawValue))
        var repaired = 0
        for (port, device) in devices where ended.contains(device) {
            try await parts.networks.releasePort(port, server: device)
            parts.log.warning("port released", ["port": port, "server": device])
            repaired += 1
        }
        return repaired
    }

    /// Servers in the middle of something that no run does any more.
    private func adoptServers() async throws -> Int {
        let stores = parts.stores
        let limit = parts.clock.now() - Self.patience
        var repaired = 0
        for server in try await parts.database.read({ try stores.servers.unattended(since: limit, $0) }) {
            guard try await sagas.hasNoRun(server.sagaRun) else { continue }
            try await adopt(server)
            parts.log.warning("server without a run", ["server": server.id, "state": server.state])
            repaired += 1
        }
        return repaired
    }

    private func adopt(_ server: Server) async throws {
        let (stores, sagas, now, run) = (parts.stores, sagas, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        try await parts.database.write { transaction in
            if server.state.task == .deleting {
                guard try stores.servers.move(server, to: server.state, run: run, at: now, transaction) else { return }
                try sagas.start(
                    DeleteServerSaga.self, id: run,
                    ledger: .init(server: server.id, requestID: "req-" + run.rawValue, host: server.host),
                    in: transaction)
            } else if server.state.vm == .building {
                let error = CloudError(.bug, "The build of this server was interrupted.", cause: "its run is gone")
                guard try stores.servers.move(server, to: ServerState(.error), run: nil, at: now, transaction) else {
                    return
                }
                try stores.servers.setFault(server.id, ServerFault(error, at: now), transaction)
            } else {
                // The next report of the host says what it really is.
                _ = try stores.servers.move(server, to: ServerState(server.state.vm), run: nil, at: now, transaction)
            }
        }
    }

    // MARK: What time has come for

    /// Shelved servers leave their hosts when they have been there for long enough.
    private func offloadShelved() async throws {
        guard parts.config.offloadsShelved, parts.config.shelvedOffloadDelay > .zero else { return }
        let (stores, sagas, now) = (parts.stores, sagas, parts.clock.now())
        let limit = now - parts.config.shelvedOffloadDelay
        for id in try await parts.database.read({ try stores.shelves.waiting(since: limit, $0) }) {
            let run: SagaRunID = parts.ids.next()
            let request = "req-" + parts.ids.uuid()
            try await parts.database.write { transaction in
                guard let server = try stores.servers.server(id, transaction), let host = server.host,
                    let shelf = try stores.shelves.shelf(of: id, transaction),
                    let state = server.state.after(.workRequested(.shelveOffload)),
                    try stores.servers.move(server, to: state, run: run, at: now, transaction)
                else { return }
                try stores.actions.begin(
                    id, action: ServerWork.shelveOffload.rawValue, event: ServerWork.shelveOffload.eventName,
                    request: request, user: shelf.actor.userID, project: server.projectID, at: now, transaction)
                try sagas.start(
                    ShelveServerSaga.self, id: run,
                    ledger: .init(
                        server: id, requestID: request, actor: shelf.actor, host: host, origin: .shelved, image: nil,
                        graceSeconds: 0, offloads: true, isShelved: true),
                    in: transaction)
            }
        }
    }

    /// Deleted servers that nobody has wanted back end.
    private func reclaimDeleted() async throws {
        let (stores, sagas, now) = (parts.stores, sagas, parts.clock.now())
        let limit = now - parts.config.reclaimInterval
        for id in try await parts.database.read({ try stores.shelves.reclaimable(since: limit, $0) }) {
            let run: SagaRunID = parts.ids.next()
            try await parts.database.write { transaction in
                guard let server = try stores.servers.server(id, transaction), server.state.vm == .softDeleted,
                    let state = server.state.after(.deleteRequested),
                    try stores.servers.move(server, to: state, run: run, at: now, transaction)
                else { return }
                try sagas.start(
                    DeleteServerSaga.self, id: run,
                    ledger: .init(server: id, requestID: "req-" + run.rawValue, host: server.host), in: transaction)
            }
        }
    }

    private func purge() async throws {
        let (stores, limit) = (parts.stores, parts.clock.now() - parts.config.deletedRetention)
        let purged = try await parts.database.read { try stores.servers.hasEnded(before: limit, $0) }
        guard purged else { return }
        let count = try await parts.database.write { try stores.servers.purge(before: limit, $0) }
        parts.log.info("ended servers forgotten", ["count": count])
    }
}

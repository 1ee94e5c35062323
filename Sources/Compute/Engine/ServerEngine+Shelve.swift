// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import PlacementContract
import PolicyKit
import QuotaKit
import TaskKit

/// Servers on the shelf, and those that wait for their end.
extension ServerEngine {
    // MARK: Shelve

    package func shelve(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: .shelve, context, as: "os_compute_api:os-shelve:shelve")
        guard let host = server.host else { throw Self.notReady(id) }
        let (sagas, config) = (sagas, parts.config)
        var ledger = ShelveServerSaga.Ledger(
            server: id, requestID: context.requestID,
            actor: Requester(context.principal, project: context.projectID ?? server.projectID), host: host,
            origin: server.state.vm, image: nil, graceSeconds: Int(config.shutdownGrace.components.seconds),
            // Without a root disk of its own there is nothing that a host could keep for it.
            offloads: true, isShelved: false)
        func begin(_ ledger: ShelveServerSaga.Ledger) async throws {
            try await self.begin(.shelve, on: id, for: context) { server, run, transaction in
                var final = ledger
                final.origin = server.state.vm
                try sagas.start(ShelveServerSaga.self, id: run, ledger: final, in: transaction)
            }
        }
        if try await isVolumeBacked(server) { return try await begin(ledger) }
        let image: ImageID = parts.ids.next()
        ledger.image = image
        ledger.offloads = config.offloadsShelved && config.shelvedOffloadDelay == .zero
        let final = ledger
        let draft = Self.imageDraft(
            Self.shelvedName(server), server, try await imageSource(of: server), [:], context)
        try await withNewImage(image, draft, context) { try await begin(final) }
    }

    /// An image's name is no longer than a server's.
    private static func shelvedName(_ server: Server) -> String {
        let suffix = "-shelved"
        return String(server.name.prefix(255 - suffix.count)) + suffix
    }

    package func shelveOffload(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: .shelveOffload, context, as: "os_compute_api:os-shelve:shelve_offload")
        try await offload(server, context)
    }

    private func offload(_ server: Server, _ context: CallContext) async throws {
        guard let host = server.host else { throw Self.notReady(server.id) }
        let (sagas, request) = (sagas, context.requestID)
        let actor = Requester(context.principal, project: context.projectID ?? server.projectID)
        try await begin(.shelveOffload, on: server.id, for: context) { server, run, transaction in
            try sagas.start(
                ShelveServerSaga.self, id: run,
                ledger: .init(
                    server: server.id, requestID: request, actor: actor, host: host, origin: .shelved, image: nil,
                    graceSeconds: 0, offloads: true, isShelved: true),
                in: transaction)
        }
    }

    // MARK: Unshelve

    /// Where a server from the shelf is to go.
    package struct UnshelveRequest: Sendable {
        /// Nil: as before. Nil inside: anywhere from now on.
        package var zone: String??
        package var host: String?
        package init() {}

        var isPlain: Bool { zone == nil && host == nil }
    }

    package func unshelve(_ id: ServerID, _ wanted: UnshelveRequest, for context: CallContext) async throws {
        var server = try await server(id, for: .unshelve, context, as: "os_compute_api:os-shelve:unshelve")
        guard wanted.isPlain || server.state.vm == .shelvedOffloaded else {
            throw CloudError.conflict(
                "Specifying an availability zone or a host when unshelving server \"\(id)\" with status "
                    + "\"\(server.state.vm.rawValue)\" is not supported. The server status must be SHELVED_OFFLOADED.",
                kind: "UnshelveInstanceInvalidState")
        }
        if let zone = wanted.zone { server.pinnedZone = zone }
        try await checkPlace(wanted, server, context)
        let (stores, sagas) = (stores, sagas)
        let shelf = try await parts.database.read { try stores.shelves.shelf(of: id, $0) }
        let extraSpecs = try StoredMap.read(server.flavor.extraSpecs)
        let source = try await imageSource(of: server)
        var request = try HostRequest(
            moving: server, extraSpecs, imageProperties: source?.properties ?? [:], group: try await group(of: server),
            allowsQueries: parts.config.allowsHostQueries)
        request.host = wanted.host
        let actor = Requester(context.principal, project: context.projectID ?? server.projectID)
        let ledger = UnshelveServerSaga.Ledger(
            server: id, requestID: context.requestID, owner: shelf?.actor ?? actor, image: shelf?.image,
            isOffloaded: server.state.vm == .shelvedOffloaded, hostRequest: request,
            resources: ResourceRequest(
                server.flavor, extraSpecs, imageProperties: request.imageProperties,
                imageBytes: source?.virtualSizeBytes ?? 0, isVolumeBacked: try await isVolumeBacked(server)))
        try await begin(.unshelve, on: id, for: context) { server, run, transaction in
            var final = ledger
            final.isOffloaded = server.state.vm == .shelvedOffloaded
            if let zone = wanted.zone { try stores.servers.setPinnedZone(id, zone, transaction) }
            try sagas.start(UnshelveServerSaga.self, id: run, ledger: final, in: transaction)
        }
    }

    /// nova: `_validate_unshelve_az` and `_ensure_host_in_az`.
    private func checkPlace(_ wanted: UnshelveRequest, _ server: Server, _ context: CallContext) async throws {
        guard !wanted.isPlain else { return }
        if wanted.host != nil {
            try context.authorize(Self.target(server), as: "os_compute_api:os-shelve:unshelve_to_host")
        }
        let (stores, byDefault, now, limit) = (
            stores, parts.config.defaultZone, parts.clock.now(), parts.config.hostTimeout
        )
        let (hosts, zones) = try await parts.database.read { transaction in
            (try stores.hosts.all(transaction), try stores.aggregates.zones(transaction))
        }
        func zone(of host: String) -> String { zones[host] ?? byDefault }
        if let zone = wanted.zone.flatMap(\.self) {
            let isAvailable = hosts.contains { host in
                zone == zones[host.host] ?? byDefault && !host.isDisabled && host.isUp(at: now, limit: limit)
            }
            guard isAvailable else {
                throw CloudError.badRequest("The requested availability zone is not available", kind: "InvalidRequest")
            }
        }
        guard let host = wanted.host else { return }
        guard hosts.contains(where: { $0.host == host }) else {
            throw CloudError.badRequest(
                "Compute host \(host.prefix(255)) could not be found.", kind: "ComputeHostNotFound")
        }
        guard let pinned = server.pinnedZone, zone(of: host) != pinned else { return }
        throw CloudError.conflict(
            "Host \"\(host)\" is not in the availability zone \"\(pinned)\".", kind: "UnshelveHostNotInAZ")
    }

    // MARK: Soft deletion

    /// False: it cannot wait, and is deleted for good (nova: `must_have_launched`).
    func softDelete(_ server: Server, _ context: CallContext) async throws -> Bool {
        if server.state.vm == .softDeleted { return true }
        guard !server.state.isMoving else { throw Self.invalidState(server, "delete") }
        guard server.launchedAt != nil, server.host != nil || server.state.vm == .shelvedOffloaded,
            server.state.after(.workRequested(.softDelete)) != nil
        else { return server.state.task == .softDeleting }
        try await beginSoftDelete(.softDelete, server, context)
        return true
    }

    package func restore(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: .restore, context, as: "os_compute_api:os-deferred-delete:restore")
        try await beginSoftDelete(.restore, server, context)
    }

    /// What is restored has not counted since it was deleted.
    private static func checkQuota(restoring server: Server, _ parts: ComputeParts, _ transaction: any Transaction)
        throws
    {
        let used = try parts.stores.servers.usage(of: server.projectID, transaction)
        let wanted = ["instances": 1, "cores": server.flavor.vcpus, "ram": server.flavor.memoryMiB]
        try parts.quotas.check(server.projectID, wanted, transaction) { resource in
            switch resource {
            case "instances": used.instances
            case "cores": used.cores
            default: used.memoryMiB
            }
        }
    }

    private func beginSoftDelete(_ work: ServerWork, _ server: Server, _ context: CallContext) async throws {
        let (parts, stores, sagas, request) = (parts, stores, sagas, context.requestID)
        let grace = Int(parts.config.shutdownGrace.components.seconds)
        try await begin(work, on: server.id, for: context) { server, run, transaction in
            if work == .restore { try Self.checkQuota(restoring: server, parts, transaction) }
            let origin =
                work == .softDelete
                ? server.state.vm : try stores.shelves.softDeleted(server.id, transaction) ?? .active
            try sagas.start(
                SoftDeleteServerSaga.self, id: run,
                ledger: .init(
                    server: server.id, requestID: request, host: server.host, work: work, origin: origin,
                    graceSeconds: grace),
                in: transaction)
        }
    }
}

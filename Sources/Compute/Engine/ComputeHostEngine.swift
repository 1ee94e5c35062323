// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import LogKit
import MessagingKit
import PlacementContract
import PolicyKit
import SecurityKit
import Synchronization
import TaskKit

/// Hears what hosts say: keeps their rows, their resource providers and the states of their guests.
package final class ComputeHostEngine: Sendable {
    /// Rows changed so shortly before a report may not be in it yet.
    private static let settleTime = Duration.seconds(5)

    private let parts: ComputeParts
    /// What others change of what a host has to say lasts no longer than this (nova:
    /// `resource_provider_association_refresh`).
    static let announcementLifetime = Duration.seconds(300)

    /// What placement has been told of each host since the start of this process.
    private let announced = Mutex<[String: Announcement]>([:])
    private let sagas: SagaRunner

    package init(_ parts: ComputeParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    /// Before the server runs.
    package func listen(on server: BusServer) {
        server.hear(HostReport.self) { try await self.report($0) }
        server.hear(GuestEvent.self) { try await self.guestChanged($0) }
    }

    // MARK: Hosts

    package func report(_ report: HostReport) async throws {
        let (host, hasBooted) = try await recordHost(report)
        try await announce(host)
        if hasBooted { try await resumeGuests(report) }
        try await synchronize(report)
        try await noteOrphans(report)
    }

    /// Whether the host started since it was last heard of. Its new start is written with the resuming of its guests.
    private func recordHost(_ report: HostReport) async throws -> (ComputeHost, hasBooted: Bool) {
        let (stores, ids, now) = (parts.stores, parts.ids, parts.clock.now())
        return try await parts.database.write { transaction in
            if var host = try stores.hosts.host(report.host, transaction) {
                let hasBooted = Self.hasBooted(host.bootedAt, report.bootedAt)
                try stores.hosts.report(
                    report.host, report.hypervisor, bootedAt: hasBooted ? host.bootedAt : report.bootedAt, at: now,
                    transaction)
                host.hypervisor = report.hypervisor
                return (host, hasBooted)
            }
            let host = ComputeHost(
                number: try stores.hosts.nextNumber(transaction), serviceID: ids.next(),
                nodeID: Self.nodeID(report.host),
                host: report.host, isDisabled: false, disabledReason: nil, isForcedDown: false, lastSeenAt: now,
                createdAt: now, bootedAt: report.bootedAt, hypervisor: report.hypervisor)
            try stores.hosts.insert(host, transaction)
            return (host, false)
        }
    }

    /// Made of the host's name, so that a host that was forgotten finds its resource provider again.
    private static func nodeID(_ host: String) -> ComputeNodeID {
        var bytes = Array(Digest.of(Array("compute-node:\(host)".utf8), .sha256).prefix(16))
        bytes[6] = bytes[6] & 0x0F | 0x80
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = Array(Hex.encode(bytes))
        let groups = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map { String(digits[$0]) }
        return ComputeNodeID(groups.joined(separator: "-"))
    }

    /// Start times are computed from two clocks, so they differ a little from report to report.
    private static func hasBooted(_ old: Timestamp?, _ new: Timestamp?) -> Bool {
        guard let old, let new else { return false }
        return new - old > .seconds(2)
    }

    /// After a start of the host, guests that ran before run again: from their saved memory, or from the beginning
    /// (nova: `resume_guests_state_on_host_boot`).
    private func resumeGuests(_ report: HostReport) async throws {
        let (stores, sagas, ids, now) = (parts.stores, sagas, parts.ids, parts.clock.now())
        let resumed = try await parts.database.write { transaction in
            var resumed = 0
            for guest in report.guests {
                let kind: PowerAction.Kind
                switch guest.powerState {
                case .suspended: kind = .resume
                case .shutdown, .crashed: kind = .start
                default: continue
                }
                guard let server = try stores.servers.server(guest.server, transaction), server.host == report.host,
                    server.sagaRun == nil, server.state == ServerState(.active),
                    let state = server.state.after(.observed(guest.powerState))?.after(.powerRequested(kind))
                else { continue }
                let run: SagaRunID = ids.next()
                let request = "req-" + ids.uuid()
                guard
                    try stores.servers.move(server, to: state, run: run, power: guest.powerState, at: now, transaction)
                else { continue }
                try stores.actions.begin(
                    server.id, action: kind.actionName, event: "compute_\(kind.actionName)_instance", request: request,
                    user: server.userID, project: server.projectID, at: now, transaction)
                try sagas.start(
                    PowerActionSaga.self, id: run,
                    ledger: .init(
                        server: server.id, requestID: request, host: report.host, kind: kind, graceSeconds: 0),
                    in: transaction)
                resumed += 1
            }
            try stores.hosts.report(
                report.host, report.hypervisor, bootedAt: report.bootedAt, at: now, transaction)
            return resumed
        }
        parts.log.info("host has started", ["host": report.host, "guests resumed": resumed])
    }

    // MARK: Placement

    private struct Announcement {
        var hypervisor: HypervisorInfo
        var isDisabled: Bool
        var at: Timestamp
    }

    /// Tells placement what the host has, when that is new or was told long ago.
    private func announce(_ host: ComputeHost) async throws {
        let now = parts.clock.now()
        let said = announced.withLock { $0[host.host] }
        var hypervisor = host.hypervisor
        hypervisor.loadAverage = nil  // Nothing to placement, and never the same.
        if let said, said.hypervisor == hypervisor, said.isDisabled == host.isDisabled,
            now - said.at < Self.announcementLifetime
        {
            return
        }
        try await parts.placement.ensureProvider(
            ID(host.nodeID.rawValue), name: host.hypervisor.hostname, inventory: inventory(of: host.hypervisor),
            traits: Self.traits(of: host))
        announced.withLock {
            $0[host.host] = Announcement(hypervisor: hypervisor, isDisabled: host.isDisabled, at: now)
        }
    }

    /// A host of another version may tell of traits that nobody knows here.
    private static func traits(of host: ComputeHost) -> ProviderTraits {
        let always = HostTraits.node.union(host.isDisabled ? [HostTraits.disabled] : [])
        guard let told = host.hypervisor.traits else {
            return ProviderTraits(present: always, absent: [HostTraits.disabled])
        }
        return ProviderTraits(
            present: HostTraits.own.intersection(told).subtracting([HostTraits.disabled]).union(always),
            absent: HostTraits.own)
    }

    private func inventory(of info: HypervisorInfo) -> [String: ResourceInventory] {
        let config = parts.config
        var inventory = [
            "VCPU": ResourceInventory(
                total: Int64(info.vcpus), maxUnit: Int64(info.vcpus), allocationRatio: config.cpuAllocationRatio),
            "MEMORY_MB": ResourceInventory(
                total: Int64(info.memoryMiB), reserved: Int64(min(config.reservedMemoryMiB, info.memoryMiB / 2)),
                maxUnit: Int64(info.memoryMiB), allocationRatio: config.memoryAllocationRatio),
            "DISK_GB": ResourceInventory(
                total: Int64(info.diskGiB), reserved: Int64(min(config.reservedDiskGiB, info.diskGiB)),
                maxUnit: Int64(info.diskGiB), allocationRatio: config.diskAllocationRatio),
        ]
        // Placement knows no inventory of nothing.
        inventory = inventory.filter { $0.value.total > 0 }
        return inventory
    }

    // MARK: Guests

    package func guestChanged(_ event: GuestEvent) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard let server = try stores.servers.server(event.server, transaction), server.host == event.host else {
                return
            }
            _ = try Self.observe(server, event.powerState, at: now, stores, transaction)
        }
    }

    /// Makes the rows at rest follow the guests of the report.
    private func synchronize(_ report: HostReport) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        let guests = Dictionary(
            report.guests.map { ($0.server, $0.powerState) }, uniquingKeysWith: { first, _ in first })
        let before = report.takenAt - Self.settleTime
        let differing = try await parts.database.read { transaction in
            try stores.servers.onHost(report.host, transaction).filter { server in
                server.sagaRun == nil && server.updatedAt < before && Self.differs(server, guests[server.id])
            }
        }
        guard !differing.isEmpty else { return }
        let changed = try await parts.database.write { transaction in
            try differing.count { old in
                // Read again: the first read was another transaction.
                guard let server = try stores.servers.server(old.id, transaction), server.sagaRun == nil,
                    server.updatedAt == old.updatedAt
                else { return false }
                if let power = guests[server.id] {
                    return try Self.observe(server, power, at: now, stores, transaction)
                }
                return try Self.missing(server, on: report.host, at: now, stores, transaction)
            }
        }
        if changed > 0 { parts.log.warning("server states repaired", ["host": report.host, "count": changed]) }
    }

    private static func differs(_ server: Server, _ power: PowerState?) -> Bool {
        guard let power else {
            return server.state.task == nil && server.state.vm != .error && server.state.vm != .building
        }
        return server.power != power || server.state.after(.observed(power)) != nil
    }

    private static func observe(
        _ server: Server, _ power: PowerState, at now: Timestamp, _ stores: ComputeStores,
        _ transaction: any Transaction
    ) throws -> Bool {
        guard server.sagaRun == nil, !server.isDeleted else { return false }
        guard let state = server.state.after(.observed(power)) else {
            if server.power != power { try stores.servers.setPower(server.id, power, transaction) }
            return false
        }
        return try stores.servers.move(server, to: state, run: nil, power: power, at: now, transaction)
    }

    private static func missing(
        _ server: Server, on host: String, at now: Timestamp, _ stores: ComputeStores, _ transaction: any Transaction
    ) throws -> Bool {
        let fault = CloudError(
            .notFound, "The guest of this server is not on its host any more.", kind: "InstanceNotFound",
            cause: "host \(host) reports neither guest nor disks of \(server.instanceName)")
        guard try stores.servers.move(server, to: ServerState(.error), run: nil, power: .noState, at: now, transaction)
        else { return false }
        try stores.servers.setFault(server.id, ServerFault(fault, at: now), transaction)
        return true
    }

    // MARK: Orphans

    /// Notes guests and files of servers that have ended, or live on another host; the reconciler removes them after a
    /// grace. What no row speaks of is not touched: a database that was lost must not take the guests with it.
    private func noteOrphans(_ report: HostReport) async throws {
        let found = Set(report.guests.map(\.server)).union(report.diskOwners)
        let (stores, now, host) = (parts.stores, parts.clock.now(), report.host)
        let ids = found.sorted()
        let (orphans, unknown) = try await parts.database.read { transaction in
            var orphans: [ServerID] = []
            var unknown: [ServerID] = []
            // Set aside until the owner says what becomes of it.
            let leaving = try stores.migrations.servers(leaving: host, transaction)
            for fate in try stores.servers.fates(of: ids, transaction) {
                if fate.isUnknown {
                    unknown.append(fate.id)
                } else if fate.isDeleted || (!fate.hasRun && fate.host != host && !leaving.contains(fate.id)) {
                    orphans.append(fate.id)
                }
            }
            return (orphans, unknown)
        }
        if !unknown.isEmpty {
            parts.log.error("guests that no server knows", ["host": host, "count": unknown.count, "first": unknown[0]])
        }
        let hasKnown = try await parts.database.read { try stores.hosts.hasOrphans(host, $0) }
        guard hasKnown || !orphans.isEmpty else { return }
        try await parts.database.write { try stores.hosts.updateOrphans(host, seen: orphans, at: now, $0) }
    }

    // MARK: Administration

    package func hosts() async throws -> [ComputeHost] {
        let stores = parts.stores
        return try await parts.database.read { try stores.hosts.all($0) }
    }

    package func isUp(_ host: ComputeHost) -> Bool {
        host.isUp(at: parts.clock.now(), limit: parts.config.hostTimeout)
    }

    /// Servers on each host.
    package func serverCounts() async throws -> [String: Int] {
        let stores = parts.stores
        return try await parts.database.read { try stores.servers.countsByHost($0) }
    }

    package func servers(on host: String) async throws -> [Server] {
        let stores = parts.stores
        return try await parts.database.read { try stores.servers.onHost(host, $0) }
    }

    package func usage(of host: ComputeHost) async throws -> [String: Int64] {
        try await parts.placement.usage(of: ID(host.nodeID.rawValue))
    }

    /// The zone of each host.
    package func zones() async throws -> [String: String] {
        let (stores, zone) = (parts.stores, parts.config.defaultZone)
        return try await parts.database.read { transaction in
            let zones = try stores.aggregates.zones(transaction)
            return Dictionary(
                try stores.hosts.all(transaction).map { ($0.host, zones[$0.host] ?? zone) },
                uniquingKeysWith: { first, _ in first })
        }
    }

    /// What an administrator says of a host's service; nil leaves it.
    package func setService(
        _ host: ComputeHost, isDisabled: Bool?, reason: String?, isForcedDown: Bool?
    ) async throws -> ComputeHost {
        let stores = parts.stores
        let changed = try await parts.database.write { transaction in
            if let isDisabled {
                try stores.hosts.setDisabled(host.host, isDisabled, reason: isDisabled ? reason : nil, transaction)
            }
            if let isForcedDown { try stores.hosts.setForcedDown(host.host, isForcedDown, transaction) }
            guard let host = try stores.hosts.host(host.host, transaction) else {
                throw CloudError.notFound("Service could not be found.")
            }
            return host
        }
        if let isDisabled {
            // The scheduler goes by the row; those who ask placement themselves go by the trait.
            let trait: Set = [HostTraits.disabled]
            try await parts.placement.changeTraits(
                of: ID(host.nodeID.rawValue),
                ProviderTraits(present: isDisabled ? trait : [], absent: trait))
        }
        return changed
    }

    /// Forgets a host without servers, and without moves that would bring one back.
    package func delete(_ host: ComputeHost) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard try stores.servers.onHost(host.host, transaction).isEmpty else {
                throw CloudError.conflict(
                    "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."
                )
            }
            let moves = try stores.migrations.open(transaction)
            guard !moves.contains(where: { [$0.sourceHost, $0.destinationHost].contains(host.host) }) else {
                throw CloudError.conflict(
                    "Unable to delete compute service that has in-progress migrations. Complete the migrations or "
                        + "delete the instances first.")
            }
            try stores.hosts.delete(host.host, transaction)
        }
        _ = announced.withLock { $0.removeValue(forKey: host.host) }
    }
}

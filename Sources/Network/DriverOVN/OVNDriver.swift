// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import NetworkContract
import OVSDBKit
import Synchronization

/// Network's data plane on OVN: writes what is wanted into the Northbound database, reads which ports are up from there
/// and which hosts there are from the Southbound one. `ovn-northd` and the hosts' `ovn-controller` do the rest.
///
/// Objects that the data plane has taken stay in memory, so that a change is completed where it touches others. Call
/// `synchronize` once after the start: until then the driver writes no more than the objects it is given.
package final class OVNDriver: NetworkDriver, Service {
    /// How long a data base may take to come, and how often a transaction that met another writer is tried.
    private static let readyLimit = Duration.seconds(10)
    private static let attempts = 4

    package let name = "ovn"
    package let capabilities = {
        var capabilities = NetworkCapabilities(
            providerTypes: ["geneve", "flat", "vlan"], hasStatelessGroups: true)
        capabilities.hasExtraDHCPOptions = true
        capabilities.qosRules = [.bandwidthLimit, .dscpMarking, .minimumBandwidth]
        capabilities.hasTrunks = true
        capabilities.hasPortForwarding = true
        capabilities.hasExtraGateways = true
        capabilities.hasLogs = true
        return capabilities
    }()

    let configuration: OVNConfiguration
    let northbound: OVSDBConnection
    let southbound: OVSDBConnection
    private let states: OVNPortStates
    private let hosts = OVNHosts()
    private let chassisChanged: Signal
    private let known = Mutex(OVNKnowledge())
    /// One transaction at a time.
    private let lane = AsyncSlots("ovn", slots: 1)
    private let log = Logger("ovn")

    package init(_ configuration: OVNConfiguration) {
        self.configuration = configuration
        let states = OVNPortStates()
        let chassisChanged = Signal()
        self.states = states
        self.chassisChanged = chassisChanged
        northbound = OVSDBConnection("ovn-nb", endpoints: configuration.northbound, monitor: OVNNorthbound.monitor) {
            states.receive($0)
        }
        southbound = OVSDBConnection("ovn-sb", endpoints: configuration.southbound, monitor: OVNHosts.monitor) { _ in
            chassisChanged.wake()
        }
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.northbound.run() }
            group.addTask { try await self.southbound.run() }
            group.addTask { await self.followChassis() }
            group.addTask { await self.watchHosts() }
            try await group.waitForAll()
        }
    }

    // MARK: NetworkDriver

    package func apply(_ objects: [LogicalObject], removed: [LogicalKey]) async throws {
        let changes = objects.map { ($0.key, Optional($0)) } + removed.map { ($0, nil) }
        try await lane.run {
            let work = self.known.withLock { $0.take(changes) }
            do {
                try await self.write(work.units, and: work.owed)
                self.known.withLock { $0.accept(changes.map(\.0)) }
            } catch {
                self.known.withLock { $0.takeBack(work, isRefused: (error as? CloudError)?.isRefusal ?? false) }
                throw error
            }
        }
    }

    package func synchronize(_ objects: [LogicalObject], keeping kept: Set<LogicalKey>) async throws -> Int {
        try await lane.run {
            let before = self.known.withLock { $0.replace(with: objects, keeping: kept) }
            do {
                let changes = try await self.write(nil)
                self.known.withLock { $0.isSynchronized = true }
                self.chassisChanged.wake()
                return changes
            } catch {
                self.known.withLock { $0.restore(before) }
                throw error
            }
        }
    }

    package func portStates() -> AsyncStream<PortStateChange> {
        let known = try? northbound.read { OVNPortStates.all($0) }  // A replica that comes later tells everything then.
        return states.subscribe(known ?? [])
    }

    package func portsUp() async throws -> Set<PortID> {
        try await northbound.ready(within: Self.readyLimit)
        return try northbound.read { Set(OVNPortStates.all($0).filter(\.isUp).map(\.port)) }
    }

    package func chassis() async throws -> [NetworkChassis] {
        try await southbound.ready(within: Self.readyLimit)
        return try southbound.read { hosts.chassis($0, downAfter: configuration.agentDownTime, now: .now) }
    }

    package func gatewayPlaces() async throws -> [RouterID: [String]] {
        try await northbound.ready(within: Self.readyLimit)
        return try northbound.read { OVNHosts.gatewayPlaces($0) }
    }

    // MARK: Writing

    /// Writes a call's own units, and with them what is owed. What is owed must not fail the call.
    private func write(_ own: Set<OVNUnit>, and owed: Set<OVNUnit>) async throws {
        guard !own.isEmpty || !owed.isEmpty else { return }
        do {
            try await write(own.union(owed))
        } catch let error as CloudError where error.isRefusal && !owed.isSubset(of: own) {
            known.withLock { $0.owed.formUnion(owed) }
            chassisChanged.wake()
            try await write(own)
        }
    }

    /// Writes what is owed. A unit that is refused is left to `synchronize`: it must not hold up the others.
    private func writeOwed() async throws {
        let owed = known.withLock { $0.takeOwed() }
        do {
            do {
                if !owed.isEmpty { try await write(owed) }
            } catch let error as CloudError where error.isRefusal {
                for unit in owed.sorted(by: { $0.text < $1.text }) {
                    do {
                        try await write([unit])
                    } catch let error as CloudError where error.isRefusal {
                        log.error("rows are refused", ["unit": unit.text, "error": error.description])
                    }
                }
            }
        } catch {
            known.withLock { $0.owed.formUnion(owed) }
            throw error
        }
    }

    /// Makes the units' rows so; all rows when `units` is nil. Only inside the lane. Returns how much was changed.
    @discardableResult
    private func write(_ units: Set<OVNUnit>?) async throws -> Int {
        try await northbound.ready(within: Self.readyLimit)
        do {
            try refreshChassis()
        } catch {
            // Without knowledge of the hosts the gateways would lose theirs. Old knowledge will do.
            try await southbound.ready(within: Self.readyLimit)
            try refreshChassis()
        }
        var attempt = 1
        while true {
            let plan = try plan(units)
            guard !plan.transaction.isEmpty else { return plan.changes }
            do {
                let result = try await northbound.transact(plan.transaction)
                if result.isComplete { return plan.changes }
            } catch let error as CloudError where error.code == .conflict && attempt < 2 {
                log.debug("transaction met another writer", ["cause": error.cause ?? ""])
            }
            // Somebody else was faster. The replica knows by now.
            attempt += 1
            guard attempt <= Self.attempts else {
                throw CloudError(.unavailable, "The network database changes too fast. Please retry later.")
            }
        }
    }

    private func plan(_ units: Set<OVNUnit>?) throws -> OVNPlan {
        try northbound.read { replica in
            let isBare = replica.find(OVNNorthbound.id(.portGroup), .string(OVNTranslation.dropGroup)).isEmpty
            return known.withLock { known in
                let translation = OVNTranslation(world: known.world, configuration: configuration)
                let scope = units.map { isBare ? $0.union([.shared]) : $0 }
                let untouched = known.untouched
                return OVNDiffer.plan(
                    translation.rows(of: scope ?? known.world.units.subtracting(untouched)), in: scope,
                    keeping: untouched, replica)
            }
        }
    }

    // MARK: Hosts

    /// Takes the hosts from the Southbound replica. Gateways that are to follow them are owed then.
    private func refreshChassis() throws {
        let chassis = try southbound.read { OVNHosts.gatewayChassis($0) }
        known.withLock { $0.setChassis(chassis) }
    }

    /// Gateways follow hosts that come and go.
    private func followChassis() async {
        while await chassisChanged.wait() {
            do {
                try refreshChassis()
                guard known.withLock({ $0.isSynchronized && !$0.owed.isEmpty }) else { continue }
                try await lane.run { try await self.writeOwed() }
            } catch {
                guard !Task.isCancelled else { return }
                log.warning("gateways not updated", ["error": "\(error)"])
                guard await Signal().wait(atMost: .seconds(2)) || !Task.isCancelled else { return }
                chassisChanged.wake()
            }
        }
    }

    /// Asks all hosts, from time to time, to follow a counter: who does not is down.
    private func watchHosts() async {
        let pause = configuration.agentDownTime / 2.5
        while !Task.isCancelled {
            do {
                try await southbound.ready(within: Self.readyLimit)
                try southbound.read { hosts.observe($0, now: .now) }
                var transaction = OVSDBTransaction()
                transaction.mutateAll("NB_Global", [.add("nb_cfg", 1)])
                try await northbound.transact(transaction)
                hosts.asked(try northbound.read { $0.rows("NB_Global").values.first?.int("nb_cfg") ?? 0 })
            } catch {
                log.debug("hosts not asked", ["error": "\(error)"])
            }
            await Signal().wait(atMost: pause)
        }
    }
}

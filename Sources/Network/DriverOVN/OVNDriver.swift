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
/// Wanted objects stay in memory, so that a change is completed where it touches others. Call `synchronize` once after
/// the start: until then the driver writes no more than the objects it is given.
package final class OVNDriver: NetworkDriver, Service {
    /// A recent `apply`: newer than what a caller of `synchronize` may have read.
    private struct Recent {
        var object: LogicalObject?
        /// Nil while the call runs.
        var until: ContinuousClock.Instant?
        var call: UInt64
    }
    private struct State {
        var world = OVNWorld()
        var dirty: Set<OVNUnit> = []
        var isSynchronized = false
        var recent: [LogicalKey: Recent] = [:]
        var calls: UInt64 = 0
    }

    /// How long a data base may take to come, and how often a transaction that met another writer is tried.
    private static let readyLimit = Duration.seconds(10)
    private static let attempts = 4

    package let name = "ovn"
    package let capabilities = NetworkCapabilities(
        providerTypes: ["geneve", "flat", "vlan"], tenantTypes: ["geneve"], hasStatelessGroups: true)

    let configuration: OVNConfiguration
    let northbound: OVSDBConnection
    let southbound: OVSDBConnection
    private let states: OVNPortStates
    private let hosts = OVNHosts()
    private let chassisChanged: Signal
    private let state = Mutex(State())
    /// One transaction at a time; calls that come meanwhile are written together by the next.
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
        let (units, call) = state.withLock { state -> (Set<OVNUnit>, UInt64) in
            state.calls += 1
            var units: Set<OVNUnit> = []
            for object in objects {
                units.formUnion(note(object, at: object.key, &state))
            }
            for key in removed { units.formUnion(note(nil, at: key, &state)) }
            state.dirty.formUnion(units)
            return (units, state.calls)
        }
        defer { settle(call, objects.map(\.key) + removed) }
        guard !units.isEmpty else { return }
        try await lane.run { try await self.flush(units) }
    }

    package func synchronize(_ objects: [LogicalObject]) async throws -> Int {
        try await lane.run {
            self.state.withLock { self.replaceWorld(objects, &$0) }
            let changes = try await self.write(nil)
            self.state.withLock { $0.isSynchronized = true }
            return changes
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

    // MARK: World

    private func note(_ object: LogicalObject?, at key: LogicalKey, _ state: inout State) -> Set<OVNUnit> {
        state.recent[key] = Recent(object: object, until: nil, call: state.calls)
        let units = object.map { state.world.set($0) } ?? state.world.remove(key)
        // With half the world unknown, what belongs to many objects would be computed from a part of them.
        return state.isSynchronized ? units : units.intersection([key.unit])
    }

    private func settle(_ call: UInt64, _ keys: [LogicalKey]) {
        let now = ContinuousClock.now
        state.withLock { state in
            for key in keys where state.recent[key]?.call == call {
                state.recent[key]?.until = now + configuration.applyGrace
            }
            if state.recent.count > 4096 {
                state.recent = state.recent.filter { $0.value.until.map { $0 > now } ?? true }
            }
        }
    }

    private func replaceWorld(_ objects: [LogicalObject], _ state: inout State) {
        let now = ContinuousClock.now
        state.recent = state.recent.filter { $0.value.until.map { $0 > now } ?? true }
        var world = OVNWorld(objects, gatewayChassis: state.world.gatewayChassis)
        for (key, recent) in state.recent {
            _ = recent.object.map { world.set($0) } ?? world.remove(key)
        }
        state.world = world
    }

    // MARK: Writing

    /// Writes the units of one call, and what others wait to have written.
    private func flush(_ own: Set<OVNUnit>) async throws {
        let work = state.withLock { state -> Set<OVNUnit> in
            // The call before this one may have taken them along.
            guard !own.isDisjoint(with: state.dirty) else { return [] }
            defer { state.dirty = [] }
            return state.dirty
        }
        guard !work.isEmpty else { return }
        do {
            try await write(work)
        } catch let error as CloudError where error.code == .conflict {
            // One bad object must not fail the calls of others: each then writes its own.
            let others = work.subtracting(own)
            state.withLock { $0.dirty.formUnion(others) }
            guard !others.isEmpty else { throw error }
            try await write(own)
        } catch {
            state.withLock { $0.dirty.formUnion(work) }
            throw error
        }
    }

    /// Makes the units' rows so; all rows when `units` is nil. Only inside the lane. Returns how much was changed.
    @discardableResult
    private func write(_ units: Set<OVNUnit>?) async throws -> Int {
        try await northbound.ready(within: Self.readyLimit)
        do {
            _ = try refreshChassis()
        } catch {
            // Without knowledge of the hosts the gateways would lose theirs. Old knowledge will do.
            try await southbound.ready(within: Self.readyLimit)
            _ = try refreshChassis()
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
            return state.withLock { state in
                let translation = OVNTranslation(world: state.world, configuration: configuration)
                let scope = units.map { isBare ? $0.union([.shared]) : $0 }
                return OVNDiffer.plan(translation.rows(of: scope ?? state.world.units), in: scope, replica)
            }
        }
    }

    // MARK: Hosts

    /// Takes the hosts from the Southbound replica. Returns the units that this changes.
    private func refreshChassis() throws -> Set<OVNUnit> {
        let chassis = try southbound.read { OVNHosts.gatewayChassis($0) }
        return state.withLock { state in
            guard state.world.gatewayChassis != chassis else { return [] }
            state.world.gatewayChassis = chassis
            guard state.isSynchronized else { return [] }
            state.dirty.formUnion(state.world.gatewayRouters)
            return state.world.gatewayRouters
        }
    }

    /// Gateways follow hosts that come and go.
    private func followChassis() async {
        while await chassisChanged.wait() {
            do {
                let units = try refreshChassis().union(state.withLock { $0.dirty })
                guard !units.isEmpty, state.withLock({ $0.isSynchronized }) else { continue }
                try await lane.run { try await self.flush(units) }
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

extension LogicalKey {
    var unit: OVNUnit {
        switch self {
        case .network(let id): .network(id.rawValue)
        case .port(let id): .port(id.rawValue)
        case .router(let id): .router(id.rawValue)
        case .securityGroup(let id): .group(id.rawValue)
        }
    }
}

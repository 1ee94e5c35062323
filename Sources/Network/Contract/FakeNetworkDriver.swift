// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// A data plane in memory, for tests and for measuring the engine alone. Ports come up by themselves once they have a
/// host, unless a test says otherwise.
package final class FakeNetworkDriver: NetworkDriver {
    private struct State {
        var objects: [LogicalKey: LogicalObject] = [:]
        var up: Set<PortID> = []
        var listeners: [Int: AsyncStream<PortStateChange>.Continuation] = [:]
        var nextListener = 0
        var failures: [any Error] = []
        var refused: Set<LogicalKey> = []
        var comesUp = true
        var applied = 0
        var chassis: [NetworkChassis] = []
    }
    private let state: Mutex<State>
    private let afterLook = Mutex<(@Sendable () async -> Void)?>(nil)

    package let capabilities = {
        var capabilities = NetworkCapabilities(
            providerTypes: ["flat", "vlan", "geneve"], hasStatelessGroups: true)
        capabilities.hasExtraDHCPOptions = true
        capabilities.qosRules = [.bandwidthLimit, .dscpMarking, .minimumBandwidth]
        capabilities.hasTrunks = true
        capabilities.hasPortForwarding = true
        capabilities.hasExtraGateways = true
        capabilities.hasConntrackHelpers = true
        capabilities.hasMetering = true
        capabilities.hasLogs = true
        return capabilities
    }()

    package init(
        chassis: [NetworkChassis] = [
            NetworkChassis(
                id: "6f0f1a52-6d0a-4d6e-9a4e-3c8d1f5b7a11", hostname: "fake", isGateway: true, isAlive: true)
        ]
    ) {
        var state = State()
        state.chassis = chassis
        self.state = Mutex(state)
    }

    // MARK: For tests

    /// What the data plane holds.
    package var objects: [LogicalKey: LogicalObject] { state.withLock { $0.objects } }
    /// How many calls of `apply` succeeded.
    package var applied: Int { state.withLock { $0.applied } }

    /// The next calls of `apply` and `synchronize` throw these, in order.
    package func failNext(_ errors: [any Error]) { state.withLock { $0.failures += errors } }

    /// Objects that every call refuses from now on, whether they are given or removed.
    package func refuse(_ keys: Set<LogicalKey>) { state.withLock { $0.refused = keys } }

    /// Runs once in the next `portsUp`, when its answer is old already.
    package func afterNextLook(_ body: @escaping @Sendable () async -> Void) { afterLook.withLock { $0 = body } }

    /// Whether ports with a host come up by themselves.
    package func setComesUp(_ comesUp: Bool) { state.withLock { $0.comesUp = comesUp } }

    /// Forgets or spoils an object behind the engine's back.
    package func tamper(_ key: LogicalKey, _ object: LogicalObject?) { state.withLock { $0.objects[key] = object } }

    package func setUp(_ port: PortID, _ isUp: Bool, host: String? = nil) {
        state.withLock { state in
            if isUp { state.up.insert(port) } else { state.up.remove(port) }
            Self.tell([PortStateChange(port: port, isUp: isUp, host: host)], &state)
        }
    }

    // MARK: NetworkDriver

    package func gatewayPlaces() async throws -> [RouterID: [String]] {
        state.withLock { state in
            var places: [RouterID: [String]] = [:]
            for case .router(let router) in state.objects.values where router.interfaces.contains(where: \.isGateway) {
                let chassis = state.chassis.filter { $0.isGateway && !router.excludedChassis.contains($0.id) }
                if !chassis.isEmpty { places[router.id] = chassis.map(\.id) }
            }
            return places
        }
    }

    package func apply(_ objects: [LogicalObject], removed: [LogicalKey]) async throws {
        try state.withLock { state in
            try Self.failOnce(&state)
            try Self.refuse(objects.map(\.key) + removed, state)
            for object in objects { state.objects[object.key] = object }
            for key in removed { state.objects[key] = nil }
            state.applied += 1
            Self.settle(&state)
        }
    }

    package func synchronize(_ objects: [LogicalObject], keeping kept: Set<LogicalKey>) async throws -> Int {
        try state.withLock { state in
            try Self.failOnce(&state)
            try Self.refuse(objects.map(\.key), state)
            var wanted = state.objects.filter { kept.contains($0.key) }
            for object in objects where !kept.contains(object.key) { wanted[object.key] = object }
            let changed = wanted.count { state.objects[$0.key] != $0.value }
            let gone = state.objects.keys.count { wanted[$0] == nil }
            state.objects = wanted
            Self.settle(&state)
            return changed + gone
        }
    }

    package func portStates() -> AsyncStream<PortStateChange> {
        let (stream, continuation) = AsyncStream.makeStream(of: PortStateChange.self)
        let number = state.withLock { state in
            state.nextListener += 1
            state.listeners[state.nextListener] = continuation
            for port in state.up.sorted() { continuation.yield(PortStateChange(port: port, isUp: true, host: nil)) }
            return state.nextListener
        }
        continuation.onTermination = { [weak self] _ in
            _ = self?.state.withLock { $0.listeners.removeValue(forKey: number) }
        }
        return stream
    }

    package func portsUp() async throws -> Set<PortID> {
        let up = state.withLock { $0.up }
        let body = afterLook.withLock { body in
            defer { body = nil }
            return body
        }
        await body?()
        return up
    }

    package func chassis() async throws -> [NetworkChassis] { state.withLock { $0.chassis } }

    // MARK: Private

    private static func failOnce(_ state: inout State) throws {
        if !state.failures.isEmpty { throw state.failures.removeFirst() }
    }

    private static func refuse(_ keys: [LogicalKey], _ state: State) throws {
        if let key = keys.first(where: state.refused.contains) {
            throw CloudError(.conflict, "The data plane refused the change.", cause: "\(key)")
        }
    }

    private static func tell(_ changes: [PortStateChange], _ state: inout State) {
        for change in changes { for listener in state.listeners.values { listener.yield(change) } }
    }

    /// Ports that shall be up come up; ports that went away or lost their host go down.
    private static func settle(_ state: inout State) {
        guard state.comesUp else { return }
        var wanted: [PortID: String?] = [:]
        for case .port(let port) in state.objects.values where shallBeUp(port) { wanted[port.id] = port.host }
        let changes =
            state.up.filter { wanted[$0] == nil }.map { PortStateChange(port: $0, isUp: false, host: nil) }
            + wanted.filter { !state.up.contains($0.key) }.map {
                PortStateChange(port: $0.key, isUp: true, host: $0.value)
            }
        state.up = Set(wanted.keys)
        tell(changes, &state)
    }

    private static func shallBeUp(_ port: LogicalPort) -> Bool {
        if case .router = port.kind { return port.isEnabled }
        return port.host != nil && port.isEnabled
    }
}

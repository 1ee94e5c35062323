// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPServer
import LifecycleKit
import LogKit
import MessagingKit
import NetworkContract
import OVSDBKit

/// Network's part on each host: brings the metadata service to the networks that have guests here.
///
/// A reconciler: woken by changes of the Southbound database and by a timer, it compares what should be with what is.
package struct NetworkAgent: Service {
    package struct Configuration: Sendable {
        /// This host's `system-id`.
        package var chassis: String
        package var southbound: [OVSDBEndpoint]
        package var localSwitch: OVSDBEndpoint
        package var integrationBridge: String

        package init(
            chassis: String, southbound: [OVSDBEndpoint], localSwitch: OVSDBEndpoint = LocalSwitch.defaultEndpoint,
            integrationBridge: String = HostNetworkSetup.integrationBridge
        ) {
            self.chassis = chassis
            self.southbound = southbound
            self.localSwitch = localSwitch
            self.integrationBridge = integrationBridge
        }
    }

    private static let readyLimit = Duration.seconds(30)
    private static let scanInterval = Duration.seconds(60)
    private static let retryPause = Duration.seconds(2)
    /// A network keeps its namespace for so long after its last port left: guests that restart come back at once.
    private static let idleLimit = Duration.seconds(5)

    private let configuration: Configuration
    private let local: LocalSwitch
    private let southbound: OVSDBConnection
    private let server: HTTPServer
    private let namespaces: MetadataNamespace
    private let changed: Signal
    private let log = Logger("network-agent")

    package var name: String { "network agent" }

    package init(_ configuration: Configuration, bus: any MessageBus) {
        self.configuration = configuration
        let changed = Signal()
        self.changed = changed
        local = LocalSwitch(configuration.localSwitch)
        southbound = OVSDBConnection(
            "agent-sb", endpoints: configuration.southbound, monitor: MetadataPlan.monitor
        ) { _ in changed.wake() }
        var limits = HTTPLimits()
        limits.threads = 1
        limits.idleTime = .seconds(30)
        server = HTTPServer(listeners: [], handler: MetadataProxy(bus: bus), limits: limits)
        namespaces = MetadataNamespace(local: local, server: server, bridge: configuration.integrationBridge)
    }

    package func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.local.run() }
            group.addTask { try await self.southbound.run() }
            group.addTask { try await self.server.run() }
            group.addTask { await self.reconcile() }
            try await group.waitForAll()
        }
    }

    /// What the loop remembers between its rounds.
    private struct Progress {
        var built: [NetworkID: MetadataNetwork] = [:]
        var idleSince: [NetworkID: ContinuousClock.Instant] = [:]
    }

    private func reconcile() async {
        var progress = Progress()
        while !Task.isCancelled {
            var pause = Self.scanInterval
            do {
                try await southbound.ready(within: Self.readyLimit)
                pause = try await round(&progress)
            } catch {
                guard !Task.isCancelled else { return }
                log.warning("metadata not ready", ["error": "\(error)"])
                pause = Self.retryPause
            }
            await changed.wait(atMost: pause)
        }
    }

    /// One comparison. Returns when the next is due.
    private func round(_ progress: inout Progress) async throws -> Duration {
        let chassis = try southbound.read { MetadataPlan.chassis(configuration.chassis, $0) }
        // ovn-controller makes the chassis; before that, and while it is away, nothing is known of this host.
        guard let chassis else { return Self.scanInterval }
        try await southbound.watch("Port_Binding", where: MetadataPlan.conditions(chassis: chassis))
        let wanted = try southbound.read { MetadataPlan.networks(on: chassis, $0) }
        var failure: (any Error)?
        for (id, network) in wanted {
            progress.idleSince[id] = nil
            guard progress.built[id] != network else { continue }
            do {
                try await namespaces.build(network)
                progress.built[id] = network
                log.info("metadata on", ["network": id])
            } catch {
                // The other networks must not wait for this one.
                log.warning("metadata not built", ["network": id, "error": "\(error)"])
                failure = error
            }
        }
        let pause = try await removeIdle(wanted, &progress)
        if let failure { throw failure }
        return pause
    }

    /// Removes what no guest has needed for a while. Returns when the next will be due.
    private func removeIdle(
        _ wanted: [NetworkID: MetadataNetwork], _ progress: inout Progress
    ) async throws -> Duration {
        var pause = Self.scanInterval
        let now = ContinuousClock.now
        for id in try namespaces.existing() where wanted[id] == nil {
            let since = progress.idleSince[id] ?? now
            progress.idleSince[id] = since
            guard now - since >= Self.idleLimit else {
                pause = min(pause, Self.idleLimit - (now - since) + .milliseconds(10))
                continue
            }
            try await namespaces.remove(id)
            progress.built[id] = nil
            progress.idleSince[id] = nil
            log.info("metadata off", ["network": id])
        }
        return pause
    }
}

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
    private static let retryPause = Duration.seconds(2)

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

    private func reconcile() async {
        var keeper = MetadataKeeper(namespaces)
        while !Task.isCancelled {
            var pause = MetadataKeeper.scanInterval
            do {
                try await southbound.ready(within: Self.readyLimit)
                if let wanted = try await wanted() { pause = try await keeper.round(wanted) }
            } catch {
                guard !Task.isCancelled else { return }
                log.warning("metadata not ready", ["error": "\(error)"])
                pause = Self.retryPause
            }
            await changed.wait(atMost: pause)
        }
    }

    /// The networks with guests here. Nil: nothing is known of this host, before ovn-controller makes its chassis and
    /// while it is away.
    private func wanted() async throws -> [NetworkID: MetadataNetwork]? {
        let chassis = try southbound.read { MetadataPlan.chassis(configuration.chassis, $0) }
        guard let chassis else { return nil }
        try await southbound.watch("Port_Binding", where: MetadataPlan.conditions(chassis: chassis))
        return try southbound.read { MetadataPlan.networks(on: chassis, $0) }
    }
}

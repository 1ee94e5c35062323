// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What a data plane does for the network engine. Every call may be repeated.
///
/// Order of objects in one call does not matter: a driver that meets a reference to an object that is not there yet
/// keeps what it can and completes it when the other arrives. Each call gives what is newest; who has several callers
/// lets one at a time read and call.
///
/// `apply` and `synchronize` throw `.unavailable` when the data plane cannot be reached or did not answer: they may
/// have been done or not. Any other `CloudError` is a refusal: nothing was done, and the same will be refused again.
package protocol NetworkDriver: Sendable {
    /// Features this data plane has; the engine refuses the rest before it asks.
    var capabilities: NetworkCapabilities { get }

    /// Makes the objects so, and removes what `removed` names. Returns once the engine of the data plane has taken it
    /// durably; the hosts follow. One call is one transaction where the data plane has such.
    func apply(_ objects: [LogicalObject], removed: [LogicalKey]) async throws

    /// Makes the whole data plane equal to `objects`: creates, corrects, removes what is not named. What `kept` names
    /// stays as it is. Returns how many things it had to change, so 0 means that both sides were equal.
    func synchronize(_ objects: [LogicalObject], keeping kept: Set<LogicalKey>) async throws -> Int

    /// Ports that came up (plugged and programmed on a host) or went down. After a reconnect, every port's state again.
    func portStates() -> AsyncStream<PortStateChange>

    /// Which ports are up now; the reconciler compares it with the database.
    func portsUp() async throws -> Set<PortID>

    /// Hosts of the data plane, for the agent list.
    func chassis() async throws -> [NetworkChassis]

    /// Chassis that carry the gateways of routers, the one that does so now first. Routers without one are not named.
    func gatewayPlaces() async throws -> [RouterID: [String]]
}

extension NetworkDriver {
    package func synchronize(_ objects: [LogicalObject]) async throws -> Int {
        try await synchronize(objects, keeping: [])
    }
}

extension CloudError {
    /// Of a driver's call: the data plane is there and does not take these objects.
    package var isRefusal: Bool { code != .unavailable }
}

package struct PortStateChange: Sendable, Equatable {
    package var port: PortID
    package var isUp: Bool
    /// The chassis that says so.
    package var host: String?
    package init(port: PortID, isUp: Bool, host: String?) {
        self.port = port
        self.isUp = isUp
        self.host = host
    }
}

package struct NetworkCapabilities: Sendable, Equatable {
    package var providerTypes: Set<String>
    package var hasStatelessGroups: Bool
    /// Whether `LogicalPort.extraDHCPOptions` reach the guest; the API offers them only then.
    package var hasExtraDHCPOptions = false
    /// Rules of QoS policies that this data plane enforces.
    package var qosRules: Set<QoSRuleKind> = []
    package var hasTrunks = false
    package var hasPortForwarding = false
    /// Whether a router may have several gateways.
    package var hasExtraGateways = false
    /// Whether routers look into protocols such as FTP.
    package var hasConntrackHelpers = false
    /// Whether hosts write down what groups let pass and drop.
    package var hasLogs = false
    /// Whether routers count traffic by label.
    package var hasMetering = false
    package init(providerTypes: Set<String>, hasStatelessGroups: Bool) {
        self.providerTypes = providerTypes
        self.hasStatelessGroups = hasStatelessGroups
    }
}

package struct NetworkChassis: Sendable, Equatable, Codable {
    package var id: String
    package var hostname: String
    package var isGateway: Bool
    package var isAlive: Bool
    package init(id: String, hostname: String, isGateway: Bool, isAlive: Bool) {
        self.id = id
        self.hostname = hostname
        self.isGateway = isGateway
        self.isAlive = isAlive
    }
}

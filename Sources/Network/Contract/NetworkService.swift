// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum NetworkTag {}
package enum SubnetTag {}
package enum PortTag {}
package enum RouterTag {}
package enum FloatingIPTag {}
package enum SecurityGroupTag {}
package enum SecurityGroupRuleTag {}
package enum AddressGroupTag {}
package typealias NetworkID = ID<NetworkTag>
package typealias SubnetID = ID<SubnetTag>
package typealias PortID = ID<PortTag>
package typealias RouterID = ID<RouterTag>
package typealias FloatingIPID = ID<FloatingIPTag>
package typealias SecurityGroupID = ID<SecurityGroupTag>
package typealias SecurityGroupRuleID = ID<SecurityGroupRuleTag>
package typealias AddressGroupID = ID<AddressGroupTag>

/// What Compute asks for when it makes a port for a server.
package struct ServerPortRequest: Sendable, Codable {
    package var network: NetworkID
    package var fixedAddress: String?
    /// Nil: the project's default group.
    package var securityGroups: [SecurityGroupID]?
    package var name: String
    /// What DNS calls the server.
    package var hostname: String?

    package init(
        network: NetworkID, fixedAddress: String? = nil, securityGroups: [SecurityGroupID]? = nil, name: String = ""
    ) {
        self.network = network
        self.fixedAddress = fixedAddress
        self.securityGroups = securityGroups
        self.name = name
    }
}

/// A port as Compute, its agent and the metadata service see it.
package struct ServerPort: Sendable, Codable, Equatable {
    package struct FixedAddress: Sendable, Codable, Equatable {
        package var address: String
        package var subnet: SubnetID
        package var prefixLength: Int
        package var gateway: String?
        package var dnsServers: [String]
        package var hostRoutes: [HostRoute]
        package var usesDHCP: Bool
        package init(
            address: String, subnet: SubnetID, prefixLength: Int, gateway: String?, dnsServers: [String],
            hostRoutes: [HostRoute], usesDHCP: Bool
        ) {
            self.address = address
            self.subnet = subnet
            self.prefixLength = prefixLength
            self.gateway = gateway
            self.dnsServers = dnsServers
            self.hostRoutes = hostRoutes
            self.usesDHCP = usesDHCP
        }
    }
    package struct HostRoute: Sendable, Codable, Equatable {
        package var destination: String
        package var nextHop: String
        package init(destination: String, nextHop: String) {
            self.destination = destination
            self.nextHop = nextHop
        }
    }

    package var id: PortID
    package var network: NetworkID
    package var networkName: String
    package var macAddress: String
    package var mtu: Int
    package var fixedAddresses: [FixedAddress]
    /// Floating addresses by the fixed address that they point to.
    package var floatingAddresses: [String: [String]]
    package var securityGroupNames: [String]
    /// The server, or empty.
    package var deviceID: String
    package var project: ProjectID?
    /// Whether the data plane says that it is plugged and programmed.
    package var isUp: Bool
    /// Whether Compute made it, and so removes it with the server.
    package var isOwnedByCompute: Bool

    package init(
        id: PortID, network: NetworkID, networkName: String, macAddress: String, mtu: Int,
        fixedAddresses: [FixedAddress], floatingAddresses: [String: [String]], securityGroupNames: [String],
        deviceID: String, project: ProjectID?, isUp: Bool, isOwnedByCompute: Bool
    ) {
        self.id = id
        self.network = network
        self.networkName = networkName
        self.macAddress = macAddress
        self.mtu = mtu
        self.fixedAddresses = fixedAddresses
        self.floatingAddresses = floatingAddresses
        self.securityGroupNames = securityGroupNames
        self.deviceID = deviceID
        self.project = project
        self.isUp = isUp
        self.isOwnedByCompute = isOwnedByCompute
    }

    /// The tap device, as upstream names it: `tap` and the first 11 characters of the id.
    package var tapName: String { "tap" + id.rawValue.prefix(11) }
}

/// What Compute asks of Network. Calls that act for a user take the principal and check what that user may use.
package protocol NetworkService: Sendable {
    /// Networks a server of `principal`'s project may be put on when the request names none: its own, else shared.
    func networksForServers(of principal: Principal) async throws -> [(id: NetworkID, name: String)]

    /// "Get me a network": the network of a project that has none, with subnets and a router by the cloud's defaults.
    /// The same one when it is asked for again. Throws `.conflict` when the cloud lacks the defaults.
    func ensureNetwork(for principal: Principal) async throws -> NetworkID

    /// Throws `.badRequest` or `.notFound` with upstream's words when the request could not be met: unknown network, no
    /// subnet, foreign port, port in use, address taken. Changes nothing. Runs before a server is accepted.
    func validate(networks: [ServerPortRequest], ports: [PortID], for principal: Principal) async throws

    /// Group ids for names or ids. Throws `.badRequest` naming the one that does not exist, or is ambiguous.
    func securityGroups(named names: [String], for principal: Principal) async throws -> [SecurityGroupID]

    /// Makes the port with `id`, or returns it when it is there: a saga may ask twice. `.overQuota` when there is no
    /// room.
    func ensureServerPort(
        _ id: PortID, _ request: ServerPortRequest, server: String, zone: String, for principal: Principal
    ) async throws -> ServerPort

    /// Takes an existing port of the user for `server`. `.conflict` when another device holds it.
    func claimPort(_ id: PortID, server: String, zone: String, for principal: Principal) async throws -> ServerPort

    /// Binds a port of `server` to a host, so that its data plane expects it there.
    func bindPort(_ id: PortID, server: String, host: String) async throws

    /// Takes a port of `server` from its host; the port stays the server's. Not an error when it is on none.
    func unbindPort(_ id: PortID, server: String) async throws

    /// Deletes a port that Compute made; lets go of one that the user brought. Not an error when it is gone.
    func releasePort(_ id: PortID, server: String) async throws

    /// Puts every port of `server` into a security group, or takes them out. Throws `.notFound` when there is no port
    /// to take out, `.badRequest` when a port can be in no group.
    func setSecurityGroup(
        _ id: SecurityGroupID, isMember: Bool, ofServer server: String, in project: ProjectID
    ) async throws

    /// Ports of each server in the order they were made. One query, whatever the number. A server comes with its
    /// project: anybody may write a server's id into a port, and only its own project's ports are the server's.
    func ports(ofServers servers: [String: ProjectID]) async throws -> [String: [ServerPort]]

    /// The port with `address` on `network`: who asks the metadata service. Nil when there is none.
    func port(on network: NetworkID, withAddress address: String) async throws -> ServerPort?

    /// All device ids of compute ports, for the leak check.
    func serverDevices() async throws -> [PortID: String]

    /// Waits until the data plane says that the port is up. False when `limit` passes first.
    func waitUntilUp(_ id: PortID, limit: Duration) async throws -> Bool

    /// Every fixed address of a server's port, of one project or of all. As in `ports(ofServers:)`, a port is the
    /// server's if the project is.
    func serverAddresses(
        of project: ProjectID?
    ) async throws -> [(server: String, project: ProjectID, address: String)]
}

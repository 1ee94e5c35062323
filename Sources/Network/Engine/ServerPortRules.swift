// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// What a user may put a server on.
extension NetworkEngine {
    static func complete(_ port: Port, _ change: NetworkChange) throws -> ServerPort {
        guard let complete = try ServerPortStore.complete([port], change.transaction).first else {
            preconditionFailure("a port was completed to none")
        }
        return complete
    }

    /// The network, when servers of `principal` may be on it: its project's own or shared with it.
    static func usable(_ id: NetworkID, by principal: Principal, _ transaction: any Transaction) throws -> Network {
        let isAdmin = principal.hasRole("admin")
        guard let network = try NetworkStore.find(id, for: principal.projectID, transaction),
            isAdmin || network.project == principal.projectID || network.isShared || network.isExternal
        else { throw CloudError.badRequest("Network \(id) could not be found.", kind: "NetworkNotFound") }
        guard isAdmin || network.project == principal.projectID || network.isShared else {
            throw CloudError(
                .forbidden, "It is not allowed to create an interface on external network \(id)",
                kind: "ExternalNetworkAttachForbidden")
        }
        return network
    }

    static func usable(_ id: PortID, by principal: Principal, _ transaction: any Transaction) throws -> Port {
        guard let port = try PortStore.find(id, transaction),
            principal.hasRole("admin") || port.project == principal.projectID
        else { throw CloudError.badRequest("Port id \(id) could not be found.", kind: "PortNotFound") }
        // Not even an administrator mixes projects: a server has the ports of its own.
        guard port.project == principal.projectID else {
            throw CloudError.badRequest("Port \(id) not usable for instance.", kind: "PortNotUsable")
        }
        return port
    }

    static func check(
        _ text: String?, on network: Network, _ subnets: [Subnet], by principal: Principal,
        _ transaction: any Transaction
    ) throws {
        guard let text else { return }
        guard let address = IPAddress(text) else {
            throw CloudError.badRequest(
                "Invalid fixed IP Address \(text.prefix(64)) in request", kind: "FixedIpInvalid")
        }
        // create_port:fixed_ips:ip_address: on a shared network only its owner chooses.
        guard principal.hasRole("admin") || network.project == principal.projectID else {
            throw CloudError(
                .forbidden, "(rule:create_port and rule:create_port:fixed_ips:ip_address) is disallowed by policy",
                kind: "PolicyNotAuthorized")
        }
        guard let subnet = subnets.first(where: { $0.cidr.contains(address) }), subnet.cidr.hosts.contains(address)
        else {
            throw CloudError.badRequest(
                "IP address \(address) is not a valid IP for any of the subnets on the specified network.",
                kind: "InvalidIpForNetwork")
        }
        guard try !PortStore.isTaken(address, in: subnet.id, transaction) else {
            throw CloudError.badRequest(
                "Fixed IP address \(address) is already in use on network \(network.id).", kind: "FixedIpAlreadyInUse")
        }
    }
}

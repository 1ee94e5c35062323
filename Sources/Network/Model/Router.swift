// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A layer-3 router between a project's networks, with gateways to external ones.
package struct Router: Sendable, Equatable {
    package struct Route: Sendable, Hashable {
        package var destination: String
        package var nextHop: String
        package init(destination: String, nextHop: String) {
            self.destination = destination
            self.nextHop = nextHop
        }
    }

    /// A gateway besides the first.
    package struct Gateway: Sendable, Equatable {
        package var port: PortID
        package var network: NetworkID
        /// A JSON list, as the API shows it.
        package var addressesJSON: String
        package init(port: PortID, network: NetworkID, addressesJSON: String) {
            self.port = port
            self.network = network
            self.addressesJSON = addressesJSON
        }
    }

    package var id: RouterID
    package var project: ProjectID
    package var name: String
    package var isEnabled: Bool
    package var gatewayNetwork: NetworkID?
    package var gatewayPort: PortID?
    package var usesSNAT: Bool
    /// A JSON list, as the API shows it.
    package var routesJSON: String
    package var flavor: NetworkFlavorID?
    /// A JSON list of strings.
    package var zoneHints: String
    /// Of the gateway port; a JSON list.
    package var gatewayAddressesJSON: String
    package var standard: StandardAttributes
    package var gatewayQoSPolicy: QoSPolicyID?
    package var conntrackHelpers: [ConntrackHelper] = []
    package var extraGateways: [Gateway] = []
    /// Whether each gateway gets default routes of the same cost, and not the first alone.
    package var spreadsDefaultRoute = false
    /// Whether default routes are used only while their next hop answers.
    package var watchesDefaultRoute = false

    package var routes: [Route] {
        get throws { try Self.routes(routesJSON, at: StoredPlace("routers", id, "routes")) }
    }

    static func routes(_ text: String, at place: @autoclosure () -> StoredPlace) throws -> [Route] {
        try JSONList.decode(text, at: place()) { entry in
            guard let destination = entry["destination"]?.string, let hop = entry["nexthop"]?.string else { return nil }
            return Route(destination: destination, nextHop: hop)
        }
    }

    package static func encode(_ routes: [Route]) -> String {
        var writer = JSONWriter(capacity: 64)
        writer.beginArray()
        for route in routes {
            writer.beginObject()
            writer.field("destination", route.destination)
            writer.field("nexthop", route.nextHop)
            writer.endObject()
        }
        writer.endArray()
        return writer.string()
    }
}

/// What a caller gives to create or change a router. Nil: not given.
package struct RouterDraft: Sendable {
    package struct Gateway: Sendable {
        package var network: NetworkID
        package var usesSNAT: Bool?
        package var addresses: [PortDraft.Address]?
        package var qosPolicy: QoSPolicyID??
        package init(network: NetworkID, usesSNAT: Bool? = nil, addresses: [PortDraft.Address]? = nil) {
            self.network = network
            self.usesSNAT = usesSNAT
            self.addresses = addresses
        }
    }

    package var project: ProjectID?
    package var name: String?
    package var description: String?
    package var isEnabled: Bool?
    /// `.some(nil)`: take the gateway away.
    package var gateway: Gateway??
    package var routes: [Router.Route]?
    package var zoneHints: [String]?
    package var flavor: NetworkFlavorID?
    /// All of this cloud's routers are highly available.
    package var isHighlyAvailable: Bool?
    package var spreadsDefaultRoute: Bool?
    package var watchesDefaultRoute: Bool?
    package var tags: [String]?
    package var given: [String] = []

    package init() {}
}

/// Which interface of a router is meant.
package struct RouterInterfaceChoice: Sendable {
    package var subnet: SubnetID?
    package var port: PortID?
    package init(subnet: SubnetID?, port: PortID?) {
        self.subnet = subnet
        self.port = port
    }
}

/// What adding or removing an interface answers.
package struct RouterInterfaceResult: Sendable {
    package var router: RouterID
    package var project: ProjectID
    package var port: PortID
    package var network: NetworkID
    package var subnets: [SubnetID]
    package var tags: String
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /v2.1/os-networks and /v2.1/os-tenant-networks, until 2.35: the networks that the caller sees, with what is left
/// of the fields of a network of Compute's own (nova: api/openstack/compute/networks.py, tenant_networks.py).
struct NetworkProxyRoutes: Sendable {
    /// Fields of networks that are no more: null.
    private static let everybody = [
        "cidr", "netmask", "gateway", "broadcast", "dns1", "dns2", "cidr_v6", "gateway_v6", "netmask_v6",
    ]
    private static let administrators = [
        "created_at", "updated_at", "deleted_at", "deleted", "injected", "bridge", "vlan", "vpn_public_address",
        "vpn_public_port", "vpn_private_address", "dhcp_start", "project_id", "host", "bridge_interface", "multi_host",
        "priority", "rxtx_base", "mtu", "dhcp_server", "enable_dhcp", "share_address",
    ]
    let neighbours: Neighbours

    func register(on routes: inout RouteTable) {
        let all = versions(1, 35)
        routes.add(.get, "/v2.1/os-networks", policy: "os_compute_api:os-networks:list", versions: all) {
            try await list($0, $1, Self.write)
        }
        routes.add(.get, "/v2.1/os-networks/{network_id}", policy: "os_compute_api:os-networks:show", versions: all) {
            try await show($0, $1, Self.write)
        }
        let tenants: PolicyName = "os_compute_api:os-tenant-networks:list"
        routes.add(.get, "/v2.1/os-tenant-networks", policy: tenants, versions: all) {
            try await list($0, $1, Self.writeBriefly)
        }
        routes.add(
            .get, "/v2.1/os-tenant-networks/{network_id}", policy: "os_compute_api:os-tenant-networks:show",
            versions: all
        ) { try await show($0, $1, Self.writeBriefly) }
    }

    private typealias View = @Sendable (inout JSONWriter, JSON, CallContext) -> Void

    private static func write(_ writer: inout JSONWriter, _ network: JSON, _ context: CallContext) {
        writer.beginObject()
        writer.field("id", network[shown: "id"])
        writer.field("label", network[shown: "name"])
        for name in everybody + (context.isAdmin ? administrators : []) {
            writer.key(dynamic: name)
            writer.null()
        }
        writer.endObject()
    }

    private static func writeBriefly(_ writer: inout JSONWriter, _ network: JSON, _ context: CallContext) {
        writer.beginObject()
        writer.field("id", network[shown: "id"])
        // Not null: this is what upstream has always answered.
        writer.field("cidr", "None")
        writer.field("label", network[shown: "name"])
        writer.endObject()
    }

    private func list(
        _ request: APIRequest, _ context: CallContext, _ view: View
    ) async throws -> HTTPResponse {
        let networks = try await neighbours.call(.get, "/network/v2.0/networks", for: request)["networks"]?.array ?? []
        return .object(capacity: networks.count * 700 + 64) { writer in
            writer.array("networks") { writer in
                for network in networks { view(&writer, network, context) }
            }
        }
    }

    private func show(
        _ request: APIRequest, _ context: CallContext, _ view: View
    ) async throws -> HTTPResponse {
        let id = request.parameter("network_id")
        let path = "/network/v2.0/networks/" + Neighbours.segment(id)
        guard !id.isEmpty, let network = try await neighbours.find(path, for: request)?["network"] else {
            throw CloudError.notFound("Network not found")
        }
        return .object { writer in
            writer.key("network")
            view(&writer, network, context)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/floatingip-pools, in the reference /v2.0/floatingip_pools: the IPv4 subnets that floating IPs come from.
struct FloatingIPPoolRoutes: Sendable {
    let floatingIPs: FloatingIPEngine
    private let collection: Collection

    init(_ floatingIPs: FloatingIPEngine, maximumPage: Int?) {
        self.floatingIPs = floatingIPs
        collection = Collection(
            "floatingip_pool", "floatingip_pools", path: "/v2.0/floatingip-pools", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        for path in [collection.path, "/v2.0/floatingip_pools"] {
            routes.add(.get, path, object: "get_floatingip_pool", list)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await floatingIPs.pools(for: context).filter { subnet in
            try query.filters.allSatisfy { filter in
                switch filter.name {
                case "subnet_id": filter.values.contains(subnet.id.rawValue)
                case "subnet_name": filter.values.contains(subnet.name)
                case "network_id": filter.values.contains(subnet.network.rawValue)
                case "cidr": filter.values.contains(subnet.cidr.description)
                case "project_id", "tenant_id": filter.values.contains(context.projectID?.rawValue ?? "")
                default: throw AttributeReader.bad("['\(filter.name.prefix(64))'] is invalid attribute for filtering")
                }
            }
        }
        let page = query.page(of: found, id: { $0.id.rawValue })
        return collection.list(request, query, page, id: { $0.id.rawValue }) { subnet, out in
            out.field("subnet_id", subnet.id)
            out.field("subnet_name", subnet.name)
            out.field("project_id", context.projectID)
            out.field("tenant_id", context.projectID)
            out.field("network_id", subnet.network)
            out.field("cidr", subnet.cidr.description)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import PolicyKit

/// From 2.102 on every GET refuses parameters that it does not know. Those that know some say so themselves; for all others
/// it is said here, once.
enum StrictQueries {
    private static let first = 102

    /// Paths whose handlers read their query.
    private static let readers: Set<String> = [
        "/v2.1/flavors", "/v2.1/flavors/detail", "/v2.1/limits", "/v2.1/os-hypervisors", "/v2.1/os-hypervisors/detail",
        "/v2.1/os-hypervisors/{id}", "/v2.1/os-keypairs", "/v2.1/os-keypairs/{keypair_name}", "/v2.1/os-migrations",
        "/v2.1/os-quota-sets/{project}", "/v2.1/os-quota-sets/{project}/detail", "/v2.1/os-server-groups",
        "/v2.1/os-services", "/v2.1/os-simple-tenant-usage", "/v2.1/os-simple-tenant-usage/{project}",
        "/v2.1/os-volumes_boot", "/v2.1/os-volumes_boot/detail", "/v2.1/servers", "/v2.1/servers/detail",
        "/v2.1/servers/{server_id}/os-instance-actions", "/v2.1/servers/{server_id}/os-volume_attachments",
    ]

    static func applied(to table: RouteTable) -> RouteTable {
        var strict = RouteTable()
        for route in table.routes {
            switch (route.access, route.action) {
            case (.open, .open(let handler)): strict.open(route.method, route.path, handler)
            case (.checked(let policy), .authorized(let handler)):
                strict.add(
                    route.method, route.path, policy: policy, versions: route.versions, checked(handler, route))
            case (.onObject(let policy), .authorized(let handler)):
                strict.add(
                    route.method, route.path, object: policy, versions: route.versions, checked(handler, route))
            default: preconditionFailure("\(route.path) is open and asks for a token")
            }
        }
        return strict
    }

    private static func checked(_ handler: @escaping RouteHandler, _ route: Route) -> RouteHandler {
        guard route.method == .get, !readers.contains(route.path), route.versions.upperBound >= Microversion(2, first)
        else { return handler }
        return { request, context in
            try ComputeWire.checkQuery(request, context, from: first, [])
            return try await handler(request, context)
        }
    }
}

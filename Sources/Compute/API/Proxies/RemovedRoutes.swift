// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// APIs that upstream has taken away: they answer 410 in every version, so that a client knows that asking again is
/// of no use (nova: wsgi.removed).
struct RemovedRoutes: Sendable {
    private static let paths: [(path: String, methods: [HTTPMethod])] = [
        ("/os-agents", [.get, .post]), ("/os-agents/{id}", [.put, .delete]),
        ("/os-cells", [.get, .post]), ("/os-cells/capacities", [.get]), ("/os-cells/detail", [.get]),
        ("/os-cells/info", [.get]), ("/os-cells/sync_instances", [.post]),
        ("/os-cells/{id}", [.get, .put, .delete]), ("/os-cells/{id}/capacities", [.get]),
        ("/os-certificates", [.post]), ("/os-certificates/{id}", [.get]),
        ("/os-cloudpipe", [.get, .post]), ("/os-cloudpipe/{id}", [.put]),
        ("/os-fixed-ips/{id}", [.get]), ("/os-fixed-ips/{id}/action", [.post]),
        ("/os-floating-ip-dns", [.get]), ("/os-floating-ip-dns/{domain}", [.put, .delete]),
        ("/os-floating-ip-dns/{domain}/entries/{id}", [.get, .put, .delete]),
        ("/os-floating-ips-bulk", [.get, .post]), ("/os-floating-ips-bulk/{id}", [.get, .put]),
        ("/os-fping", [.get]), ("/os-fping/{id}", [.get]),
        ("/os-networks", [.post]), ("/os-networks/add", [.post]), ("/os-networks/{network_id}", [.delete]),
        ("/os-networks/{network_id}/action", [.post]),
        ("/os-security-group-default-rules", [.get, .post]),
        ("/os-security-group-default-rules/{id}", [.get, .delete]),
        ("/os-tenant-networks", [.post]), ("/os-tenant-networks/{network_id}", [.delete]),
        ("/servers/{server_id}/consoles", [.get, .post]),
        ("/servers/{server_id}/consoles/{console_id}", [.get, .delete]),
        ("/servers/{server_id}/os-virtual-interfaces", [.get]),
    ]

    func register(on routes: inout RouteTable) {
        for (path, methods) in Self.paths {
            for method in methods { routes.add(method, "/v2.1" + path, policy: .unruled, gone) }
        }
        // Bare machines: what is left answers that this cloud has none.
        let bare = "/v2.1/os-baremetal-nodes"
        let (list, show): (PolicyName, PolicyName) = (
            "os_compute_api:os-baremetal-nodes:list", "os_compute_api:os-baremetal-nodes:show"
        )
        routes.add(.get, bare, policy: list, versions: versions(1, 35), unsupported)
        routes.add(.get, bare + "/{id}", policy: show, versions: versions(1, 35), unsupported)
        routes.add(.post, bare, policy: show, versions: versions(1, 35), refused)
        routes.add(.delete, bare + "/{id}", policy: show, versions: versions(1, 35), refused)
        routes.add(.post, bare + "/{id}/action", policy: show, versions: versions(1, 35), refused)
    }

    static var gone: HTTPResponse {
        NamedFault(status: 410, message: "This API was removed and is not available any more.").response
    }

    private func gone(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse { Self.gone }

    private func unsupported(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        throw CloudError(.notImplemented, "The requested functionality is not supported.")
    }

    private func refused(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        throw CloudError.badRequest("Command Not supported. Please use Ironic command to perform this action.")
    }
}

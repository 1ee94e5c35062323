// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import IdentityContract
import IdentityCore

/// /v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth: somebody brings the signed token
/// of an OpenID provider (keystoneauth: `v3oidcaccesstoken` and the plug-ins that fetch one first).
struct FederationAuthRoutes: Sendable {
    private static let scheme = "bearer "

    let signIn: FederatedSignIn
    let federation: FederationEngine

    func register(on routes: inout RouteTable) {
        let path = "/v3/OS-FEDERATION/identity_providers/{idp_id}/protocols/{protocol_id}/auth"
        routes.open(.get, path, issue)
        routes.open(.post, path, issue)
    }

    private func issue(_ request: APIRequest) async throws -> HTTPResponse {
        guard let header = request.http.headers["Authorization"], header.lowercased().hasPrefix(Self.scheme) else {
            throw CloudError(.unauthorized, "The request you have made requires authentication.")
        }
        let known = try await signIn.signIn(
            String(header.dropFirst(Self.scheme.count)),
            by: .init(providerID: request.id("idp_id"), protocolID: request.parameter("protocol_id")))
        return .json(
            201, headers: ["X-Subject-Token": known.token, "Vary": "X-Auth-Token"],
            TokenWire.body(
                known, catalog: nil, serviceProviders: try await federation.enabledServiceProviders()))
    }
}

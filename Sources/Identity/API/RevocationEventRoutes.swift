// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /v3/OS-REVOKE/events and /v3/OS-SIMPLE-CERT: both speak of tokens that can be checked without asking Identity, which
/// its tokens cannot. A revocation counts with the next request, so there is nothing to tell anybody.
struct RevocationEventRoutes: Sendable {
    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v3/OS-REVOKE/events", policy: "identity:list_revoke_events", list)
        routes.open(.get, "/v3/OS-SIMPLE-CERT/ca", gone)
        routes.open(.get, "/v3/OS-SIMPLE-CERT/certificates", gone)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        if let since = request.query("since"), Timestamp(iso8601: since) == nil {
            throw CloudError.badRequest("invalidate date format \(since.prefix(64))")
        }
        return try ListPage<String>(request, [], id: \.self, name: nil).response("events") { _, _ in }
    }

    /// keystone: `SimpleCertResource` answers 410.
    private func gone(_ request: APIRequest) async throws -> HTTPResponse {
        let body = JSONWriter.object { writer in
            writer.object("error") { writer in
                writer.field("code", 410)
                writer.field("message", "This API is no longer available due to the removal of support for PKI tokens.")
                writer.field("title", "Gone")
            }
        }
        return IdentityReply.json(status: 410, body)
    }
}

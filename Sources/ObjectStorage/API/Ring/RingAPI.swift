// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ObjectStorageCore
import PolicyKit

/// The store's rings and devices, for administrators: what `haneul ring` asks. It is this cloud's own, so no catalog
/// has it.
package struct RingAPI: ServiceAPI {
    package let serviceType = "object-store-ring"
    package let prefix = "/object-store"
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = nil
    package let routes: RouteTable

    /// `host` is this host's name in the rings: what a device stands on that names none. `policy` is the operator's;
    /// throws when one is no rule.
    package init(_ parts: StorageParts, host: String, policy: [String: String] = [:]) throws {
        enforcer = try PolicyEnforcer(RingPolicies.all, overrides: policy)
        var routes = RouteTable()
        RingRoutes(parts: parts, host: host).register(on: &routes)
        self.routes = routes
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        .json(
            status,
            JSONWriter.object { writer in
                writer.object("error") { writer in
                    writer.field("code", status)
                    writer.field("message", error.message)
                    writer.field("title", Self.title(status))
                }
            })
    }

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 413: "Request Entity Too Large"
        case 503: "Service Unavailable"
        default: "Internal Server Error"
        }
    }
}

/// Rules of who may see and change the store. Upstream has none: whoever can write its ring files may.
package enum RingPolicies {
    static let show: PolicyName = "object_storage:ring:show"
    static let change: PolicyName = "object_storage:ring:change"
    static let repair: PolicyName = "object_storage:ring:repair"

    package static let all: [PolicyRule] = [
        PolicyRule("admin_api", "role:admin", "Administrators of the cloud."),
        PolicyRule(show, "rule:admin_api", "Show the devices of the object store, and whether it is whole."),
        PolicyRule(change, "rule:admin_api", "Add, change and remove devices of the object store."),
        PolicyRule(repair, "rule:admin_api", "Let the object store compare its replicas now."),
    ]
}

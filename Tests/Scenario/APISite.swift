// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit

/// A route of the cloud as tests walk it.
struct APISite: Sendable, CustomStringConvertible {
    let service: String
    let prefix: String
    let route: Route
    /// Asks for the newest version that the route is in.
    let headers: HTTPHeaders

    /// `POST /compute/v2.1/servers`.
    var description: String { "\(route.method.rawValue) \(template)" }
    var template: String { route.path == "/" ? prefix : prefix + route.path }
    var isOpen: Bool { route.access.policy == nil }
    var isMutating: Bool { ![.get, .head].contains(route.method) }
    /// The braces of the path.
    var parameters: [String] { segments.filter { $0.hasPrefix("{") } }
    private var segments: [String] { template.split(separator: "/").map(String.init) }

    static func all(_ cloud: TestCloud) -> [APISite] {
        cloud.cloud.apis.flatMap { api in
            api.routes.routes.map { route in
                var headers = HTTPHeaders()
                if let versioning = api.versioning {
                    let version = min(versioning.maximum, route.versions.upperBound)
                    headers.set("OpenStack-API-Version", "\(versioning.serviceName) \(version)")
                }
                headers.set("Content-Type", contentType(api.serviceType, route))
                return APISite(service: api.serviceType, prefix: api.prefix, route: route, headers: headers)
            }
        }
    }

    private static func contentType(_ service: String, _ route: Route) -> String {
        guard service == "image" else { return "application/json" }
        if route.method == .patch { return "application/openstack-images-v2.1-json-patch" }
        let isData = route.method == .put && (route.path.hasSuffix("/file") || route.path.hasSuffix("/stage"))
        return isData ? "application/octet-stream" : "application/json"
    }

    /// Requests of its sample in an order in which none takes another's ground away.
    var rank: Int {
        switch description {
        case "POST /identity/v3/users/{user_id}/password": 3
        case let text where text.contains("/remove_"): 2
        default: isMutating ? 1 : 0
        }
    }

    /// What some lists cannot be asked without; empty or beginning with `?`.
    var sampleQuery: String {
        switch description {
        case "GET /placement/allocation_candidates": "?resources=VCPU:1"
        case "GET /placement/usages": "?project_id=none"
        default: ""
        }
    }

    /// The path with its samples; nil when one is missing. `replacing` puts another text, as it is, for one parameter.
    func path(_ samples: [String: String], replacing other: (parameter: Int, text: String)? = nil) -> String? {
        var path = ""
        var known = ""
        var index = 0
        for segment in segments {
            known += "/" + segment
            guard segment.hasPrefix("{") else {
                path += "/" + segment
                continue
            }
            guard let sample = samples["\(template) \(segment)"] ?? samples[known] ?? samples["\(prefix) \(segment)"]
            else { return nil }
            path += "/" + (other?.parameter == index ? other?.text ?? "" : Percent.encode(sample))
            index += 1
        }
        return path
    }
}

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

    /// Block Storage has each of its routes a second time, below the caller's project, with the same handler.
    private static let projectPrefix = "/volume/v3/{project_id}/"
    var isBelowProject: Bool { template.hasPrefix(Self.projectPrefix) }

    /// All routes, and of Block Storage's the ones that leave the project out.
    static func all(_ cloud: TestCloud) -> [APISite] { every(cloud).filter { !$0.isBelowProject } }

    /// Block Storage's routes below a project.
    static func belowProject(_ cloud: TestCloud) -> [APISite] { every(cloud).filter(\.isBelowProject) }

    /// Whether this is the route `below` a project, without the project.
    func isTwin(of below: APISite) -> Bool {
        route.method == below.route.method
            && template == "/volume/v3/" + below.template.dropFirst(Self.projectPrefix.count)
    }

    private static func every(_ cloud: TestCloud) -> [APISite] {
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

    /// What some cannot be asked without; empty or beginning with `?`.
    func sampleQuery(_ samples: [String: String]) -> String {
        switch description {
        case "GET /placement/allocation_candidates": "?resources=VCPU:1"
        case "GET /placement/usages": "?project_id=\(samples["/identity {project_id}"] ?? "")"
        case let text where text.contains("/manageable_") || text.contains("-manage"):
            "?host=\(TestCloud.backend)%23fake"
        case let text where text.hasSuffix("/associate") || text.hasSuffix("/disassociate"):
            "?vol_type_id=\(samples["/volume {type_id}"] ?? "")"
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

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import PolicyKit

package typealias RouteHandler = @Sendable (APIRequest, CallContext) async throws -> HTTPResponse
package typealias OpenHandler = @Sendable (APIRequest) async throws -> HTTPResponse

/// Who may call a route. There is no route without one.
package enum RouteAccess: Sendable {
    /// Version documents, token issue, metadata: no token is looked at.
    case open
    /// Checked before the handler against the caller's own project: creates, lists, and what has no owner.
    case checked(PolicyName)
    /// Checked by the handler as it loads the object; the router refuses an answer for which nobody asked.
    case onObject(PolicyName)

    package var policy: PolicyName? {
        switch self {
        case .open: nil
        case .checked(let name), .onObject(let name): name
        }
    }
}

package struct Route: Sendable {
    package enum Action: Sendable {
        case open(OpenHandler)
        case authorized(RouteHandler)
    }
    package let method: HTTPMethod
    /// Below the service's prefix, with `{name}` for a segment and `{name*}` for the rest of the path: `/v2.1/servers/{id}`.
    package let path: String
    package let access: RouteAccess
    /// Refused with 404 outside, as upstream does for an API that a version does not have.
    package let versions: ClosedRange<Microversion>
    package let action: Action
}

/// The routes of one service.
package struct RouteTable: Sendable {
    package private(set) var routes: [Route] = []

    package init() {}

    package static let anyVersion = Microversion.zero...Microversion(999, 9999)

    package mutating func open(_ method: HTTPMethod, _ path: String, _ handler: @escaping OpenHandler) {
        routes.append(
            Route(method: method, path: path, access: .open, versions: Self.anyVersion, action: .open(handler)))
    }

    /// For a create, a list, or anything without an owner: `policy` is checked against the caller's own project.
    package mutating func add(
        _ method: HTTPMethod, _ path: String, policy: PolicyName,
        versions: ClosedRange<Microversion> = anyVersion, _ handler: @escaping RouteHandler
    ) {
        routes.append(
            Route(
                method: method, path: path, access: .checked(policy), versions: versions, action: .authorized(handler)))
    }

    /// For one object: the handler calls `context.authorize(target)` as it loads it.
    package mutating func add(
        _ method: HTTPMethod, _ path: String, object policy: PolicyName,
        versions: ClosedRange<Microversion> = anyVersion, _ handler: @escaping RouteHandler
    ) {
        routes.append(
            Route(
                method: method, path: path, access: .onObject(policy), versions: versions, action: .authorized(handler))
        )
    }
}

/// One service's API as the router mounts it.
package protocol ServiceAPI: Sendable {
    /// The catalog's type: `compute`, `network`, `image`, `placement`, `identity`.
    var serviceType: String { get }
    /// `/compute`.
    var prefix: String { get }
    var routes: RouteTable { get }
    var enforcer: PolicyEnforcer { get }
    var versioning: Versioning? { get }
    /// Whether `/servers/` is `/servers`.
    var ignoresTrailingSlash: Bool { get }
    /// Where a path leads, for a service that has more than one path to a route. `segments` are decoded.
    func locate(_ segments: [String]) -> ServicePath
    /// The body and content type of a failure, in this service's own shape.
    func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse
}

extension ServiceAPI {
    package var ignoresTrailingSlash: Bool { true }
    package func locate(_ segments: [String]) -> ServicePath { ServicePath(segments) }
}

/// A path as the service's routes write it, and what else the one that was sent says.
package struct ServicePath: Sendable {
    package var segments: [String]
    /// The project that the path names: the router refuses a caller of another one. Handlers find it as `project_id`.
    package var project: String?
    /// The path is older than microversions: a caller who asks for one gets the first, and none is announced.
    package var isUnversioned: Bool

    package init(_ segments: [String], project: String? = nil, isUnversioned: Bool = false) {
        self.segments = segments
        self.project = project
        self.isUnversioned = isUnversioned
    }
}

/// How a service negotiates its microversion.
package struct Versioning: Sendable {
    /// `compute` in `OpenStack-API-Version: compute 2.90`.
    package let serviceName: String
    /// `X-OpenStack-Nova-API-Version`, where there is one.
    package let legacyHeader: String?
    package let minimum: Microversion
    package let maximum: Microversion

    package init(serviceName: String, legacyHeader: String? = nil, minimum: Microversion, maximum: Microversion) {
        self.serviceName = serviceName
        self.legacyHeader = legacyHeader
        self.minimum = minimum
        self.maximum = maximum
    }

    /// What the caller asks for; `minimum` when it does not. Throws `.badRequest` for a malformed version, `.notAcceptable`
    /// for one that is out of range.
    package func negotiate(_ headers: HTTPHeaders) throws -> Microversion {
        guard let text = requested(headers) else { return minimum }
        if text == "latest" { return maximum }
        guard let version = Microversion(text) else {
            throw CloudError(
                .badRequest,
                "API Version String \(text.prefix(32)) is of invalid format. Must be of format MajorNum.MinorNum.",
                kind: "InvalidAPIVersionString")
        }
        guard (minimum...maximum).contains(version) else {
            throw CloudError(
                .notAcceptable,
                "Version \(version) is not supported by the API. Minimum is \(minimum) and maximum is \(maximum).",
                kind: "InvalidGlobalAPIVersion")
        }
        return version
    }

    private func requested(_ headers: HTTPHeaders) -> String? {
        if let header = headers["OpenStack-API-Version"] {
            for entry in header.split(separator: ",") {
                let words = entry.split(separator: " ")
                if words.count == 2, words[0].lowercased() == serviceName { return words[1].lowercased() }
            }
        }
        return legacyHeader.flatMap { headers[$0] }?.lowercased()
    }
}

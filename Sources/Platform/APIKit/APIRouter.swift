// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LogKit
import PolicyKit
import Synchronization

/// Every API of the cloud behind one origin: finds the service and the route, knows the caller, negotiates the version,
/// checks the policy, calls the handler, renders failures, counts and logs. Once, here, for all services.
package struct APIRouter: HTTPHandler {
    package typealias Authenticate = @Sendable (_ token: String) async throws -> Principal

    private struct Mounted: Sendable {
        let api: any ServiceAPI
        let trie: RouteTrie
        let segments: [String]
        let enforcer: PolicyEnforcer
        let versioning: Versioning?
    }

    private let services: [String: Mounted]
    private let root: Mounted?
    private let authenticate: Authenticate
    private let origin: String
    private let ids: IDSource
    private let clock: WallClock
    private let log = Logger("api")

    /// `origin` is the cloud's own address as its users reach it, from configuration: no header can change a link.
    /// A service whose prefix is empty answers what no other prefix takes.
    package init(
        services: [any ServiceAPI], origin: String, ids: IDSource, clock: WallClock,
        authenticate: @escaping Authenticate
    ) {
        var byPrefix: [String: Mounted] = [:]
        var root: Mounted?
        for api in services {
            let segments = api.prefix.split(separator: "/").map(String.init)
            precondition(segments.count <= 1, "a service's prefix is one segment")
            let mounted = Mounted(
                api: api, trie: RouteTrie(api.routes.routes), segments: segments, enforcer: api.enforcer,
                versioning: api.versioning)
            for route in api.routes.routes {
                guard let policy = route.access.policy else { continue }
                precondition(
                    api.enforcer.knows(policy), "\(route.method) \(route.path) names an unknown rule \(policy)")
            }
            if let first = segments.first { byPrefix[first] = mounted } else { root = mounted }
        }
        self.services = byPrefix
        self.root = root
        self.authenticate = authenticate
        self.origin = origin
        self.ids = ids
        self.clock = clock
    }

    package func handle(_ request: HTTPRequest) async -> HTTPResponse {
        let start = ContinuousClock.now
        let requestID = "req-" + ids.uuid()
        var caller: Principal?
        var (response, service) = await answer(request, requestID, &caller)
        response.headers.set("x-openstack-request-id", requestID)
        if service == "compute" { response.headers.set("x-compute-request-id", requestID) }
        let elapsed = start.duration(to: .now)
        HTTPMetrics.record(service: service, method: request.method, status: response.status, elapsed)
        report(request, response, requestID, caller, elapsed)
        return response
    }

    /// Reads are many and change nothing: they are logged when they fail, or at level `debug`.
    private func report(
        _ request: HTTPRequest, _ response: HTTPResponse, _ requestID: String, _ caller: Principal?, _ elapsed: Duration
    ) {
        let isRead = request.method == .get || request.method == .head
        let fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [
            "method": request.method.rawValue, "path": request.path.prefix(512), "status": response.status,
            "microseconds": elapsed.microseconds, "request": requestID, "user": caller?.userID.rawValue ?? "",
            "project": caller?.projectID?.rawValue ?? "",
        ]
        // 501 is an answer; 503 says that something else is away, which logs its own reason.
        if response.status >= 500, response.status != 501, response.status != 503 {
            log.error("request", fields)
        } else if isRead && response.status < 400 {
            log.debug("request", fields)
        } else {
            log.info("request", fields)
        }
    }

    private func answer(_ request: HTTPRequest, _ requestID: String, _ caller: inout Principal?) async
        -> (HTTPResponse, service: String)
    {
        let parts = request.path.split(separator: "/")
        guard let mounted = parts.first.flatMap({ services[String($0)] }) ?? root else {
            return (HTTPResponse(status: 404), "none")
        }
        var segments: [String] = []
        for part in parts {
            guard let segment = Percent.decode(part), !segment.utf8.contains(0) else {
                let error = CloudError.badRequest("The path is not text in UTF-8.")
                return (render(error, mounted.api, request, requestID), mounted.api.serviceType)
            }
            segments.append(segment)
        }
        guard request.isQueryReadable else {
            let error = CloudError.badRequest("The query is not text in UTF-8.")
            return (render(error, mounted.api, request, requestID), mounted.api.serviceType)
        }
        var below = Array(segments.dropFirst(mounted.segments.count))
        // `/v2/images/` names an image without a name, where the service tells it from the list.
        if below.count > 1, !mounted.api.ignoresTrailingSlash, request.path.hasSuffix("/") { below.append("") }
        let path = mounted.api.locate(below)
        var version: Microversion?
        var response: HTTPResponse
        do {
            response = try await dispatch(request, below, path, mounted, requestID, &caller, &version)
        } catch {
            response = render(error, mounted.api, request, requestID)
            if version == nil, !path.isUnversioned {
                version = try? mounted.versioning?.negotiate(request.headers)  // it may be the failure; then none is named
            }
        }
        if let versioning = mounted.versioning, !path.isUnversioned { announce(version, versioning, on: &response) }
        return (response, mounted.api.serviceType)
    }

    /// `segments` are the path as it was sent, `path` where it leads.
    private func dispatch(
        _ request: HTTPRequest, _ segments: [String], _ path: ServicePath, _ mounted: Mounted, _ requestID: String,
        _ caller: inout Principal?, _ version: inout Microversion?
    ) async throws -> HTTPResponse {
        var match = mounted.trie.match(path.segments)
        if let project = path.project { match?.parameters["project_id"] = project }
        let routes = match.flatMap { found in
            found.routes[request.method] ?? (request.method == .head ? found.routes[.get] : nil)
        }
        let serviceURL = origin + mounted.api.prefix
        if let route = routes?.first, case .open(let handler) = route.action {
            return try await handler(
                APIRequest(
                    http: request, parameters: match?.parameters ?? [:], serviceURL: serviceURL, originURL: origin))
        }
        // Who asks comes before what exists, so that nobody maps the API without a token.
        let isOpenPath = match?.routes.values.contains { $0.contains { $0.access.policy == nil } } ?? false
        let principal: Principal
        if isOpenPath && routes == nil {
            throw methodNotAllowed(match)
        } else {
            guard let token = request.headers["X-Auth-Token"], !token.isEmpty else { throw Self.unauthenticated }
            principal = try await authenticate(token)
            caller = principal
            try Self.checkAccessRules(of: principal, request.method, segments, mounted)
        }
        guard let match else { throw CloudError.notFound("The resource could not be found.") }
        guard let routes else { throw methodNotAllowed(match) }
        let negotiated =
            path.isUnversioned
            ? mounted.versioning?.minimum ?? .zero : try mounted.versioning?.negotiate(request.headers) ?? .zero
        if mounted.versioning != nil { version = negotiated }
        guard
            let route = routes.first(where: { mounted.versioning == nil || $0.versions.contains(negotiated) }),
            case .authorized(let handler) = route.action, let policy = route.access.policy
        else { throw CloudError.notFound("The resource could not be found.") }
        if let project = path.project { try Self.checkProject(project, of: principal) }
        let witness = AuthorizationWitness()
        let context = CallContext(
            principal: principal, requestID: requestID, policy: policy, enforcer: mounted.enforcer,
            microversion: negotiated, witness: witness)
        if case .checked = route.access {
            var target = PolicyTarget(project: principal.projectID)
            target["user_id"] = principal.userID.rawValue
            target["domain_id"] = principal.domainID?.rawValue
            try context.authorize(target)
        }
        let response = try await handler(
            APIRequest(http: request, parameters: match.parameters, serviceURL: serviceURL, originURL: origin), context)
        guard witness.asked.load(ordering: .relaxed) else {
            throw CloudError(
                .bug, "The request was not authorized.", cause: "\(route.method) \(route.path) loaded without a check")
        }
        return response
    }

    /// nova: wsgi.py, `_process_stack`.
    private static func checkProject(_ project: String, of principal: Principal) throws {
        let own = principal.projectID?.rawValue
        guard project != own else { return }
        throw CloudError.badRequest(
            "Malformed request URL: URL's project_id '\(project.prefix(64))' doesn't match Context's project_id "
                + "'\(own ?? "None")'")
    }

    /// keystonemiddleware: a token with access rules is no token for any other call.
    private static func checkAccessRules(
        of principal: Principal, _ method: HTTPMethod, _ segments: [String], _ mounted: Mounted
    ) throws {
        guard let rules = principal.accessRules else { return }
        let paths = [segments, mounted.segments + segments]
        let type = mounted.api.serviceType
        guard rules.contains(where: { $0.permits(service: type, method: method.rawValue, paths: paths) }) else {
            throw unauthenticated
        }
    }

    package static let unauthenticated = CloudError(
        .unauthorized, "The request you have made requires authentication.")

    private func methodNotAllowed(_ match: RouteTrie.Match?) -> any Error {
        var allowed = match?.routes.keys.map(\.rawValue) ?? []
        if allowed.contains("GET") { allowed.append("HEAD") }
        return MethodNotAllowed(allowed: allowed.sorted())
    }

    private func announce(_ version: Microversion?, _ versioning: Versioning, on response: inout HTTPResponse) {
        var vary = "OpenStack-API-Version"
        if let legacy = versioning.legacyHeader { vary += ", " + legacy }
        if response.headers["Vary"] == nil { response.headers.set("Vary", vary) }
        guard let version else { return }
        response.headers.set("OpenStack-API-Version", "\(versioning.serviceName) \(version)")
        if let legacy = versioning.legacyHeader { response.headers.set(legacy, version.description) }
    }

    private func render(_ error: any Error, _ api: any ServiceAPI, _ request: HTTPRequest, _ requestID: String)
        -> HTTPResponse
    {
        switch error {
        case let refused as MethodNotAllowed:
            var response = api.render(
                CloudError(.badRequest, "The method is not allowed for this resource.", kind: "MethodNotAllowed"),
                status: 405, requestID: requestID)
            response.headers.set("Allow", refused.allowed.joined(separator: ", "))
            return response
        case let error as CloudError:
            if error.code == .bug {
                log.error("fault", ["request": requestID, "error": error.description, "path": request.path])
            }
            var response = api.render(error, status: error.code.httpStatus, requestID: requestID)
            if response.status == 401 {
                response.headers.set("WWW-Authenticate", "Keystone uri=\"\(origin)/identity\"")
            }
            return response
        case is CancellationError:
            return api.render(
                CloudError(.unavailable, "The service is stopping; repeat the request."), status: 503,
                requestID: requestID)
        default:
            log.error("fault", ["request": requestID, "error": "\(error)", "path": request.path])
            return api.render(
                CloudError(.bug, "An unexpected error prevented the server from fulfilling your request."), status: 500,
                requestID: requestID)
        }
    }
}

struct MethodNotAllowed: Error {
    let allowed: [String]
}

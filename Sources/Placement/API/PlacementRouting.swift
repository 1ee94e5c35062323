// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// What every route of placement has in common: media types, error codes by version, cache headers.
struct PlacementRouting {
    typealias Handler = @Sendable (APIRequest, CallContext) async throws -> HTTPResponse

    private static let cacheSince = Microversion(1, 15)
    var table = RouteTable()

    /// `takesBody`: the body must be JSON. A route outside `since` answers `refusal`, 404 or 405.
    mutating func add(
        _ method: HTTPMethod, _ path: String, _ policy: PolicyName, since minor: Int = 0, refusal: Int = 404,
        takesBody: Bool = false, answersJSON: Bool = true, isOnObject: Bool = false, _ handler: @escaping Handler
    ) {
        let wrapped: RouteHandler = { request, context in
            var response: HTTPResponse
            do {
                guard context.microversion.minor >= minor else { throw Self.outside(refusal) }
                if takesBody { try Self.checkContentType(request) }
                if answersJSON { try Self.checkAccept(request) }
                response = try await handler(request, context)
            } catch let error as CloudError where error.code != .bug {
                // Nothing of an object leaves with a refusal.
                context.authorizeListing()
                response = PlacementFaults.render(
                    error, status: Self.status(error), requestID: context.requestID, version: context.microversion)
            }
            response.headers.set("Vary", "openstack-api-version")
            return response
        }
        if isOnObject {
            table.add(method, path, object: policy, wrapped)
        } else {
            table.add(method, path, policy: policy, wrapped)
        }
    }

    private static func status(_ error: CloudError) -> Int {
        if error.kind == "MethodNotAllowed" { return 405 }
        return switch error.code {
        case .badRequest, .unprocessable, .preconditionFailed: 400
        case .unauthorized: 401
        case .forbidden, .overQuota: 403
        case .notFound: 404
        case .notAcceptable: 406
        case .conflict: 409
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .unavailable: 503
        case .insufficientStorage: 507
        case .bug, .notImplemented: 500
        }
    }

    private static func outside(_ status: Int) -> CloudError {
        status == 405
            ? CloudError.badRequest("The method specified is not allowed for this resource.", kind: "MethodNotAllowed")
            : CloudError.notFound("The resource could not be found.")
    }

    private static func checkContentType(_ request: APIRequest) throws {
        let type = request.http.headers["Content-Type"]?.split(separator: ";").first.map(String.init)
        if type == nil, let length = request.http.headers["Content-Length"], length != "0" {
            throw CloudError.badRequest("content-type header required when content-length > 0")
        }
        guard type?.lowercased() == "application/json" else {
            throw CloudError(
                .unsupportedMediaType, "The media type \(type ?? "None") is not supported, use application/json")
        }
    }

    private static func checkAccept(_ request: APIRequest) throws {
        guard let accept = request.http.headers["Accept"] else { return }
        let offers = accept.split(separator: ",").map { offer in
            offer.split(separator: ";").first.map { $0.filter { !$0.isWhitespace }.lowercased() } ?? ""
        }
        guard offers.contains(where: { ["application/json", "*/*", "application/*"].contains($0) }) else {
            throw CloudError(.notAcceptable, "Only application/json is provided")
        }
    }

    /// Everything else: 404, with the error's code where the version has codes.
    mutating func addRest() {
        for method in HTTPMethod.allCases {
            add(method, "/{path*}", "placement:unknown_path", answersJSON: false) { _, _ in throw Self.outside(404) }
        }
    }

    // MARK: Answers

    /// Since 1.15 with the time of the last change and word that nobody may keep the answer.
    static func json(_ status: Int = 200, _ bytes: [UInt8], modified: Timestamp, _ context: CallContext) -> HTTPResponse
    {
        stamped(.json(status, bytes), modified: modified, context.microversion)
    }

    static func empty(_ status: Int, location: String? = nil, modified: Timestamp? = nil, _ context: CallContext)
        -> HTTPResponse
    {
        var response = HTTPResponse(status: status)
        if let location { response.headers.set("Location", location) }
        return modified.map { stamped(response, modified: $0, context.microversion) } ?? response
    }

    static func stamped(_ response: HTTPResponse, modified: Timestamp, _ version: Microversion) -> HTTPResponse {
        guard version >= cacheSince else { return response }
        var response = response
        response.headers.set("Last-Modified", HTTPDate.text(modified))
        response.headers.set("Cache-Control", "no-cache")
        return response
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110).
enum HTTPDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func text(_ time: Timestamp) -> String {
        // "2026-01-31T10:00:00"
        let iso = time.iso8601(zone: false)
        let parts = iso.split { $0 == "-" || $0 == "T" }
        guard parts.count == 4, let month = Int(parts[1]), months.indices.contains(month - 1) else { return iso }
        // The first day of the epoch was a Thursday.
        let day = days[Int(time.seconds / 86_400) % 7]
        return "\(day), \(parts[2]) \(months[month - 1]) \(parts[0]) \(parts[3]) GMT"
    }
}

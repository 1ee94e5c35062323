// SPDX-License-Identifier: Apache-2.0

/// A failure that a caller may see. It knows nothing of HTTP; each API module renders it its service's way.
package struct CloudError: Error, Sendable, Codable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable, Codable {
        case badRequest, unauthorized, forbidden, notFound, conflict, preconditionFailed, overQuota, tooLarge
        case unsupportedMediaType, notAcceptable, unprocessable, notImplemented, unavailable, insufficientStorage, bug
    }

    package let code: Code
    /// For the caller: what is wrong and what to do. Never a path, a query or a stack.
    package let message: String
    /// Upstream's name of the failure, where its body carries one: `NetworkNotFound`, `SecurityGroupInUse`.
    package let kind: String?
    /// For the log only.
    package let cause: String?

    package init(_ code: Code, _ message: String, kind: String? = nil, cause: String? = nil) {
        self.code = code
        self.message = message
        self.kind = kind
        self.cause = cause
    }

    /// `error` itself when it is one of these; else `.bug`, whose message says nothing of the inside.
    package init(describing error: any Error) {
        if let error = error as? CloudError {
            self = error
        } else {
            self.init(.bug, "The server could not complete the request.", cause: "\(error)")
        }
    }

    package var description: String {
        "\(code.rawValue): \(message)" + (cause.map { " (\($0))" } ?? "")
    }

    package static func badRequest(_ message: String, kind: String? = nil) -> CloudError {
        CloudError(.badRequest, message, kind: kind)
    }
    package static func notFound(_ message: String, kind: String? = nil) -> CloudError {
        CloudError(.notFound, message, kind: kind)
    }
    package static func conflict(_ message: String, kind: String? = nil) -> CloudError {
        CloudError(.conflict, message, kind: kind)
    }
    package static func forbidden(_ message: String, kind: String? = nil) -> CloudError {
        CloudError(.forbidden, message, kind: kind)
    }
}

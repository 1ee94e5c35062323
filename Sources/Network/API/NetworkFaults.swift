// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// `{"NeutronError": {"type", "message", "detail"}}`.
enum NetworkFaults {
    static func render(_ error: CloudError, status: Int) -> HTTPResponse {
        // neutron: a quota that is exceeded is a conflict (409), not 403.
        let status = error.code == .overQuota ? 409 : status
        if status == 401 {
            return .json(
                401,
                JSONWriter.object {
                    $0.object("error") {
                        $0.field("code", 401)
                        $0.field("title", "Unauthorized")
                        $0.field("message", error.message)
                    }
                })
        }
        return .json(
            status,
            JSONWriter.object {
                $0.object("NeutronError") {
                    $0.field("type", error.kind ?? kind(error.code))
                    $0.field("message", error.message)
                    $0.field("detail", "")
                }
            })
    }

    private static func kind(_ code: CloudError.Code) -> String {
        switch code {
        case .badRequest: "HTTPBadRequest"
        case .unauthorized: "HTTPUnauthorized"
        case .forbidden: "PolicyNotAuthorized"
        case .notFound: "HTTPNotFound"
        case .conflict: "Conflict"
        case .preconditionFailed: "HTTPPreconditionFailed"
        case .overQuota: "OverQuota"
        case .tooLarge: "HTTPRequestEntityTooLarge"
        case .unsupportedMediaType: "HTTPUnsupportedMediaType"
        case .notAcceptable: "HTTPNotAcceptable"
        case .unprocessable: "HTTPUnprocessableEntity"
        case .notImplemented: "HTTPNotImplemented"
        case .unavailable: "ServiceUnavailable"
        case .insufficientStorage: "HTTPInsufficientStorage"
        case .bug: "HTTPInternalServerError"
        }
    }
}

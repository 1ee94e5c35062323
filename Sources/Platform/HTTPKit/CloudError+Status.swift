// SPDX-License-Identifier: Apache-2.0
import BaseKit

extension CloudError.Code {
    /// What an answer says of it, unless a service's clients know another status.
    package var httpStatus: Int {
        switch self {
        case .badRequest: 400
        case .unauthorized: 401
        case .forbidden, .overQuota: 403
        case .notFound: 404
        case .notAcceptable: 406
        case .conflict: 409
        case .preconditionFailed: 412
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .unprocessable: 422
        case .bug: 500
        case .notImplemented: 501
        case .unavailable: 503
        case .insufficientStorage: 507
        }
    }
}

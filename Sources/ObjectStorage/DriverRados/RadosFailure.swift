// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// A call of librados that failed.
struct RadosError: Error, Sendable, CustomStringConvertible {
    let call: String
    let subject: String
    /// Positive, of errno's kind.
    let code: Int32
    var description: String {
        "\(call) \(subject): \(strerror(code).map { String(cString: $0) } ?? "error \(code)")"
    }

    /// Another writer was first: the object is no longer as it was read.
    var isConflict: Bool { [ECANCELED, EEXIST, ENOENT].contains(code) }
}

/// What failures of Ceph mean to those who use the device.
enum RadosFailure {
    static let noIndex = CloudError.notFound("The resource could not be found.")

    static func away(cause: String) -> CloudError {
        CloudError(.unavailable, "The storage device is not available.", cause: cause)
    }

    static func full(cause: String) -> CloudError {
        CloudError(.insufficientStorage, "There was not enough space to save the resource.", cause: cause)
    }

    static func bug(_ cause: String) -> CloudError {
        CloudError(.bug, "The server could not complete the request.", cause: cause)
    }

    static func describe(_ error: any Error) -> any Error {
        switch error {
        case let error as RadosError:
            let isFull = error.code == ENOSPC || error.code == EDQUOT
            return isFull ? full(cause: "\(error)") : away(cause: "\(error)")
        case let error as UncertainChange: return describe(error.cause)
        case let error as StripeMissing: return away(cause: "\(error)")
        default: return error
        }
    }
}

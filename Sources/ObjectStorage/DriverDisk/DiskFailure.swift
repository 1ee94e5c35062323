// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Glibc
import LifecycleKit
import LinuxKit

/// What failures of files and databases mean to those who use the device.
enum DiskFailure {
    static func away(cause: String) -> CloudError {
        CloudError(.unavailable, "The storage device is not available.", cause: cause)
    }

    static func full(cause: String) -> CloudError {
        CloudError(.insufficientStorage, "There was not enough space to save the resource.", cause: cause)
    }

    static let noIndex = CloudError.notFound("The resource could not be found.")

    /// `error` as the contract of a device has it. Unknown failures of the disk mean that it cannot be used.
    static func describe(_ error: any Error) -> any Error {
        switch error {
        case let error as SystemError: byNumber(error.code, "\(error)")
        case let error as FileCalls.Failure: byNumber(error.errorNumber, "\(error)")
        case DatabaseError.full: full(cause: "\(error)")
        case DatabaseError.missing: noIndex
        case let error as DatabaseError: away(cause: "\(error)")
        default: error
        }
    }

    static func isFull(_ error: any Error) -> Bool {
        (describe(error) as? CloudError)?.code == .insufficientStorage
    }

    private static func byNumber(_ number: Int32, _ cause: String) -> CloudError {
        number == ENOSPC || number == EDQUOT ? full(cause: cause) : away(cause: cause)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Which names S3 knows a container by.
package enum S3BucketName {
    /// Where the parts of large objects of a bucket are kept (s3api: `MULTIUPLOAD_SUFFIX`).
    package static let segmentsSuffix = "+segments"

    /// Of a bucket that is to be made: fit for the name of a host.
    package static func isFitForHost(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...63).contains(bytes.count), isLetterOrDigit(bytes[0]), isLetterOrDigit(bytes[bytes.count - 1]),
            bytes.allSatisfy({ isLetterOrDigit($0) || $0 == dash || $0 == dot })
        else { return false }
        for (left, right) in zip(bytes, bytes.dropFirst()) where left == dot || right == dot {
            if left == right || left == dash || right == dash { return false }
        }
        return !isAddress(name)
    }

    /// Of a container that is reached as a bucket, whoever made it.
    package static func isReachable(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (3...255).contains(bytes.count), isAnyLetterOrDigit(bytes[0]), bytes[bytes.count - 1] != dot else {
            return false
        }
        return !isAddress(name)
            && bytes.allSatisfy { isAnyLetterOrDigit($0) || $0 == dash || $0 == dot || $0 == UInt8(ascii: "_") }
    }

    private static let dash = UInt8(ascii: "-")
    private static let dot = UInt8(ascii: ".")

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isAnyLetterOrDigit(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isAddress(_ name: String) -> Bool {
        let parts = name.split(byte: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import SecurityKit

/// Hashes paths with the cloud's own salts, so that nobody outside can choose names that fall into one partition.
package struct PathHash: Sendable {
    private let start: Digest
    private let suffix: [UInt8]

    package init(prefix: [UInt8], suffix: [UInt8]) {
        var digest = Digest(.md5)
        digest.update(prefix)
        start = digest
        self.suffix = suffix
    }

    /// 16 bytes; their first bits are the partition.
    package func digest(_ path: ObjectPath) -> [UInt8] {
        var digest = start
        digest.update(Array(path.description.utf8))
        digest.update(suffix)
        return digest.finish()
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Digests as headers show them.
enum Digests {
    /// Of no bytes at all.
    static let emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"
    static func md5(_ bytes: [UInt8]) -> String { Hex.encode(Digest.of(bytes, .md5)) }
}

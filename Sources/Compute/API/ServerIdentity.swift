// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

enum ServerIdentity {
    /// `hostId`: as wide as upstream's SHA-224; tells one project's hosts apart and names none.
    static func hostID(_ host: String, _ project: ProjectID) -> String {
        String(Hex.encode(Digest.of(Array((project.rawValue + host).utf8), .sha256)).prefix(56))
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Names a state of an object's metadata, so that a change can say which state it was decided on (3.15).
package enum EntityTag {
    package static func of(_ metadata: [String: String]) -> String {
        let text = JSON.object(["metadata": .object(metadata.mapValues { .string($0) })]).text()
        return Hex.encode(Digest.of(Array(text.utf8), .md5))
    }
}

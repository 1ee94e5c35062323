// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The value of `If-Match` or `If-None-Match`.
package struct EntityTags: Sendable, Equatable {
    package var tags: Set<String> = []

    package init?(_ text: String?) {
        guard let text else { return nil }
        for part in text.split(byte: ",") {
            let tag = part.trimmed
            if !tag.isEmpty { tags.insert(Self.plain(tag)) }
        }
    }

    package var isAny: Bool { tags.contains("*") }

    package func matches(_ etag: String) -> Bool { isAny || tags.contains(Self.plain(etag)) }

    /// Without its quotes.
    package static func plain(_ etag: String) -> String {
        etag.removing(bytePrefix: "\"")?.removing(byteSuffix: "\"").map { String($0) } ?? etag
    }
}

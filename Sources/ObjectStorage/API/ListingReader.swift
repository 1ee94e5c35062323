// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore

/// What a client asks of a listing, in its query.
enum ListingReader {
    static func query(_ request: SwiftRequest, limits: StorageLimits) throws -> ListingQuery {
        var query = ListingQuery(limit: limits.listingEntries)
        if let text = request.parameter("limit"), SwiftText.isNumber(text) {
            guard let limit = Int(text), limit <= limits.listingEntries else {
                throw SwiftFault(412, "Maximum limit is \(limits.listingEntries)")
            }
            query.limit = limit
        }
        func value(_ name: String) -> String? {
            guard let text = request.parameter(name), !text.isEmpty else { return nil }
            return text
        }
        query.marker = value("marker")
        query.endMarker = value("end_marker")
        query.prefix = value("prefix")
        query.delimiter = value("delimiter")
        query.isReversed = request.parameter("reverse").map(SwiftText.isTrue) ?? false
        if request.isContainer, let path = request.parameter("path") {
            // What lies directly in a folder that objects of their own stand for.
            query.delimiter = "/"
            query.prefix = path.isEmpty ? nil : path + (path.hasByteSuffix("/") ? "" : "/")
        }
        if !request.allowsReservedNames { skipReserved(&query) }
        return query
    }

    /// After every name that features hide, and before every other: a page is full of what its reader sees.
    private static let lastReserved = "\0\u{10FFFF}"

    private static func skipReserved(_ query: inout ListingQuery) {
        if query.isReversed {
            query.endMarker = later(query.endMarker)
        } else {
            query.marker = later(query.marker)
        }
    }

    private static func later(_ marker: String?) -> String {
        guard let marker, !marker.utf8.lexicographicallyPrecedes(lastReserved.utf8) else { return lastReserved }
        return marker
    }
}

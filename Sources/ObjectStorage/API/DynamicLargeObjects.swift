// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Synchronization

/// Dynamic large objects: an object whose bytes are those of all objects with a prefix, in order of their names.
package struct DynamicLargeObjects: SwiftLayer {
    package static let info: InfoPage.Section = ("dlo", [:])
    private static let header = "x-object-manifest"

    package init() {}

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard request.isObject else { return await next(request) }
        if request.method == .put, let value = request.headers[Self.header] { try check(value) }
        guard request.isRead, request.parameter("multipart-manifest") != "get" else { return await next(request) }
        let response = await next(request)
        guard response.isSuccess, let value = response.headers[Self.header],
            let (container, prefix) = Self.split(CopyName.text(value) ?? value)
        else { return response }
        await response.drop()
        return try await put(together: container, prefix, response, request, next)
    }

    private func check(_ value: String) throws {
        guard let (_, prefix) = Self.split(value), !value.containsByte("?"), !value.containsByte("&"),
            !prefix.hasBytePrefix("/")
        else { throw SwiftFault(400, "X-Object-Manifest must be in the format container/prefix") }
    }

    private static func split(_ value: String) -> (String, String)? {
        let parts = value.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else { return nil }
        return (parts[0], parts[1])
    }

    private func put(
        together container: String, _ prefix: String, _ response: SwiftResponse, _ request: SwiftRequest,
        _ next: SwiftNext
    ) async throws -> SwiftResponse {
        var response = response
        let place = ObjectPath(account: request.path.account, container: container)
        var digest = Digest(.md5)
        var size: Int64 = 0
        var pages = SegmentPages(place: place, prefix: prefix, request: request, next: next)
        while let page = try await pages.following() {
            for object in page {
                size += min(object.sizeBytes, SegmentManifest.maximumBytes)
                guard size <= SegmentManifest.maximumBytes else {
                    throw SwiftFault.plain(409, "The segments are too large together.")
                }
                digest.update(Array(object.hash.prefix(upToAny: ";").utf8))
            }
        }
        response.headers["etag"] = "\"\(digest.hex())\""
        response.takesOneRangeOnly = true
        response.body = .content(
            SegmentedContent(
                sizeBytes: size,
                cursor: { range in
                    SegmentListing(
                        SegmentPages(place: place, prefix: prefix, request: request, next: next), range: range
                    ).cursor
                }, request: request, next: next))
        return response
    }
}

/// The pages of a listing of segments, with the caller's own rights.
struct SegmentPages: Sendable {
    let place: ObjectPath
    let prefix: String
    let request: SwiftRequest
    let next: SwiftNext
    private var marker: String?
    private var hasEnded = false

    init(place: ObjectPath, prefix: String, request: SwiftRequest, next: SwiftNext) {
        self.place = place
        self.prefix = prefix
        self.request = request
        self.next = next
    }

    /// Nil after the last page.
    mutating func following() async throws -> [SwiftListing.Object]? {
        guard !hasEnded else { return nil }
        var step = request.step(.get, place)
        step.query = [("prefix", prefix), ("format", "json")]
        if let marker { step.set("marker", marker) }
        let response = await next(step)
        guard response.isSuccess, case .listing(let listing) = response.body else { throw SwiftFault(response) }
        let objects = listing.items.compactMap { item in
            if case .object(let object) = item { object } else { nil }
        }
        guard let last = objects.last else {
            hasEnded = true
            return nil
        }
        marker = last.name
        return objects
    }
}

/// Walks the listed segments that a range touches, page by page.
final class SegmentListing: Sendable {
    private struct State {
        var pages: SegmentPages
        var page: ArraySlice<SwiftListing.Object> = []
        var range: Range<Int64>
    }
    private let state: Mutex<State>
    private let place: ObjectPath

    init(_ pages: SegmentPages, range: Range<Int64>) {
        place = pages.place
        state = Mutex(State(pages: pages, range: range))
    }

    var cursor: SegmentCursor { { [self] in try await piece() } }

    private func piece() async throws -> SegmentPiece? {
        while true {
            if state.withLock({ $0.range.isEmpty }) { return nil }
            if let found = state.withLock({ advance(&$0) }) { return found }
            if state.withLock({ $0.range.isEmpty }) { return nil }
            var pages = state.withLock { $0.pages }
            guard let page = try await pages.following() else { return nil }
            let later = pages
            state.withLock { state in
                state.pages = later
                state.page = page[...]
            }
        }
    }

    /// Nil: the page has nothing more.
    private func advance(_ state: inout State) -> SegmentPiece? {
        while !state.range.isEmpty, let object = state.page.popFirst() {
            let (low, high, size) = (state.range.lowerBound, state.range.upperBound, object.sizeBytes)
            state.range = max(0, low - size)..<max(max(0, low - size), high - size)
            if low >= size { continue }
            let kind = SegmentPiece.Kind.object(place.appending(object.name), etag: nil, objectBytes: nil)
            return SegmentPiece(kind: kind, range: low..<min(high, size))
        }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// What a body of known size can be read from, in parts: an object, or one that is put together from segments.
package protocol RangedContent: Sendable {
    var sizeBytes: Int64 { get }
    /// Called once for each part that is sent.
    func body(_ range: Range<Int64>) async throws -> SwiftBody
    /// After the last `body`; what those gave can still be read.
    func close() async
}

package enum SwiftBody: Sendable {
    case none
    /// Upstream's page for the status.
    case standard
    case bytes([UInt8])
    case file(descriptor: Int32, offset: Int64, length: Int64)
    case stream(any ByteSource, length: Int64?)
    /// Conditions and ranges of the request are still to be looked at.
    case content(any RangedContent)
    /// Its form is still to be chosen.
    case listing(SwiftListing)
}

package struct SwiftResponse: Sendable {
    package var status: Int
    package var headers: SwiftHeaders
    package var body: SwiftBody
    /// `If-Match` and its like are looked at when it is sent.
    package var isConditional = false
    /// A request for several ranges gets all of it.
    package var takesOneRangeOnly = false
    /// What `If-Match` is compared with, where that is not the ETag.
    package var conditionETag: String?
    package var modified: WriteTime?
    /// What was written, for the layers in front: the store's own record of the object.
    package var record: ObjectRecord?

    package init(_ status: Int, headers: SwiftHeaders = [:], body: SwiftBody = .standard) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An error or a short answer in plain words.
    package static func text(_ status: Int, _ text: String, type: String = "text/html; charset=UTF-8") -> SwiftResponse
    {
        SwiftResponse(status, headers: ["content-type": type], body: .bytes(Array(text.utf8)))
    }

    package static func plain(_ status: Int, _ text: String) -> SwiftResponse {
        .text(status, text, type: "text/plain")
    }

    package var isSuccess: Bool { (200..<300).contains(status) }
    package var etag: String? { headers["etag"].map(EntityTags.plain) }

    /// The size of a whole body, where it is known.
    package var contentLength: Int64? {
        switch body {
        case .none, .standard, .listing: headers["content-length"].flatMap(Int64.init)
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, _, let length): length
        case .stream(_, let length): length
        case .content(let content): content.sizeBytes
        }
    }

    /// The whole body as a stream: for a layer that reads it itself.
    package func source() async throws -> any ByteSource { try await body.source() }

    /// The whole body. Throws `.tooLarge` past `limit`.
    package func collect(limit: Int) async throws -> [UInt8] { try await source().collect(limit: limit) }

    /// Gives up what the body holds open.
    package func drop() async {
        switch body {
        case .content(let content): await content.close()
        case .file: _ = try? await source()  // made and let go: that closes the descriptor
        default: break
        }
    }
}

extension SwiftBody {
    package func source() async throws -> any ByteSource {
        switch self {
        case .none, .standard, .listing: return EmptySource()
        case .bytes(let bytes): return BytesSource(bytes)
        case .file(let descriptor, let offset, let length):
            return FileSource(descriptor: descriptor, offset: offset, length: length)
        case .stream(let source, _): return source
        case .content(let content):
            let body = content.sizeBytes == 0 ? .none : try await content.body(0..<content.sizeBytes)
            await content.close()
            return try await body.source()
        }
    }
}

/// An answer that ends the request where it is thrown.
package struct SwiftFault: Error, Sendable {
    package var response: SwiftResponse
    package init(_ response: SwiftResponse) { self.response = response }
    /// Upstream's page for the status.
    package init(_ status: Int) { response = SwiftResponse(status) }
    package init(_ status: Int, _ message: String) { response = .text(status, message) }
    package static func plain(_ status: Int, _ message: String) -> SwiftFault { SwiftFault(.plain(status, message)) }
}

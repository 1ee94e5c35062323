// SPDX-License-Identifier: Apache-2.0
import HTTPKit

/// A request that is sent to another server.
package struct HTTPClientRequest: Sendable {
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// `length` nil means chunked.
        case stream(any ByteSource, length: Int64?)
    }

    package var method: HTTPMethod
    /// `http://` or `https://`, percent-encoded; sent as it is.
    package var url: String
    package var headers: HTTPHeaders
    package var body: Body
    /// Sends the body only after the server has asked for it with 100 Continue. For uploads and streams.
    package var awaitsContinue = false
    /// How many redirects are followed; only those of GET and HEAD are. 0: a redirect is the answer.
    package var redirects = 0
    /// Instead of `HTTPClientOptions.connectTime`.
    package var connectTime: Duration?
    /// Instead of `HTTPClientOptions.idleTime`.
    package var idleTime: Duration?
    /// From the start to the end of the response's body; nil: as long as bytes move.
    package var timeLimit: Duration?

    package init(_ method: HTTPMethod, _ url: String, headers: HTTPHeaders = [:], body: Body = .none) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
    }
}

package struct HTTPClientResponse: Sendable {
    package let status: Int
    package let headers: HTTPHeaders
    /// Read it to its end, so that the connection can be used again; dropped before, the connection is closed. One task
    /// at a time. Throws `.unavailable` when the server ends it early, or sends nothing for too long.
    package let body: any ByteSource
}

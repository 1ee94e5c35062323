// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import ImageCore

/// Fetches images for Image, from addresses that its filter lets it connect to.
struct ImageDownloads: ImageFetcher {
    private let client: HTTPClient

    init(_ config: ImageConfig) {
        let filter = config.importFilter
        var options = HTTPClientOptions()
        options.mayConnect = { filter.mayConnect($0) }
        // A connection that waits for nobody's sake is worth nothing: each import is of another server.
        options.idleConnections = 4
        client = HTTPClient(options)
    }

    func fetch(_ url: String) async throws -> ImageFetch {
        // Redirects come back: the filter looks at each.
        let response = try await client.send(HTTPClientRequest(.get, url, headers: ["Accept": "*/*"]))
        let body = response.body
        return ImageFetch(
            status: response.status, location: response.headers["Location"],
            sizeBytes: response.headers["Content-Length"].flatMap { Int64($0) },
            body: { try await body.next() })
    }
}

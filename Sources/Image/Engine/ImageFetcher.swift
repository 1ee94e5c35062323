// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What fetches images from other servers, given by the composition root.
///
/// An implementation asks `ImportFilter.mayConnect` before each connection, with the address that the name was resolved
/// to, uses no proxy, and follows no redirect: where one leads is checked here.
package protocol ImageFetcher: Sendable {
    /// Asks for `url` by GET. Returns when the header of the answer has come. Throws `.forbidden` for an address that
    /// may not be connected to, `.unavailable` when the server cannot be reached.
    func fetch(_ url: String) async throws -> ImageFetch
}

/// An answer. Its body may be dropped unread.
package struct ImageFetch: Sendable {
    package let status: Int
    /// The field of that name: where a redirect leads.
    package let location: String?
    package let sizeBytes: Int64?
    package let body: ImageBytes

    package init(status: Int, location: String?, sizeBytes: Int64?, body: @escaping ImageBytes) {
        self.status = status
        self.location = location
        self.sizeBytes = sizeBytes
        self.body = body
    }
}

extension ImageEngine {
    /// The answer that holds the image, behind all redirects, each of which is checked as the first URL was.
    func fetch(_ text: String) async throws -> ImageFetch {
        guard let fetcher else { throw CloudError(.notImplemented, "This cloud fetches no images from URLs.") }
        let filter = config.importFilter
        guard var url = filter.url(text) else { throw Self.filtered(text) }
        for _ in 0...config.importRedirects {
            let answer: ImageFetch
            do {
                answer = try await fetcher.fetch(url.text)
            } catch let error as CloudError where error.code == .forbidden {
                throw Self.filtered(url.text)
            }
            switch answer.status {
            case 200: return answer
            case 301, 302, 303, 307, 308:
                guard let next = answer.location.flatMap(url.following), filter.allows(next) else {
                    throw CloudError.badRequest("Redirect to disallowed URL: \(answer.location?.prefix(256) ?? "")")
                }
                url = next
            default: throw CloudError.badRequest("The server of the image answered with status \(answer.status).")
            }
        }
        throw CloudError.badRequest("The URL of the image redirects too often.")
    }

    static func filtered(_ text: String) -> CloudError {
        .badRequest("URI for web-download does not pass filtering: \(text.prefix(ImportURL.maximumLength))")
    }
}

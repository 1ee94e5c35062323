// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CCurl

/// What libcurl's failures mean to a caller.
enum HTTPClientFailure {
    static let message = "The other server is not available."

    static func describe(_ code: CURLcode, _ detail: String, _ url: String) -> CloudError {
        let text = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
        let cause = "\(origin(url)): \(text) (\(code.rawValue))"
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL:
            return CloudError(.badRequest, "The URL is not one that can be fetched.", cause: cause)
        case CURLE_TOO_MANY_REDIRECTS:
            return CloudError(.badRequest, "The URL redirects too often.", cause: cause)
        default: return CloudError(.unavailable, message, cause: cause)
        }
    }

    static func forbidden(_ url: String) -> CloudError {
        CloudError(.forbidden, "The address may not be connected to.", cause: origin(url))
    }

    static func silent(_ url: String) -> CloudError {
        CloudError(.unavailable, message, cause: "\(origin(url)): nothing came for too long")
    }

    /// Scheme, host and port: paths and queries may carry secrets, and user names do.
    private static func origin(_ url: String) -> String {
        let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count > 2 else { return "" }
        return "\(parts[0])//\(parts[2].split(separator: "@", omittingEmptySubsequences: false).last ?? "")"
    }
}

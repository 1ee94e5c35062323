// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageCore

/// Takes what S3 keeps behind an ETag in a container's row out of the hash, so that the object storage API lists a hash
/// and says the rest under `s3_etag` (s3api: `ListingEtagMiddleware`). Stands in front of the layer of large objects.
package struct S3ListingTagLayer: SwiftLayer {
    package init() {}

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        var response = await next(request)
        guard request.isContainer, case .listing(var listing) = response.body else { return response }
        listing.items = listing.items.map { item in
            guard case .object(var object) = item, object.hash.containsBytes("s3_etag=") else { return item }
            let taken = object.takeParameters { $0 == "s3_etag" }
            if let etag = taken["s3_etag"] { object.extras.append((name: "s3_etag", value: .string("\"\(etag)\""))) }
            return .object(object)
        }
        response.body = .listing(listing)
        return response
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract

/// How the bytes of an import come (glance: `enabled_import_methods`).
package enum ImageImportMethod: String, Sendable, Codable, CaseIterable {
    /// They were staged.
    case glanceDirect = "glance-direct"
    /// They are fetched from a URL.
    case webDownload = "web-download"
    /// They are in one store and come into others.
    case copyImage = "copy-image"
}

/// What `/v2/images/{id}/import` is asked for.
package struct ImageImportDraft: Sendable {
    package var method: ImageImportMethod
    package var url: String?
    /// Nil: the default store.
    package var stores: [String]?
    package var isForAllStores: Bool
    package var allStoresMustSucceed: Bool
    /// The whole request, for the task.
    package var request: JSON

    package init(
        method: ImageImportMethod, url: String? = nil, stores: [String]? = nil, isForAllStores: Bool = false,
        allStoresMustSucceed: Bool = true, request: JSON = .null
    ) {
        self.method = method
        self.url = url
        self.stores = stores
        self.isForAllStores = isForAllStores
        self.allStoresMustSucceed = allStoresMustSucceed
        self.request = request
    }
}

/// What the bytes at a location are said to be.
package struct ImageHashClaim: Sendable, Codable, Equatable {
    package var algorithm: String
    package var value: String

    package init(algorithm: String, value: String) {
        self.algorithm = algorithm
        self.value = value
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract

package enum ImageTaskTag {}
package typealias ImageTaskID = ID<ImageTaskTag>

/// Long work on an image as its owner follows it.
package struct ImageTask: Sendable, Equatable {
    package enum Kind: String, Sendable, CaseIterable {
        /// Made by the tasks' own API: an image from a URL.
        case imported = "import"
        /// Made by `/v2/images/{id}/import`.
        case apiImport = "api_image_import"
        /// Made by `/v2/images/{id}/locations`.
        case locationImport = "location_import"
    }

    package enum Status: String, Sendable, CaseIterable {
        /// Waits for its turn. Leaves to `processing`, or to `failure`.
        case pending
        /// Runs. Leaves to `success` or `failure`.
        case processing
        case success, failure
    }

    package var id: ImageTaskID
    package var kind: Kind
    package var status: Status
    package var owner: ProjectID?
    package var imageID: ImageID?
    package var userID: String?
    package var requestID: String?
    package var input: JSON
    package var result: JSON?
    package var message: String
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    /// When an ended task is forgotten.
    package var expiresAt: Timestamp?

    package init(
        id: ImageTaskID, kind: Kind, owner: ProjectID?, imageID: ImageID?, input: JSON, createdAt: Timestamp
    ) {
        self.id = id
        self.kind = kind
        self.owner = owner
        self.imageID = imageID
        self.input = input
        self.createdAt = createdAt
        updatedAt = createdAt
        status = .pending
        message = ""
    }
}

/// What a list of tasks asks for.
package struct ImageTaskQuery: Sendable {
    package enum SortKey: String, Sendable, CaseIterable { case created_at, updated_at, id, status, type }

    package var kind: ImageTask.Kind?
    package var status: ImageTask.Status?
    package var sortKey = SortKey.created_at
    package var isAscending = false
    package var limit = 25
    package var marker: ImageTaskID?

    package init() {}
}

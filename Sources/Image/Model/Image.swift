// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract

/// An image as its row says it.
package struct Image: Sendable, Equatable {
    package enum Visibility: String, Sendable, CaseIterable {
        case `public`, `private`, shared, community
    }

    package var id: ImageID
    package var name: String?
    package var status: Status
    package var visibility: Visibility
    package var owner: ProjectID?
    package var diskFormat: String?
    package var containerFormat: String?
    package var sizeBytes: Int64?
    package var virtualSizeBytes: Int64?
    package var checksum: String?
    package var hashAlgorithm: String?
    package var hashValue: String?
    package var minDiskGiB: Int64
    package var minRAMMiB: Int64
    package var isProtected: Bool
    package var isHidden: Bool
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    /// Names the file that holds, or will hold, the bytes. It changes with each upload, so that the file of an upload
    /// that lost can never be taken for the winner's.
    package var blob: String?
    /// What staging found, while the bytes wait for the import.
    package var staged: StagedData?
    /// The stores that hold the bytes, in order of their names.
    package var stores: [String]
    /// The task that alone may change where the bytes are.
    package var importTask: ImageTaskID?
    /// The stores that the running import has still to fill, and those that the last one did not; nil before the first.
    package var importingStores: [String]?
    package var failedStores: [String]?
    package var properties: [String: String]
    package var tags: [String]

    package init(
        id: ImageID, name: String? = nil, owner: ProjectID?, visibility: Visibility = .shared, createdAt: Timestamp
    ) {
        self.id = id
        self.name = name
        self.owner = owner
        self.visibility = visibility
        self.createdAt = createdAt
        updatedAt = createdAt
        status = .queued
        minDiskGiB = 0
        minRAMMiB = 0
        isProtected = false
        isHidden = false
        stores = []
        properties = [:]
        tags = []
    }

    /// Whether there are bytes to read.
    package var hasData: Bool { (status == .active || status == .deactivated) && blob != nil }
}

extension Image {
    package enum Status: String, Sendable, CaseIterable {
        /// No bytes yet. Leaves by an upload or by staging.
        case queued
        /// An upload runs. Leaves to `active`, or back to `queued` when it breaks.
        case saving
        /// Bytes are being staged or wait for the import. Leaves to `importing`, or back to `queued`.
        case uploading
        /// A task brings the bytes into the stores. Leaves to `active`, or back to `queued` when it fails.
        case importing
        /// Whole and checked. Leaves to `deactivated`.
        case active
        /// Only administrators may read it. Leaves to `active`.
        case deactivated
    }

    package enum Event: Sendable, CaseIterable {
        case uploadBegan, stagingBegan, importBegan, dataStored, dataRefused, deactivateRequested, reactivateRequested
    }
}

extension Image.Status {
    /// The status after `event`, or nil when the event is illegal here.
    package func after(_ event: Image.Event) -> Image.Status? {
        switch (self, event) {
        case (.queued, .uploadBegan): .saving
        case (.queued, .stagingBegan): .uploading
        case (.queued, .importBegan), (.uploading, .importBegan): .importing
        case (.saving, .dataStored), (.importing, .dataStored): .active
        case (.saving, .dataRefused), (.uploading, .dataRefused), (.importing, .dataRefused): .queued
        case (.active, .deactivateRequested), (.deactivated, .deactivateRequested): .deactivated
        case (.active, .reactivateRequested), (.deactivated, .reactivateRequested): .active
        default: nil
        }
    }
}

/// What is known of bytes that were stored whole.
package struct StoredData: Sendable, Equatable {
    package var sizeBytes: Int64
    package var checksum: String
    package var hashValue: String
    package var inspection: ImageInspection
    package var hashAlgorithm = DataDigests.hashAlgorithm
}

/// The same, kept in the row of an image whose bytes wait for their import.
package struct StagedData: Sendable, Equatable {
    package var data: StoredData

    package init(_ data: StoredData) { self.data = data }

    package init?(text: String) {
        guard let json = try? JSONReader.read(text),  // a row of somebody else's counts as nothing staged
            let size = json["size"]?.int, let checksum = json["md5"]?.string,
            let hash = (json["hash"] ?? json["sha512"])?.string, let format = json["format"]?.string
        else { return nil }
        data = StoredData(
            sizeBytes: size, checksum: checksum, hashValue: hash,
            inspection: ImageInspection(
                format: format, virtualSizeBytes: json["virtual"]?.int, violation: json["violation"]?.string),
            hashAlgorithm: json["algorithm"]?.string ?? DataDigests.hashAlgorithm)
    }

    package var text: String {
        let bytes = JSONWriter.object { writer in
            writer.field("size", data.sizeBytes)
            writer.field("md5", data.checksum)
            writer.field("hash", data.hashValue)
            writer.field("algorithm", data.hashAlgorithm)
            writer.field("format", data.inspection.format)
            if let size = data.inspection.virtualSizeBytes { writer.field("virtual", size) }
            if let violation = data.inspection.violation { writer.field("violation", violation) }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// One project's share in an image.
package struct ImageMember: Sendable, Equatable {
    package enum Status: String, Sendable, CaseIterable { case pending, accepted, rejected }

    package var imageID: ImageID
    package var memberID: String
    package var status: Status
    package var createdAt: Timestamp
    package var updatedAt: Timestamp
}

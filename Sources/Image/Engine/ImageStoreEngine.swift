// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit

extension PolicyName {
    package static let deleteImageLocation: PolicyName = "delete_image_location"
    package static let addImageLocation: PolicyName = "add_image_location"
    package static let fetchImageLocation: PolicyName = "fetch_image_location"
    package static let storesInfoDetail: PolicyName = "stores_info_detail"
}

/// Where one image's bytes are, for services alone.
package struct ImageLocation: Sendable, Equatable {
    package let url: String
    package let store: String
}

/// The stores that hold an image.
extension ImageEngine {
    /// Takes an image's bytes out of one of its stores; the last one keeps them.
    package func delete(_ id: ImageID, fromStore name: String, for context: CallContext) async throws {
        guard stores.has(name) else {
            throw CloudError.conflict("The selected store \(name.prefix(64)) is not available on this node.")
        }
        let now = clock.now()
        let blob = try await database.write { tx -> String? in
            let image = try access.load(id, for: .deleteImageLocation, context, tx).image
            guard image.status == .active else {
                throw CloudError.conflict(
                    "It's not allowed to remove image data from store if image status is not 'active'")
            }
            // A running copy may be reading these bytes.
            guard image.importTask == nil else { throw CloudError.conflict("Image has active task") }
            guard image.stores.contains(name) else {
                throw CloudError.notFound("Image \(id) is not stored in store \(name).")
            }
            guard image.stores.count > 1 else {
                throw CloudError.forbidden(
                    """
                    Cannot delete image data from the only store containing it. Consider deleting the image instead.
                    """)
            }
            _ = try data.removeStore(name, from: id, tx)
            try images.touch(id, at: now, tx)
            return image.blob
        }
        if let blob { await stores.remove(blob, from: [name]) }
    }

    package func locations(of id: ImageID, for context: CallContext) async throws -> [ImageLocation] {
        let image = try await database.read { tx in try access.load(id, for: .fetchImageLocation, context, tx).image }
        guard image.hasData, let blob = image.blob else { return [] }
        return image.stores.compactMap { name in
            stores.store(name).map { ImageLocation(url: "file://" + $0.path(blob), store: name) }
        }
    }

    /// The directory of a store, for administrators.
    package func directory(ofStore name: String) -> String { stores.store(name)?.directory ?? "" }
}

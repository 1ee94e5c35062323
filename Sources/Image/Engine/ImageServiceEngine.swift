// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// What other services and agents use.
extension ImageEngine: ImageService, ImageSource {
    package func image(_ id: ImageID, for principal: Principal) async throws -> ImageInfo? {
        try await images([id], for: principal)[id]
    }

    package func images(_ ids: [ImageID], for principal: Principal) async throws -> [ImageID: ImageInfo] {
        guard !ids.isEmpty else { return [:] }
        return try await database.read { tx in
            let seen = try access.seen(try images.images(ids, tx), by: principal, tx)
            return Dictionary(seen.map { ($0.id, Self.info($0)) }, uniquingKeysWith: { first, _ in first })
        }
    }

    package func fetch(_ id: ImageID, to path: String) async throws {
        let absent = CloudError.notFound("Image \(id) could not be found.", kind: "ImageNotFound")
        guard let image = try await database.read({ tx in try images.image(id, tx) }), image.status == .active,
            let blob = image.blob, try await stores.place(blob, in: image.stores, at: path)
        else { throw absent }
    }

    private static func info(_ image: Image) -> ImageInfo {
        ImageInfo(
            id: image.id, name: image.name ?? "", status: image.status.rawValue, owner: image.owner,
            diskFormat: image.diskFormat, containerFormat: image.containerFormat, sizeBytes: image.sizeBytes ?? 0,
            virtualSizeBytes: image.virtualSizeBytes ?? image.sizeBytes ?? 0, minDiskGiB: Int(image.minDiskGiB),
            minRAMMiB: Int(image.minRAMMiB), checksum: image.checksum, properties: image.properties)
    }
}

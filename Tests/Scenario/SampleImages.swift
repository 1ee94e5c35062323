// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageCore

/// A server of images that has one, for requests that name a URL.
struct SampleImages: ImageFetcher {
    static let url = "http://images.test/disk.raw"
    static let task: JSON = [
        "type": "import",
        "input": [
            "import_from": .string(url), "import_from_format": "raw",
            "image_properties": ["name": "new", "disk_format": "raw", "container_format": "bare"],
        ],
    ]

    func fetch(_ url: String) async throws -> ImageFetch {
        guard url == Self.url else { throw CloudError(.unavailable, "The other server is not available.") }
        let bytes = [UInt8](repeating: 7, count: 4096)
        return ImageFetch(
            status: 200, location: nil, sizeBytes: Int64(bytes.count), body: OnePiece(bytes).next)
    }

    private final class OnePiece: Sendable {
        private let rest: Box<[UInt8]?>
        init(_ bytes: [UInt8]) { rest = Box(bytes) }
        @Sendable func next() async throws -> [UInt8]? {
            defer { rest.value = nil }
            return rest.value
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ImageCore
import LifecycleKit
import TestKit
import Testing

/// The cache and the quotas of images.
@Suite struct ImageCacheTests {
    private static let admin = "admin@root"

    private func cached(_ directory: String) throws -> [String] { try FileCalls.names(in: directory + "/cache") }

    @Test func whatIsAskedForIsCachedAndServed() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory) { $0.cacheBytes = 0 }
            let id = try await world.create()
            let path = "/v2/cache/\(id)"
            #expect(try await world.call(.get, "/v2/cache").status == 403)
            #expect(try await world.call(.put, path).status == 403)
            #expect(try await world.call(.put, path, as: Self.admin).status == 400)
            #expect(try await world.call(.put, "/v2/cache/none", as: Self.admin).status == 404)
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([[1, 2, 3]])).status == 204)
            #expect(try await world.call(.put, path, as: Self.admin).status == 202)
            let queued = try await world.call(.get, "/v2/cache", as: Self.admin).json
            #expect(queued == ["cached_images": [], "queued_images": [.string(id)]])
            let reconciler = ImageCacheReconciler(world.engine)
            #expect(try await reconciler.reconcile() == 0)
            #expect(try cached(directory).count == 1)
            let nodes = try await world.call(.get, "/v2/cache/nodes/\(id)", as: Self.admin).json
            #expect(nodes == ["http://cloud/image"])
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == [1, 2, 3])
            let entry = try await world.call(.get, "/v2/cache", as: Self.admin).json["cached_images"]?.array?.first
            #expect(entry?["image_id"]?.string == id && entry?["hits"] == 1 && entry?["size"] == 3)
            makeFile(directory + "/cache/\(id).0123456789ab")
            #expect(try await world.call(.post, "/v2/cache/clean", as: Self.admin).status == 200)
            #expect(try cached(directory).count == 1)
            let pruned = try await world.call(.post, "/v2/cache/prune", as: Self.admin).json
            #expect(pruned == ["total_files_pruned": 1, "total_bytes_pruned": 3])
            #expect(try cached(directory) == [])
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == [1, 2, 3])
        }
    }

    @Test func entriesLeaveByCallAndWithTheirImages() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let reconciler = ImageCacheReconciler(world.engine)
            var ids: [String] = []
            for _ in 0..<3 {
                let id = try await world.create()
                _ = try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([[1]]))
                #expect(try await world.call(.put, "/v2/cache/\(id)", as: Self.admin).status == 202)
                ids.append(id)
            }
            _ = try await reconciler.reconcile()
            #expect(try cached(directory).count == 3)
            #expect(try await world.call(.delete, "/v2/cache/\(ids[0])", as: Self.admin).status == 204)
            #expect(try cached(directory).count == 2)
            #expect(try await world.call(.delete, "/v2/images/\(ids[1])").status == 204)
            #expect(try await reconciler.reconcile() == 1)
            let bad: HTTPHeaders = ["x-image-cache-clear-target": "invalid"]
            #expect(try await world.call(.delete, "/v2/cache", as: Self.admin, headers: bad).status == 400)
            let queue: HTTPHeaders = ["x-image-cache-clear-target": "queue"]
            #expect(try await world.call(.delete, "/v2/cache", as: Self.admin, headers: queue).status == 204)
            #expect(try cached(directory).count == 1)
            #expect(try await world.call(.delete, "/v2/cache", as: Self.admin).status == 204)
            #expect(try cached(directory) == [])
        }
    }

    private struct Limits: ImageQuotaSource {
        func limits(of project: ProjectID) async throws -> [String: Int] {
            ["image_count_total": 2, "image_size_total": 1, "image_stage_total": -1, "image_count_uploading": 10]
        }
    }

    @Test func limitsOfIdentityBoundImages() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory, quotas: Limits()) { $0.usesUnifiedLimits = true }
            let first = try await world.create()
            let second = try await world.create()
            let third = try await world.call(.post, "/v2/images", ["name": "c"])
            #expect(third.status == 413 && third.text.contains("image_count_total is over limit of 2"))
            let megabytes = [UInt8](repeating: 0, count: 1 << 20)
            let big = Pieces([megabytes, megabytes])
            #expect(try await world.call(.put, "/v2/images/\(first)/file", bytes: big).status == 204)
            let usage = try await world.call(.get, "/v2/info/usage").json["usage"]
            #expect(usage?["image_size_total"] == ["usage": 2, "limit": 1])
            #expect(usage?["image_count_total"] == ["usage": 2, "limit": 2])
            #expect(try await world.call(.put, "/v2/images/\(second)/file", bytes: Pieces([[1]])).status == 413)
            #expect(try await world.call(.get, "/v2/info/usage", as: "none@two").status == 200)
        }
    }
}

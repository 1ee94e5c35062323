// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ImageContract
import ImageCore
import LifecycleKit
import SecurityKit
import TestKit
import Testing

/// Bytes through the API: nothing half is ever active, nothing refused leaves a file.
@Suite struct ImageDataTests {
    private func files(_ directory: String) throws -> [String] {
        try FileCalls.names(in: directory).filter { $0 != "cache" }
    }

    @Test func uploadedBytesComeBackWithTheirDigests() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            let pieces = (0..<40).map { index in [UInt8](repeating: UInt8(index), count: 30_000) }
            let all = pieces.flatMap { $0 }
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces(pieces)).status == 204)
            let image = try await world.call(.get, "/v2/images/\(id)").json
            #expect(image["status"] == "active" && image["size"] == 1_200_000 && image["virtual_size"] == 1_200_000)
            #expect(image["checksum"]?.string == Hex.encode(Digest.of(all, .md5)))
            #expect(image["os_hash_algo"] == "sha512")
            #expect(image["os_hash_value"]?.string == Hex.encode(Digest.of(all, .sha512)))
            #expect(image["stores"] == "file")
            let down = try await world.call(.get, "/v2/images/\(id)/file")
            #expect(down.bytes == all)
            #expect(down.headers["Content-MD5"] == image["checksum"]?.string)
            #expect(try files(directory).count == 1)
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([[1]])).status == 409)
            #expect(try await world.call(.delete, "/v2/images/\(id)").status == 204)
            #expect(try files(directory) == [])
        }
    }

    @Test func rangesAreServed() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            _ = try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([Array(0..<10)]))
            func range(_ text: String) async throws -> ImageWorld.Answer {
                try await world.call(.get, "/v2/images/\(id)/file", headers: ["Range": text])
            }
            let part = try await range("bytes=2-4")
            #expect(part.status == 206 && part.bytes == [2, 3, 4] && part.headers["Content-Range"] == "bytes 2-4/10")
            #expect(try await range("bytes=7-").bytes == [7, 8, 9])
            #expect(try await range("bytes=-2").bytes == [8, 9])
            #expect(try await range("bytes=5-99").bytes == [5, 6, 7, 8, 9])
            #expect(try await range("bytes=10-").status == 416)
            #expect(try await range("bytes=4-2").status == 416)
            #expect(try await range("lines=1-2").status == 416)
            #expect(try await range("bytes=0-1,4-5").status == 400)
        }
    }

    @Test func brokenUploadLeavesAQueuedImageAndNoFile() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            let half = Pieces([[UInt8](repeating: 7, count: 600_000)], isBroken: true)
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: half).status == 503)
            #expect(try await world.status(id) == "queued")
            #expect(try files(directory) == [])
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([[1]])).status == 204)
        }
    }

    @Test func refusedUploadsSayWhyAndLeaveNothing() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory) { $0.maximumImageBytes = 3 << 20 }
            let id = try await world.create()
            let file = "/v2/images/\(id)/file"
            let zeros = [UInt8](repeating: 0, count: 1 << 20)
            let refused: [(Pieces, HTTPHeaders, Int, String)] = [
                (Pieces([ImageBytes.qcow2()]), [:], 415, "does not match"),
                (Pieces([ImageBytes.iso(), zeros, zeros]), [:], 415, "does not match"),
                (Pieces([zeros, zeros, zeros, [1]]), [:], 413, "too large"),
                (Pieces([[1]]), ["Content-Type": "text/plain"], 415, "content type"),
                (Pieces([[1]]), ["x-openstack-image-size": "2"], 400, "Size"),
                (Pieces([[1]]), ["x-openstack-image-size": "many"], 400, "size"),
                (Pieces([[1]]), ["x-image-meta-store": "tape"], 400, "tape"),
            ]
            for (pieces, headers, status, reason) in refused {
                let answer = try await world.call(.put, file, bytes: pieces, headers: headers)
                #expect(answer.status == status && answer.text.contains(reason), "\(answer.status) \(answer.text)")
                #expect(try await world.status(id) == "queued")
                #expect(try files(directory) == [])
            }
            let bare = try await world.call(.post, "/v2/images", ["name": "no formats"]).json["id"]?.string ?? ""
            let early = try await world.call(.put, "/v2/images/\(bare)/file", bytes: Pieces([[1]]))
            #expect(early.status == 400 && early.text.contains("disk_format, container_format"))
            let qcow2 = try await world.create(["disk_format": "qcow2"])
            let unsafe = try await world.call(
                .put, "/v2/images/\(qcow2)/file", bytes: Pieces([ImageBytes.qcow2(backing: 8)]))
            #expect(unsafe.status == 415 && unsafe.text.contains("backing file"))
            #expect(
                try await world.call(.put, "/v2/images/\(qcow2)/file", bytes: Pieces([ImageBytes.qcow2()])).status
                    == 204)
            #expect(try await world.call(.get, "/v2/images/\(qcow2)").json["virtual_size"] == .int(10 << 20))
        }
    }

    @Test func deletedMeanwhileIsGone() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            let body = Hooked { () async throws -> Void in
                let answer = try await world.call(.delete, "/v2/images/\(id)")
                #expect(answer.status == 204)
            }
            #expect(try await world.call(.put, "/v2/images/\(id)/file", bytes: body).status == 410)
            #expect(try files(directory) == [])
        }
    }

    @Test func stagedBytesWaitForTheirImport() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create(["disk_format": "qcow2"])
            let start: JSON = ["method": ["name": "glance-direct"]]
            #expect(try await world.call(.post, "/v2/images/\(id)/import", start).status == 409)
            #expect(
                try await world.call(.put, "/v2/images/\(id)/stage", bytes: Pieces([ImageBytes.qcow2()])).status == 204)
            #expect(try await world.status(id) == "uploading")
            #expect(try await world.call(.put, "/v2/images/\(id)/stage", bytes: Pieces([[1]])).status == 409)
            _ = try await world.reconciler.reconcile()
            #expect(
                try await world.call(.post, "/v2/images/\(id)/import", ["method": ["name": "web-download"]]).status
                    == 400)
            #expect(try await world.call(.post, "/v2/images/\(id)/import", start).status == 202)
            #expect(try await world.status(id) == "importing")
            try await world.finishImports()
            #expect(try await world.status(id) == "active")
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == ImageBytes.qcow2())
            #expect(try await world.call(.post, "/v2/images/\(id)/import", start).status == 409)
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == ImageBytes.qcow2())
            let bad = try await world.create(["disk_format": "qcow2"])
            #expect(try await world.call(.put, "/v2/images/\(bad)/stage", bytes: Pieces([[1, 2]])).status == 204)
            #expect(try await world.call(.post, "/v2/images/\(bad)/import", start).status == 415)
            #expect(try await world.status(bad) == "queued")
            #expect(try files(directory).count == 1)
        }
    }

    /// Of many imports at once one wins, and the losers do not touch the winner's bytes.
    @Test func importsRunningAtOnceKeepTheBytes() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            #expect(try await world.call(.put, "/v2/images/\(id)/stage", bytes: Pieces([[1, 2]])).status == 204)
            await withTaskGroup(of: Int?.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        // A loser's answer is of no interest here.
                        try? await world.call(.post, "/v2/images/\(id)/import", ["method": ["name": "glance-direct"]])
                            .status
                    }
                }
            }
            try await world.finishImports()
            #expect(try await world.call(.get, "/v2/images/\(id)/file").bytes == [1, 2])
        }
    }

    @Test func reconcilerRemovesWasteAndFreesDeadUploads() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let id = try await world.create()
            let waste = [
                "\(id).0123456789ab", "\(id).0123456789ab.part", "99999999-2222-3333-4444-555555555555.aaaaaaaaaaaa",
            ]
            for name in waste { makeFile(directory + "/" + name) }
            makeFile(directory + "/README")
            let reconciler = world.reconciler
            #expect(try await reconciler.reconcile() == 3)
            #expect(try files(directory) == ["README"])
            // What a process leaves that died in the middle of an upload.
            try await world.database.write { tx in
                try tx.execute(
                    """
                    UPDATE images SET status = 'saving', blob_name = 'x', upload_seen_at = \(world.clock.clock.now())
                     WHERE id = \(id)
                    """)
            }
            #expect(try await reconciler.reconcile() == 0)
            world.clock.advance(by: .seconds(61))
            #expect(try await reconciler.reconcile() == 1)
            #expect(try await world.status(id) == "queued")
            #expect(try await reconciler.reconcile() == 0)
        }
    }

    @Test func otherServicesFetchAndSee() async throws {
        try await withTemporaryDirectory { directory in
            try await withTemporaryDirectory { host in
                let world = try await ImageWorld(directory: directory)
                let id = ImageID(try await world.create(["os_distro": "debian", "visibility": "private"]))
                let source: any ImageSource = world.engine
                await #expect(throws: CloudError.self) { try await source.fetch(id, to: host + "/base") }
                _ = try await world.call(.put, "/v2/images/\(id)/file", bytes: Pieces([[5, 6, 7]]))
                try await source.fetch(id, to: host + "/base")
                #expect(try content(of: host + "/base") == [5, 6, 7])
                #expect(try await world.call(.delete, "/v2/images/\(id)", as: "member@two").status == 404)
                let service: any ImageService = world.engine
                let info = try await service.image(id, for: ImageWorld.principal("reader@one"))
                #expect(
                    info?.status == "active" && info?.virtualSizeBytes == 3
                        && info?.properties == ["os_distro": "debian"])
                #expect(try await service.image(id, for: ImageWorld.principal("member@two")) == nil)
                #expect(try await world.call(.delete, "/v2/images/\(id)").status == 204)
                #expect(try content(of: host + "/base") == [5, 6, 7])
            }
        }
    }
}

/// A body that does something after its first piece.
private final class Hooked: ByteSource {
    private let pieces = Pieces([[UInt8](repeating: 1, count: 300_000), [2]])
    private let hook: @Sendable () async throws -> Void

    init(_ hook: @escaping @Sendable () async throws -> Void) { self.hook = hook }

    func next() async throws -> [UInt8]? {
        guard let piece = try await pieces.next() else {
            try await hook()
            return nil
        }
        return piece
    }
}

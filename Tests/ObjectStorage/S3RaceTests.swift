// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization
import Testing

@testable import ObjectStorageAPI

/// Goal: whatever comes late, twice or at once, an object that was completed keeps its parts.
/// Method: bodies that wait for other requests, and requests beside each other, against devices in memory.
@Suite("S3 races")
struct S3RaceTests {
    private static func world() async throws -> S3World {
        let world = try S3World()
        _ = try await world.call(.put, "/box", expecting: 200)
        return world
    }

    private static func begin(_ world: S3World) async throws -> String {
        try #require(try await world.call(.post, "/box/big?uploads=", expecting: 200).document?.value("UploadId"))
    }

    @discardableResult
    private static func put(
        _ world: S3World, _ text: String, to id: String, before hook: (@Sendable () async throws -> Void)? = nil,
        expecting status: Int = 200
    ) async throws -> S3World.Answer {
        try await world.call(.put, "/box/big?partNumber=1&uploadId=\(id)", text, before: hook, expecting: status)
    }

    private static func completion(_ etag: String) -> String {
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(etag)</ETag></Part>"
            + "</CompleteMultipartUpload>"
    }

    /// An object of one part.
    private static func store(_ world: S3World, _ text: String) async throws {
        let id = try await begin(world)
        let etag = try #require(try await put(world, text, to: id).headers["etag"])
        _ = try await world.call(.post, "/box/big?uploadId=\(id)", completion(etag), expecting: 200)
    }

    @Test("a bucket that is refused to go keeps the parts of its versions")
    func refusedBucket() async throws {
        let world = try await Self.world()
        let status = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
        _ = try await world.call(.put, "/box?versioning=", status, expecting: 200)
        try await Self.store(world, "aaaa")
        _ = try await world.call(.delete, "/box/big", expecting: 204)
        let all = try await world.call(.get, "/box?versions=", expecting: 200)
        let version = try #require(all.document?["Version"]?.value("VersionId"))
        #expect(try await world.call(.delete, "/box", expecting: 409).code == "BucketNotEmpty")
        #expect(try await world.call(.get, "/box/big?versionId=\(version)", expecting: 200).text == "aaaa")
    }

    @Test("with a bucket its uploads go")
    func goneBucket() async throws {
        let world = try await Self.world()
        let id = try await Self.begin(world)
        try await Self.put(world, "aaaa", to: id)
        _ = try await world.call(.delete, "/box", expecting: 204)
        _ = try await world.call(.put, "/box", expecting: 200)
        #expect(try await world.call(.get, "/box?uploads=", expecting: 200).document?.all("Upload").isEmpty == true)
        _ = try await world.call(.get, "/box/big?uploadId=\(id)", expecting: 404)
    }

    @Test("a part that comes after the end is refused, and harms nothing")
    func latePart() async throws {
        let world = try await Self.world()
        let id = try await Self.begin(world)
        let late = try await Self.put(
            world, "bbbb", to: id,
            before: {
                let etag = try #require(try await Self.put(world, "aaaa", to: id).headers["etag"])
                _ = try await world.call(.post, "/box/big?uploadId=\(id)", Self.completion(etag), expecting: 200)
            }, expecting: 404)
        #expect(late.code == "NoSuchUpload")
        #expect(try await world.call(.get, "/box/big", expecting: 200).text == "aaaa")
    }

    @Test("a part that comes after the upload was given up is refused")
    func partAfterAbort() async throws {
        let world = try await Self.world()
        let id = try await Self.begin(world)
        let late = try await Self.put(
            world, "bbbb", to: id,
            before: { _ = try await world.call(.delete, "/box/big?uploadId=\(id)", expecting: 204) }, expecting: 404)
        #expect(late.code == "NoSuchUpload")
    }

    @Test("of a part that is sent again the last counts, and is shown alone")
    func againPart() async throws {
        let world = try await Self.world()
        let id = try await Self.begin(world)
        let first = try #require(try await Self.put(world, "aaaa", to: id).headers["etag"])
        let second = try #require(try await Self.put(world, "bbbb", to: id).headers["etag"])
        let listed = try await world.call(.get, "/box/big?uploadId=\(id)", expecting: 200)
        #expect(listed.document?.all("Part").map { $0.value("ETag") } == [second])
        #expect(try await world.call(.get, "/box?uploads=", expecting: 200).document?.all("Upload").count == 1)
        let path = "/box/big?uploadId=\(id)"
        #expect(try await world.call(.post, path, Self.completion(first), expecting: 400).code == "InvalidPart")
        _ = try await world.call(.post, path, Self.completion(second), expecting: 200)
        #expect(try await world.call(.get, "/box/big", expecting: 200).text == "bbbb")
    }

    @Test("an upload is completed or given up, not both")
    func completeOrAbort() async throws {
        for _ in 0..<16 {
            let world = try await Self.world()
            let id = try await Self.begin(world)
            let etag = try #require(try await Self.put(world, "aaaa", to: id).headers["etag"])
            let path = "/box/big?uploadId=\(id)"
            async let completing = world.call(.post, path, Self.completion(etag))
            async let aborting = world.call(.delete, path)
            let (completed, aborted) = try await (completing, aborting)
            let object = try await world.call(.get, "/box/big")
            if completed.status == 200 {
                #expect(aborted.code == "NoSuchUpload")
                #expect(object.status == 200 && object.text == "aaaa")
            } else {
                #expect(completed.code == "NoSuchUpload")
                #expect(aborted.status == 204 && object.status == 404)
            }
        }
    }

    @Test("who waits for a turn has it when the one before is done")
    func turns() async throws {
        let writes = S3ConditionalWrites()
        let path = ObjectPath(account: "a", container: "c", object: "o")
        let tally = Tally()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<32 {
                group.addTask {
                    try await writes.inTurn(path) {
                        tally.inside.withLock { $0 = ($0.now + 1, max($0.most, $0.now + 1), $0.all + 1) }
                        await Task.yield()
                        tally.inside.withLock { $0.now -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(tally.inside.withLock { $0.most == 1 && $0.all == 32 })
        try await writes.inTurn(path) { try await writes.inTurn(path.ofContainer) {} }
    }
}

/// How many were inside at once, and at all.
private final class Tally: Sendable {
    let inside = Mutex((now: 0, most: 0, all: 0))
}

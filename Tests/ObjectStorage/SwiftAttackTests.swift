// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

/// Goal: nobody reads what he may not, and no request ends the process or costs without bound.
/// Method: requests of a stranger who knows the code, through the whole pipeline.
@Suite("Object storage API under attack")
struct SwiftAttackTests {
    private static let secret = "TOP SECRET"
    private static let etag = "4084d3aa012b5a1b8c44fadd0c3c6743"

    private static func world() async throws -> SwiftWorld {
        let world = try SwiftWorld()
        try await world.call(.put, "/box", expecting: 201)
        try await world.call(.put, "/box/secret", secret, expecting: 201)
        return world
    }

    @Test("versions make no link to another's object, and no copy turns one into such a link")
    func links() async throws {
        let world = try await Self.world()
        let (guest, own) = (SwiftWorld.guest, "/v1/AUTH_other")
        try await world.call(.put, "\(own)/plain", as: guest, expecting: 201)
        try await world.call(.put, "\(own)/kept", headers: ["X-Versions-Enabled": "true"], as: guest, expecting: 201)
        let target: HTTPHeaders = ["X-Symlink-Target": "box/secret", "X-Symlink-Target-Account": "AUTH_test"]
        for tag in ["aa", Self.etag] {
            var hard = target
            hard.set("X-Symlink-Target-Etag", tag)
            // Neither whether it is there, nor what it is.
            let answer = try await world.call(.put, "\(own)/kept/x", headers: hard, as: guest, expecting: 403)
            #expect(!answer.text.contains(Self.etag))
        }
        try await world.call(.put, "\(own)/kept/x", "mine", as: guest, expecting: 201)
        var copy = target
        copy.set("X-Copy-From", "kept/x")
        try await world.call(.put, "\(own)/plain/evil?symlink=get", headers: copy, as: guest)
        let read = try await world.call(.get, "\(own)/plain/evil", as: guest)
        #expect(read.status != 200 || !read.text.contains("SECRET"))
        var forged = target
        forged.set("X-Object-Sysmeta-Versions-Symlink", "true")
        try await world.call(.put, "\(own)/plain/forged", headers: forged, as: guest)
        try await world.call(.get, "\(own)/plain/forged", as: guest, expecting: 403)
    }

    @Test("links that lead in a circle come to an end")
    func circle() async throws {
        let world = try await Self.world()
        for (name, other) in [("a", "b"), ("b", "a")] {
            try await world.call(.put, "/box/\(name)", headers: ["X-Symlink-Target": "box/\(other)"], expecting: 201)
        }
        try await world.call(.get, "/box/a", expecting: 409)
    }

    @Test("numbers at the edge are answers, not the end of the process")
    func numbers() async throws {
        let world = try await Self.world()
        let edge = "9223372036854775807"
        let all = try await world.call(.get, "/box/secret", headers: ["Range": "bytes=0-\(edge)"], expecting: 206)
        #expect(all.text == Self.secret)
        try await world.call(.get, "/box/secret", headers: ["Range": "bytes=-\(edge)"], expecting: 206)
        try await world.call(.get, "/box/secret", headers: ["Range": "bytes=\(edge)-\(edge)"], expecting: 416)
        let manifest = "[{\"path\":\"/box/secret\",\"range\":\"0-\(edge)\"}]"
        let slo = try await world.call(.put, "/box/slo?multipart-manifest=put", manifest)
        #expect(slo.status < 500)
        try await world.call(.post, "/box", headers: ["X-Container-Meta-Quota-Bytes": "100"], expecting: 204)
        try await world.call(.put, "/box/big", headers: ["Content-Length": edge], expecting: 413)
    }

    private static func tar(_ kind: Character, size: [UInt8], name: String = "box/file") -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        block.replaceSubrange(0..<name.utf8.count, with: name.utf8)
        block.replaceSubrange(124..<124 + size.count, with: size)
        block[156] = kind.asciiValue ?? 0
        for index in 148..<156 { block[index] = 0x20 }
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        block.replaceSubrange(148..<148 + sum.utf8.count, with: sum.utf8)
        return block
    }

    @Test("archives with sizes at the edge are refused, and strangers' are not opened")
    func archives() async throws {
        let world = try await Self.world()
        let largest: [UInt8] = [0x80, 0, 0, 0, 0x7F, 255, 255, 255, 255, 255, 255, 255]
        for kind: Character in ["0", "5", "L", "x"] {
            let answer = try await world.call(
                .put, "/?extract-archive=tar", bytes: Self.tar(kind, size: largest), expecting: 200)
            #expect(answer.text.contains("400 Bad Request"))
        }
        let record = "33 size=9223372036854775807\n"
        var pax = Self.tar("x", size: Array("00000000034\0".utf8))
        pax += Array(record.utf8) + [UInt8](repeating: 0, count: 512 - record.utf8.count)
        pax += Self.tar("0", size: Array("00000000000\0".utf8))
        let answer = try await world.call(.put, "/?extract-archive=tar", bytes: pax, expecting: 200)
        #expect(!answer.text.contains("201 Created") || answer.text.contains("Number Files Created: 1"))
        let stranger = try await world.call(.put, "/?extract-archive=tar", bytes: pax, as: nil)
        #expect(stranger.text.contains("401 Unauthorized"))
    }

    @Test("an escaped slash is one like any other: no two names for one object")
    func escapedSlash() async throws {
        let world = try await Self.world()
        try await world.call(.put, "/box%2Fsub", "an object", expecting: 201)
        #expect(try await world.call(.get, "/box/sub", expecting: 200).text == "an object")
        #expect(try await world.call(.get, "", expecting: 200).text == "box\n")
    }

    @Test("a container that keeps versions is whole after a deletion that was refused")
    func refusedDeletion() async throws {
        let world = try await Self.world()
        try await world.call(.post, "/box", headers: ["X-Versions-Enabled": "true"], expecting: 204)
        try await world.call(.delete, "/box", expecting: 409)
        try await world.call(.put, "/box/secret", "new", expecting: 201)
        try await world.call(.delete, "/box/secret", expecting: 204)
    }

    @Test("the sizes of large objects have an end")
    func sizes() {
        let segment = SegmentManifest.Segment(
            name: "/a/b", objectBytes: SegmentManifest.maximumBytes, etag: "", contentType: "", modified: "")
        let manifest = SegmentManifest(parts: Array(repeating: .object(segment), count: 1000))
        #expect(manifest.sizeBytes == SegmentManifest.maximumBytes + 1)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import Testing

/// Goal: accounts, containers and objects behave as upstream's clients expect.
/// Method: requests as clients send them, against devices in memory.
@Suite("Object storage API")
struct SwiftAPITests {
    static func world() async throws -> SwiftWorld {
        let world = try SwiftWorld()
        try await world.call(.put, "/box", expecting: 201)
        return world
    }

    @Test("an account is there from the start, and lists its containers in each form")
    func accounts() async throws {
        let world = try SwiftWorld()
        try await world.call(.get, "", expecting: 204)
        try await world.call(.head, "", expecting: 204)
        try await world.call(.put, "/b", expecting: 201)
        try await world.call(.put, "/b", expecting: 202)
        try await world.call(.put, "/a", expecting: 201)
        #expect(try await world.call(.get, "", expecting: 200).text == "a\nb\n")
        let json = try await world.call(.get, "?format=json&limit=1", expecting: 200)
        #expect(json.json.array?.count == 1)
        #expect(json.json.array?.first?["name"] == "a")
        #expect(json.headers["Content-Type"] == "application/json; charset=utf-8")
        let xml = try await world.call(.get, "?format=xml", expecting: 200).text
        #expect(xml.hasPrefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<account name=\"AUTH_test\">"))
        let head = try await world.call(.head, "", expecting: 204)
        #expect(head.headers["X-Account-Container-Count"] == "2")
        try await world.call(.get, "", headers: ["Accept": "image/png"], expecting: 406)
        try await world.call(.get, "?limit=10001", expecting: 412)
        try await world.call(.get, "?reverse=on", expecting: 200)
    }

    @Test("who may not is told so, in upstream's words")
    func strangers() async throws {
        let world = try await Self.world()
        let anonymous = try await world.call(.get, "/box", as: nil, expecting: 401)
        #expect(anonymous.text.hasPrefix("<html><h1>Unauthorized</h1><p>This server could not verify"))
        #expect(anonymous.headers["Www-Authenticate"] == "Swift realm=\"AUTH_test\"")
        #expect(anonymous.headers["X-Trans-Id"]?.hasPrefix("tx") == true)
        try await world.call(.get, "/box", as: SwiftWorld.guest, expecting: 403)
        try await world.call(.get, "/none", as: SwiftWorld.guest, expecting: 403)
        try await world.call(.get, "/none", expecting: 404)
        try await world.call(.delete, "", expecting: 405)
        try await world.call(.delete, "", as: SwiftWorld.reseller, expecting: 204)
        try await world.call(.get, "/v1/AUTH_test/%00", expecting: 412)
        try await world.call(.get, "/v1/AUTH_test//o", expecting: 404)
    }

    @Test("bytes that are no text are refused in names, and kept in an object's metadata")
    func bytesThatAreNoText() async throws {
        let world = try await Self.world()
        for name in ["%FF", "%C3", "box/%ED%A0%80", "box/a%00b"] {
            let refused = try await world.call(.put, "/v1/AUTH_test/" + name, "x", expecting: 412)
            #expect(refused.text == "Invalid UTF8 or contains NULL")
        }
        try await world.call(.get, "/box?prefix=%FF", expecting: 400)
        let cut = WireText.text([0x61, 0xE2, 0x82])
        // Three bytes, not the nine that stand for them: 256 are allowed.
        let longest = String(repeating: "a", count: 253) + cut
        try await world.call(
            .put, "/box/o", "x", headers: ["X-Object-Meta-Cut": cut, "X-Object-Meta-Long": longest], expecting: 201)
        let head = try await world.call(.head, "/box/o", expecting: 200)
        #expect(head.headers["X-Object-Meta-Cut"] == cut && head.headers["X-Object-Meta-Long"] == longest)
        let refused = try await world.call(.post, "/box", headers: ["X-Container-Meta-Cut": cut], expecting: 400)
        #expect(refused.text == "Metadata must be valid UTF-8")
        let empty = try await world.call(.head, "/box", expecting: 204)
        #expect(empty.headers["Content-Length"] == "0")
    }

    @Test("metadata is set, shown and removed, within limits")
    func metadata() async throws {
        let world = try await Self.world()
        try await world.call(
            .post, "/box", headers: ["X-Container-Meta-Color": "blue", "X-Container-Read": ".r:*, .rlistings"],
            expecting: 204)
        let head = try await world.call(.head, "/box", expecting: 204)
        #expect(head.headers["X-Container-Meta-Color"] == "blue")
        #expect(head.headers["X-Container-Read"] == ".r:*,.rlistings")
        #expect(try await world.call(.head, "/box", as: nil, expecting: 204).headers["X-Container-Read"] == nil)
        try await world.call(.post, "/box", headers: ["X-Remove-Container-Meta-Color": "x"], expecting: 204)
        #expect(try await world.call(.head, "/box").headers["X-Container-Meta-Color"] == nil)
        let long = String(repeating: "a", count: 129)
        let refused = try await world.call(.post, "/box", headers: ["X-Container-Meta-\(long)": "x"], expecting: 400)
        #expect(refused.text == "Metadata name too long: x-container-meta-\(long)")
        try await world.call(.post, "/box", headers: ["X-Container-Read": ".r:"], expecting: 400)
        try await world.call(.post, "", headers: ["X-Account-Meta-Temp-Url-Key": "k"], expecting: 204)
        #expect(try await world.call(.head, "").headers["X-Account-Meta-Temp-Url-Key"] == "k")
    }

    @Test("an object is written, read, described and deleted")
    func objects() async throws {
        let world = try await Self.world()
        let put = try await world.call(
            .put, "/box/dir/a%20b.txt", "hello world", headers: ["X-Object-Meta-Color": "blue"], expecting: 201)
        #expect(put.headers["Etag"] == "5eb63bbbe01eeed093cb22bb8f5acdc3")
        let get = try await world.call(.get, "/box/dir/a%20b.txt", expecting: 200)
        #expect(get.text == "hello world")
        #expect(get.headers["Content-Type"] == "text/plain")
        #expect(get.headers["X-Object-Meta-Color"] == "blue")
        #expect(get.headers["Accept-Ranges"] == "bytes")
        let head = try await world.call(.head, "/box/dir/a%20b.txt", expecting: 200)
        #expect(head.headers["Content-Length"] == "11")
        try await world.call(.post, "/box/dir/a%20b.txt", headers: ["X-Object-Meta-Size": "big"], expecting: 202)
        let after = try await world.call(.head, "/box/dir/a%20b.txt")
        #expect(after.headers["X-Object-Meta-Color"] == nil)
        #expect(after.headers["X-Object-Meta-Size"] == "big")
        #expect(after.headers["Content-Type"] == "text/plain")
        try await world.call(.delete, "/box", expecting: 409)
        try await world.call(.delete, "/box/dir/a%20b.txt", expecting: 204)
        try await world.call(.delete, "/box/dir/a%20b.txt", expecting: 404)
        try await world.call(.delete, "/box", expecting: 204)
        try await world.call(.delete, "/box", expecting: 404)
    }

    @Test("what is wrong with an upload is told, and nothing of it stays")
    func badUploads() async throws {
        let world = try await Self.world()
        try await world.call(.put, "/none/o", "x", expecting: 404)
        try await world.call(.put, "/box/o", "x", headers: ["Etag": "0"], expecting: 422)
        try await world.call(.put, "/box/o", "x", headers: ["Content-Length": "5"], expecting: 499)
        let large = try await world.call(.put, "/box/o", "x", headers: ["Content-Length": "5368709123"], expecting: 413)
        #expect(large.text == "Your request is too large.")
        let name = String(repeating: "n", count: 1025)
        #expect(
            try await world.call(.put, "/box/\(name)", "x", expecting: 400).text
                == "Object name length of 1025 longer than 1024")
        try await world.call(.put, "/box/o", "x", headers: ["If-None-Match": "x"], expecting: 400)
        try await world.call(.put, "/box/o", "x", headers: ["X-Delete-At": "1"], expecting: 400)
        try await world.call(.put, "/box/o", "x", headers: ["X-Delete-After": "x"], expecting: 400)
        try await world.call(.get, "/box/o", expecting: 404)
        #expect(try await world.call(.get, "/box", expecting: 204).text.isEmpty)
        try await world.call(.put, "/box/o", "x", headers: ["If-None-Match": "*"], expecting: 201)
        try await world.call(.put, "/box/o", "y", headers: ["If-None-Match": "*"], expecting: 412)
        try await world.call(.put, "/box/o", "chunks", headers: ["Transfer-Encoding": "chunked"], expecting: 201)
        #expect(try await world.call(.get, "/box/o").text == "chunks")
    }

    @Test("conditions and ranges")
    func conditions() async throws {
        let world = try await Self.world()
        let etag = try #require(try await world.call(.put, "/box/o", "0123456789").headers["Etag"])
        try await world.call(.get, "/box/o", headers: ["If-None-Match": "\"\(etag)\""], expecting: 304)
        try await world.call(.get, "/box/o", headers: ["If-Match": "x"], expecting: 412)
        try await world.call(.get, "/box/none", headers: ["If-Match": "*"], expecting: 412)
        let date = try #require(try await world.call(.head, "/box/o").headers["Last-Modified"])
        try await world.call(.get, "/box/o", headers: ["If-Modified-Since": date], expecting: 304)
        try await world.call(.get, "/box/o", headers: ["If-Unmodified-Since": date], expecting: 200)
        try await world.call(
            .get, "/box/o", headers: ["If-Unmodified-Since": "Thu, 01 Jan 2004 00:00:00 GMT"], expecting: 412)
        let part = try await world.call(.get, "/box/o", headers: ["Range": "bytes=2-4"], expecting: 206)
        #expect(part.text == "234")
        #expect(part.headers["Content-Range"] == "bytes 2-4/10")
        let outside = try await world.call(.get, "/box/o", headers: ["Range": "bytes=10-"], expecting: 416)
        #expect(outside.headers["Content-Range"] == "bytes */10")
        let parts = try await world.call(.get, "/box/o", headers: ["Range": "bytes=0-1,8-"], expecting: 206)
        let boundary = try #require(parts.headers["Content-Type"]?.split(separator: "=").last.map(String.init))
        let type = "Content-Type: application/octet-stream\r\n"
        #expect(
            parts.text
                == "--\(boundary)\r\n\(type)Content-Range: bytes 0-1/10\r\n\r\n01\r\n"
                + "--\(boundary)\r\n\(type)Content-Range: bytes 8-9/10\r\n\r\n89\r\n--\(boundary)--")
    }

    @Test("listings by prefix, delimiter, path and marker")
    func listings() async throws {
        let world = try await Self.world()
        for name in ["a", "d/", "d/1", "d/2", "e/x/y", "z"] { try await world.call(.put, "/box/\(name)", "") }
        #expect(try await world.call(.get, "/box?delimiter=/").text == "a\nd/\ne/\nz\n")
        #expect(try await world.call(.get, "/box?prefix=d/&delimiter=/").text == "d/\nd/1\nd/2\n")
        #expect(try await world.call(.get, "/box?path=d").text == "d/1\nd/2\n")
        #expect(try await world.call(.get, "/box?path=").text == "a\nd/\nz\n")
        #expect(try await world.call(.get, "/box?marker=d/1&end_marker=z").text == "d/2\ne/x/y\n")
        #expect(try await world.call(.get, "/box?reverse=true&limit=2").text == "z\ne/x/y\n")
        let json = try await world.call(.get, "/box?format=json&prefix=d/&delimiter=/&limit=2").json
        #expect(json.array?.last?["content_type"] == "application/octet-stream")
        #expect(json.array?.last?["hash"] == "d41d8cd98f00b204e9800998ecf8427e")
    }

    @Test("copies keep metadata, or begin afresh")
    func copies() async throws {
        let world = try await Self.world()
        try await world.call(
            .put, "/box/o", "text", headers: ["X-Object-Meta-A": "1", "Content-Type": "text/x"], expecting: 201)
        let copy = try await world.call(
            .copy, "/box/o", headers: ["Destination": "box/p", "X-Object-Meta-B": "2"], expecting: 201)
        #expect(copy.headers["X-Copied-From"] == "box/o")
        let head = try await world.call(.get, "/box/p", expecting: 200)
        #expect(head.text == "text")
        #expect(head.headers["X-Object-Meta-A"] == "1")
        #expect(head.headers["X-Object-Meta-B"] == "2")
        #expect(head.headers["Content-Type"] == "text/x")
        try await world.call(
            .put, "/box/q", headers: ["X-Copy-From": "/box/o", "X-Fresh-Metadata": "true"], expecting: 201)
        #expect(try await world.call(.head, "/box/q").headers["X-Object-Meta-A"] == nil)
        try await world.call(.copy, "/box/o", expecting: 412)
        try await world.call(.copy, "/box/o", headers: ["Destination": "box"], expecting: 412)
        try await world.call(.put, "/box/r", "body", headers: ["X-Copy-From": "/box/o"], expecting: 400)
        try await world.call(.put, "/box/r", headers: ["X-Copy-From": "/box/none"], expecting: 404)
    }

    @Test("an object that expired is not there, and is removed")
    func expiry() async throws {
        let world = try await Self.world()
        try await world.call(.put, "/box/o", "x", headers: ["X-Delete-After": "60"], expecting: 201)
        #expect(try await world.call(.head, "/box/o", expecting: 200).headers["X-Delete-At"] != nil)
        world.storage.clock.advance(by: .seconds(61))
        try await world.call(.get, "/box/o", expecting: 404)
        #expect(try await ObjectExpirer(cluster: world.storage.cluster).pass() == 1)
        try await world.call(.get, "/box", expecting: 204)
    }

    @Test("browsers of an allowed origin are let in")
    func cors() async throws {
        let world = try await Self.world()
        let origin = "http://app.example"
        let asked: HTTPHeaders = ["Origin": origin, "Access-Control-Request-Method": "GET"]
        try await world.call(.options, "/box/o", headers: asked, as: nil, expecting: 401)
        try await world.call(.post, "/box", headers: ["X-Container-Meta-Access-Control-Allow-Origin": origin])
        let preflight = try await world.call(.options, "/box/o", headers: asked, as: nil, expecting: 200)
        #expect(preflight.headers["Access-Control-Allow-Origin"] == origin)
        try await world.call(.put, "/box/o", "x")
        let get = try await world.call(.get, "/box/o", headers: ["Origin": origin], expecting: 200)
        #expect(get.headers["Access-Control-Allow-Origin"] == origin)
        let other = try await world.call(.get, "/box/o", headers: ["Origin": "http://else"], expecting: 200)
        #expect(other.headers["Access-Control-Allow-Origin"] == nil)
        let plain = try await world.call(.options, "/box/o", as: nil, expecting: 200)
        #expect(plain.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, POST, PUT, COPY")
    }

    @Test("what is built in is told")
    func info() async throws {
        let world = try SwiftWorld()
        let info = try await world.call(.get, "/info", as: nil, expecting: 200).json
        #expect(info["swift"]?["max_file_size"] == 5_368_709_122)
        #expect(info["slo"]?["max_manifest_segments"] == 1000)
        #expect(try await world.call(.get, "/healthcheck", as: nil, expecting: 200).text == "OK")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import Testing

/// Goal: the features that stand on plain objects behave as upstream's.
/// Method: requests as clients send them, against devices in memory.
@Suite("Object storage features")
struct SwiftFeatureTests {
    @Test("a static large object is its segments, whole and in parts")
    func staticLargeObjects() async throws {
        let world = try await SwiftAPITests.world()
        for (name, text) in [("1", "aaaa"), ("2", "bbbb"), ("3", "cccc")] {
            try await world.call(.put, "/box/s/\(name)", text)
        }
        let manifest = """
            [{"path": "/box/s/1", "size_bytes": 4}, {"data": "WFla"}, {"path": "/box/s/2", "range": "1-2"},
             {"path": "/box/s/3"}]
            """
        let put = try await world.call(.put, "/box/m?multipart-manifest=put", manifest, expecting: 201)
        let get = try await world.call(.get, "/box/m", expecting: 200)
        #expect(get.text == "aaaaXYZbbcccc")
        #expect(get.headers["Etag"] == put.headers["Etag"])
        #expect(get.headers["X-Static-Large-Object"] == "True")
        #expect(try await world.call(.head, "/box/m").headers["Content-Length"] == "13")
        let part = try await world.call(.get, "/box/m", headers: ["Range": "bytes=3-9"], expecting: 206)
        #expect(part.text == "aXYZbbc")
        #expect(try await world.call(.get, "/box/m?part-number=2", expecting: 206).text == "XYZ")
        let outer = "[{\"path\": \"/box/m\"}, {\"path\": \"/box/s/1\"}]"
        try await world.call(.put, "/box/outer?multipart-manifest=put", outer, expecting: 201)
        #expect(try await world.call(.get, "/box/outer").text == "aaaaXYZbbccccaaaa")
        #expect(try await world.call(.get, "/box/outer", headers: ["Range": "bytes=12-13"]).text == "ca")
        let raw = try await world.call(.get, "/box/m?multipart-manifest=get&format=raw", expecting: 200)
        #expect(raw.json.array?.count == 4)
        let listing = try await world.call(.get, "/box?format=json&prefix=m").json
        #expect(listing.array?.first?["bytes"] == 13)
        #expect(listing.array?.first?["slo_etag"]?.string == put.headers["Etag"])
        try await world.call(.put, "/box/s/2", "changed", expecting: 201)
        try await world.call(.put, "/box/s/1", "changed", expecting: 201)
        try await world.call(.get, "/box/m", expecting: 409)
        let missing = try await world.call(
            .put, "/box/m?multipart-manifest=put", "[{\"path\": \"/box/none\"}]", expecting: 400)
        #expect(missing.text == "Errors:\n/box/none, 404 Not Found\n")
        let gone = try await world.call(
            .delete, "/box/m?multipart-manifest=delete", headers: ["Accept": "application/json"], expecting: 200)
        #expect(gone.json["Number Deleted"] == 4)
        try await world.call(.get, "/box/s/3", expecting: 404)
    }

    @Test("a dynamic large object is what has its prefix")
    func dynamicLargeObjects() async throws {
        let world = try await SwiftAPITests.world()
        for name in ["1", "2", "3"] { try await world.call(.put, "/box/seg/\(name)", "part\(name)") }
        try await world.call(.put, "/box/d", headers: ["X-Object-Manifest": "box/seg/"], expecting: 201)
        #expect(try await world.call(.get, "/box/d", expecting: 200).text == "part1part2part3")
        #expect(
            try await world.call(.get, "/box/d", headers: ["Range": "bytes=4-11"], expecting: 206).text == "1part2pa")
        #expect(try await world.call(.head, "/box/d").headers["Content-Length"] == "15")
        #expect(try await world.call(.get, "/box/d?multipart-manifest=get").text.isEmpty)
        try await world.call(.put, "/box/e", headers: ["X-Object-Manifest": "box"], expecting: 400)
        try await world.call(.copy, "/box/d", headers: ["Destination": "box/whole"], expecting: 201)
        let whole = try await world.call(.get, "/box/whole")
        #expect(whole.text == "part1part2part3")
        #expect(whole.headers["X-Object-Manifest"] == nil)
    }

    @Test("links lead to what they name, and hard ones to that version only")
    func links() async throws {
        let world = try await SwiftAPITests.world()
        let etag = try #require(try await world.call(.put, "/box/o", "text").headers["Etag"])
        try await world.call(.put, "/box/soft", headers: ["X-Symlink-Target": "box/o"], expecting: 201)
        let hard: HTTPHeaders = ["X-Symlink-Target": "box/o", "X-Symlink-Target-Etag": etag]
        try await world.call(.put, "/box/hard", headers: hard, expecting: 201)
        let get = try await world.call(.get, "/box/soft", expecting: 200)
        #expect(get.text == "text")
        #expect(get.headers["Content-Location"] == "/v1/AUTH_test/box/o")
        let link = try await world.call(.head, "/box/soft?symlink=get", expecting: 200)
        #expect(link.headers["X-Symlink-Target"] == "box/o")
        #expect(link.headers["Content-Type"] == "application/symlink")
        try await world.call(.post, "/box/soft", headers: ["X-Object-Meta-A": "1"], expecting: 307)
        try await world.call(.put, "/box/o", "other")
        try await world.call(.get, "/box/soft", expecting: 200)
        try await world.call(.get, "/box/hard", expecting: 409)
        try await world.call(.put, "/box/hard", headers: hard, expecting: 409)
        try await world.call(.put, "/box/self", headers: ["X-Symlink-Target": "box/self"], expecting: 400)
        try await world.call(.put, "/box/l1", headers: ["X-Symlink-Target": "box/l2"])
        try await world.call(.put, "/box/l2", headers: ["X-Symlink-Target": "box/l1"])
        try await world.call(.get, "/box/l1", expecting: 409)
        let item = try await world.call(.get, "/box?format=json&prefix=soft").json.array?.first
        #expect(item?["symlink_path"] == "/v1/AUTH_test/box/o")
    }

    @Test("a stack of versions")
    func stack() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.put, "/old", expecting: 201)
        try await world.call(.post, "/box", headers: ["X-Versions-Location": "old"], expecting: 204)
        #expect(try await world.call(.head, "/box").headers["X-Versions-Location"] == "old")
        for text in ["1", "2", "3"] { try await world.call(.put, "/box/o", text, expecting: 201) }
        #expect(try await world.call(.get, "/old?prefix=001o/").text.split(separator: "\n").count == 2)
        try await world.call(.delete, "/box/o", expecting: 204)
        #expect(try await world.call(.get, "/box/o").text == "2")
        try await world.call(.delete, "/box/o", expecting: 204)
        try await world.call(.delete, "/box/o", expecting: 204)
        try await world.call(.get, "/box/o", expecting: 404)
    }

    @Test("versions with ids")
    func versions() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.put, "/box/o", "zero", expecting: 201)
        try await world.call(.post, "/box", headers: ["X-Versions-Enabled": "true"], expecting: 204)
        #expect(try await world.call(.head, "/box").headers["X-Versions-Enabled"] == "True")
        let first = try #require(
            try await world.call(.put, "/box/o", "one", expecting: 201).headers["X-Object-Version-Id"])
        try await world.call(.put, "/box/o", "two", headers: ["X-Object-Meta-A": "2"], expecting: 201)
        let current = try await world.call(.get, "/box/o", expecting: 200)
        #expect(current.text == "two")
        #expect(current.headers["X-Object-Meta-A"] == "2")
        #expect(try await world.call(.get, "/box/o?version-id=\(first)", expecting: 200).text == "one")
        let list = try await world.call(.get, "/box?versions&format=json", expecting: 200).json.array ?? []
        #expect(list.count == 3)
        #expect(list.first?["is_latest"] == true)
        #expect(list.allSatisfy { $0["name"] == "o" })
        let marker = try await world.call(.delete, "/box/o", expecting: 204)
        #expect(marker.headers["X-Object-Version-Id"] != nil)
        try await world.call(.get, "/box/o", expecting: 404)
        try await world.call(.put, "/box/o?version-id=\(first)", expecting: 201)
        #expect(try await world.call(.get, "/box/o").text == "one")
        try await world.call(.delete, "/box/o?version-id=\(first)", expecting: 204)
        try await world.call(.get, "/box/o", expecting: 404)
        try await world.call(.delete, "/box", expecting: 409)
    }

    @Test("temporary URLs open what was signed, until then")
    func temporaryURLs() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.post, "", headers: ["X-Account-Meta-Temp-Url-Key": "key"], expecting: 204)
        try await world.call(.put, "/box/o.txt", "text", headers: ["X-Object-Meta-Secret": "s"])
        let expires: Int64 = 1_700_000_100
        func target(_ method: String, _ path: String) -> String {
            let message = TempURLSignature.message(
                method: method, expires: expires, path: "/v1/AUTH_test" + path, addresses: nil)
            let value = TempURLSignature.Algorithm.sha256.sign(key: Array("key".utf8), Array(message.utf8))
            return "\(path)?temp_url_sig=\(Hex.encode(value))&temp_url_expires=\(expires)"
        }
        let get = try await world.call(.get, target("GET", "/box/o.txt"), as: nil, expecting: 200)
        #expect(get.text == "text")
        #expect(get.headers["Content-Disposition"] == "attachment; filename=\"o.txt\"; filename*=UTF-8''o.txt")
        #expect(get.headers["X-Object-Meta-Secret"] == nil)
        try await world.call(.head, target("GET", "/box/o.txt"), as: nil, expecting: 200)
        let refused = try await world.call(.put, target("GET", "/box/o.txt"), "x", as: nil, expecting: 401)
        #expect(refused.text == "401 Unauthorized: Temp URL invalid\n")
        try await world.call(.put, target("PUT", "/box/new"), "x", as: nil, expecting: 201)
        world.storage.clock.advance(by: .seconds(200))
        try await world.call(.get, target("GET", "/box/o.txt"), as: nil, expecting: 401)
    }

    @Test("a signed form uploads its files")
    func forms() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.post, "", headers: ["X-Account-Meta-Temp-Url-Key": "key"], expecting: 204)
        let message = "/v1/AUTH_test/box/up_\n\n100\n1\n1700000100"
        let signature = Hex.encode(TempURLSignature.Algorithm.sha256.sign(key: Array("key".utf8), Array(message.utf8)))
        var body = ""
        for (name, value) in [
            ("max_file_size", "100"), ("max_file_count", "1"), ("expires", "1700000100"), ("signature", signature),
        ] { body += "--xyz\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n" }
        body +=
            "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/x\r\n\r\n"
        body += "line one\r\n--not a boundary\r\nend\r\n--xyz--\r\n"
        let type: HTTPHeaders = ["Content-Type": "multipart/form-data; boundary=xyz"]
        let answer = try await world.call(.post, "/box/up_", body, headers: type, as: nil, expecting: 201)
        #expect(answer.text == "201 Created")
        let get = try await world.call(.get, "/box/up_a.txt", expecting: 200)
        #expect(get.text == "line one\r\n--not a boundary\r\nend")
        #expect(get.headers["Content-Type"] == "text/x")
    }

    @Test("many objects by one request")
    func bulk() async throws {
        let world = try await SwiftAPITests.world()
        let archive = TarSample.archive([("./docs/a.txt", "one"), ("docs/b/c.txt", "two")])
        let report = try await world.call(
            .put, "?extract-archive=tar", bytes: archive, headers: ["Accept": "application/json"], expecting: 200)
        #expect(report.json["Number Files Created"] == 2)
        #expect(report.json["Response Status"] == "201 Created")
        #expect(try await world.call(.get, "/docs/b/c.txt").text == "two")
        let deleted = try await world.call(
            .post, "?bulk-delete", "docs/a.txt\ndocs/b%2Fc.txt\ndocs/none\ndocs\n",
            headers: ["Accept": "application/json", "Content-Type": "text/plain"], expecting: 200)
        #expect(deleted.json["Number Deleted"] == 3)
        #expect(deleted.json["Number Not Found"] == 1)
        #expect(deleted.json["Response Status"] == "200 OK")
        try await world.call(.head, "/docs", expecting: 404)
        let bad = try await world.call(
            .put, "?extract-archive=tar", "nonsense", headers: ["Accept": "application/json"])
        #expect(bad.json["Response Status"] == "400 Bad Request")
    }

    @Test("quotas are kept")
    func quotas() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.post, "/box", headers: ["X-Container-Meta-Quota-Bytes": "x"], expecting: 400)
        try await world.call(.post, "/box", headers: ["X-Container-Meta-Quota-Bytes": "5"], expecting: 204)
        try await world.call(.put, "/box/a", "123", expecting: 201)
        let refused = try await world.call(.put, "/box/b", "456", expecting: 413)
        #expect(refused.text == "Upload exceeds quota.")
        try await world.call(.post, "", headers: ["X-Account-Quota-Bytes": "1"], expecting: 403)
        try await world.call(
            .post, "", headers: ["X-Account-Quota-Bytes": "1"], as: SwiftWorld.reseller, expecting: 204)
        try await world.call(.put, "/two", expecting: 201)
        try await world.call(.put, "/two/o", "12", expecting: 413)
    }

    @Test("a container is a web site")
    func webSites() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(
            .post, "/box",
            headers: [
                "X-Container-Read": ".r:*,.rlistings", "X-Container-Meta-Web-Index": "index.html",
                "X-Container-Meta-Web-Error": "error.html", "X-Container-Meta-Web-Listings": "true",
            ], expecting: 204)
        try await world.call(.put, "/box/index.html", "<p>home</p>")
        try await world.call(.put, "/box/404error.html", "<p>lost</p>")
        try await world.call(.put, "/box/dir/file", "x")
        try await world.call(.get, "/box", as: nil, expecting: 301)
        #expect(try await world.call(.get, "/box/", as: nil, expecting: 200).text == "<p>home</p>")
        #expect(try await world.call(.get, "/box/none", as: nil, expecting: 404).text == "<p>lost</p>")
        try await world.call(.get, "/box/dir", as: nil, expecting: 301)
        let listing = try await world.call(.get, "/box/dir/", as: nil, expecting: 200)
        #expect(listing.text.contains("<a href=\"./file\">file</a>"))
    }
}

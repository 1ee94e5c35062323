// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit
import Testing

@testable import ObjectStorageAPI

/// Goal: each operation does what S3's clients expect of it, on the store that the object storage API uses.
/// Method: signed requests against devices in memory.
@Suite("S3 API")
struct S3APITests {
    private static func world() async throws -> S3World {
        let world = try S3World()
        _ = try await world.call(.put, "/box", expecting: 200)
        return world
    }

    @Test("buckets come and go")
    func buckets() async throws {
        let world = try await Self.world()
        #expect(try await world.call(.put, "/box", expecting: 409).code == "BucketAlreadyOwnedByYou")
        #expect(try await world.call(.put, "/Box", expecting: 400).code == "InvalidBucketName")
        let list = try await world.call(.get, "/", expecting: 200)
        #expect(list.document?["Buckets"]?.all("Bucket").map { $0.value("Name") } == ["box"])
        #expect(list.document?["Owner"]?.value("ID") == S3World.projectID)
        _ = try await world.call(.head, "/box", expecting: 200)
        #expect(try await world.call(.get, "/box?location=", expecting: 200).document?.name == "LocationConstraint")
        _ = try await world.call(.put, "/box/a", "x", expecting: 200)
        #expect(try await world.call(.delete, "/box", expecting: 409).code == "BucketNotEmpty")
        _ = try await world.call(.delete, "/box/a", expecting: 204)
        _ = try await world.call(.delete, "/box", expecting: 204)
        #expect(try await world.call(.delete, "/box", expecting: 404).code == "NoSuchBucket")
        _ = try await world.call(.head, "/box", expecting: 404)
    }

    @Test("objects with what is said of them")
    func objects() async throws {
        let world = try await Self.world()
        let put = try await world.call(
            .put, "/box/dir/a%20b", "hello world",
            headers: ["Content-Type": "text/x", "x-amz-meta-color": "blue", "x-amz-tagging": "k=v"], expecting: 200)
        #expect(put.headers["etag"] == "\"5eb63bbbe01eeed093cb22bb8f5acdc3\"")
        let get = try await world.call(.get, "/box/dir/a%20b", expecting: 200)
        #expect(get.text == "hello world")
        #expect(get.headers["content-type"] == "text/x")
        #expect(get.headers["x-amz-meta-color"] == "blue")
        #expect(get.headers["x-amz-tagging-count"] == "1")
        #expect(get.headers["x-amz-request-id"] != nil)
        #expect(get.headers.fields.allSatisfy { !$0.name.lowercased().hasPrefix("x-object") })
        let range = try await world.call(.get, "/box/dir/a%20b", headers: ["Range": "bytes=6-"], expecting: 206)
        #expect(range.text == "world")
        let outside = try await world.call(.get, "/box/dir/a%20b", headers: ["Range": "bytes=60-"], expecting: 416)
        #expect(outside.code == "InvalidRange")
        let etag = try #require(put.headers["etag"])
        _ = try await world.call(.get, "/box/dir/a%20b", headers: ["If-None-Match": etag], expecting: 304)
        let failed = try await world.call(.get, "/box/dir/a%20b", headers: ["If-Match": "\"0\""], expecting: 412)
        #expect(failed.code == "PreconditionFailed")
        #expect(try await world.call(.get, "/box/none", expecting: 404).code == "NoSuchKey")
        #expect(try await world.call(.get, "/none/none", expecting: 404).code == "NoSuchBucket")
        _ = try await world.call(.put, "/box/dir/a%20b", "x", headers: ["If-None-Match": "*"], expecting: 412)
        let tags = try await world.call(.get, "/box/dir/a%20b?tagging=", expecting: 200)
        #expect(tags.document?["TagSet"]?["Tag"]?.value("Value") == "v")
    }

    @Test("a body that is not what it was said to be leaves nothing")
    func digests() async throws {
        let world = try await Self.world()
        let wrong: [(HTTPHeaders, String)] = [
            (["Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="], "BadDigest"), (["Content-MD5": "x"], "InvalidDigest"),
            (["x-amz-content-sha256": S3Signature.emptyDigest], "XAmzContentSHA256Mismatch"),
            (["x-amz-checksum-crc32": "AAAAAA=="], "BadDigest"), (["x-amz-checksum-md6": "AAAAAA=="], "InvalidRequest"),
        ]
        for (headers, code) in wrong {
            let answer = try await world.call(.put, "/box/a", "123456789", headers: headers, expecting: 400)
            #expect(answer.code == code)
            _ = try await world.call(.head, "/box/a", expecting: 404)
        }
        _ = try await world.call(
            .put, "/box/a", "123456789", headers: ["x-amz-checksum-crc32": "y/Q5Jg=="], expecting: 200)
    }

    @Test("a checksum stays with its object")
    func checksums() async throws {
        let world = try await Self.world()
        let put = try await world.call(
            .put, "/box/a", "123456789", headers: ["x-amz-checksum-crc32": "y/Q5Jg=="], expecting: 200)
        #expect(put.headers["x-amz-checksum-crc32"] == "y/Q5Jg==")
        let mode: HTTPHeaders = ["x-amz-checksum-mode": "ENABLED"]
        let head = try await world.call(.head, "/box/a", headers: mode, expecting: 200)
        #expect(head.headers["x-amz-checksum-crc32"] == "y/Q5Jg==")
        #expect(head.headers["x-amz-checksum-type"] == "FULL_OBJECT")
        #expect(try await world.call(.head, "/box/a", expecting: 200).headers["x-amz-checksum-crc32"] == nil)
        var range = mode
        range.set("Range", "bytes=0-1")
        #expect(
            try await world.call(.get, "/box/a", headers: range, expecting: 206).headers["x-amz-checksum-crc32"] == nil)
        let copy = try await world.call(.put, "/box/b", headers: ["x-amz-copy-source": "box/a"], expecting: 200)
        #expect(copy.document?.value("ChecksumCRC32") == "y/Q5Jg==")
        let attributes = try await world.call(
            .get, "/box/b?attributes=", headers: ["x-amz-object-attributes": "Checksum,ObjectSize"], expecting: 200)
        #expect(attributes.document?["Checksum"]?.value("ChecksumCRC32") == "y/Q5Jg==")
        #expect(attributes.document?.value("ObjectSize") == "9")
        #expect(attributes.document?["ETag"] == nil)
        _ = try await world.call(.get, "/box/b?attributes=", expecting: 400)
        // Of other bytes it would be wrong.
        _ = try await world.call(.put, "/box/a", "other", expecting: 200)
        #expect(try await world.call(.head, "/box/a", headers: mode).headers["x-amz-checksum-crc32"] == nil)
    }

    @Test("writes on a condition")
    func conditions() async throws {
        let world = try await Self.world()
        #expect(
            try await world.call(.put, "/box/a", "x", headers: ["If-Match": "\"0\""], expecting: 404).code
                == "NoSuchKey")
        let first = try await world.call(.put, "/box/a", "x", headers: ["If-None-Match": "*"], expecting: 200)
        let etag = try #require(first.headers["etag"])
        _ = try await world.call(.put, "/box/a", "y", headers: ["If-None-Match": "*"], expecting: 412)
        _ = try await world.call(.put, "/box/a", "y", headers: ["If-None-Match": etag], expecting: 501)
        _ = try await world.call(.put, "/box/a", "y", headers: ["If-Match": etag], expecting: 200)
        #expect(
            try await world.call(.put, "/box/a", "z", headers: ["If-Match": etag], expecting: 412).code
                == "PreconditionFailed")
        _ = try await world.call(.delete, "/box/a", headers: ["If-Match": etag], expecting: 412)
        let many = try await world.call(
            .post, "/box?delete=", "<Delete><Object><Key>a</Key><ETag>\"0\"</ETag></Object></Delete>", expecting: 200)
        #expect(many.document?["Error"]?.value("Code") == "PreconditionFailed")
        #expect(try await world.call(.get, "/box/a", expecting: 200).text == "y")
        _ = try await world.call(.delete, "/box/a", headers: ["If-Match": "*"], expecting: 204)
        _ = try await world.call(.put, "/none/a", "x", headers: ["If-Match": "*"], expecting: 404)
    }

    @Test("of two conditional writes to one key at a time one is refused")
    func conflict() async throws {
        let writes = S3ConditionalWrites()
        let path = ObjectPath(account: "a", container: "c", object: "o")
        try await writes.hold(path) {
            await #expect(throws: S3Error(.conditionalRequestConflict)) { try await writes.hold(path) {} }
            try await writes.hold(path.ofContainer.appending("other")) {}
        }
        try await writes.hold(path) {}
    }

    @Test("names of Amazon's headers are in lower case")
    func lowered() async throws {
        let world = try await Self.world()
        _ = try await world.call(.put, "/box/a", "x", headers: ["x-amz-meta-color": "blue"], expecting: 200)
        let names = try await world.call(.get, "/box/a", expecting: 200).headers.fields.map(\.name)
        #expect(names.contains("x-amz-meta-color") && names.contains("x-amz-request-id"))
        #expect(names.contains("Content-Type"))
    }

    @Test("who does not sign rightly, or late, is refused")
    func signatures() async throws {
        let world = try await Self.world()
        var request = HTTPRequest(
            method: .get, path: "/box",
            headers: [
                "Host": S3World.host, "X-Amz-Date": SignatureV4.text(world.storage.clock.clock.now()),
                "x-amz-content-sha256": S3Signature.emptyDigest,
            ])
        try S3World.sign(&request)
        #expect(await world.handler.handle(request).status == 200)
        var other = request
        other.path = "/other"
        #expect(await world.handler.handle(other).status == 403)
        var unknown = request
        let header = try #require(request.headers["Authorization"])
        unknown.headers.set("Authorization", header.replacing("KEY/", with: "YEK/"))
        #expect(await world.handler.handle(unknown).status == 403)
        var unsigned = request
        unsigned.headers = ["Host": S3World.host]
        #expect(await world.handler.handle(unsigned).status == 403)
        world.storage.clock.advance(by: .seconds(901))
        #expect(await world.handler.handle(request).status == 403)
    }

    @Test("who may only read does not write")
    func reader() async throws {
        let world = try S3World(roles: ["reader"])
        #expect(try await world.call(.put, "/box", expecting: 403).code == "AccessDenied")
        let stranger = try S3World(roles: ["other"])
        #expect(try await stranger.call(.get, "/", expecting: 403).code == "AccessDenied")
    }

    @Test("listings in pages, with folders")
    func listings() async throws {
        let world = try await Self.world()
        for name in ["a", "b/1", "b/2", "c", "d"] {
            _ = try await world.call(.put, "/box/\(name)", "x", expecting: 200)
        }
        let first = try #require(
            try await world.call(.get, "/box?list-type=2&delimiter=/&max-keys=2", expecting: 200).document)
        #expect(first.all("Contents").map { $0.value("Key") } == ["a"])
        #expect(first.all("CommonPrefixes").map { $0.value("Prefix") } == ["b/"])
        let token = Percent.encode(try #require(first.value("NextContinuationToken")))
        let second = try #require(
            try await world.call(
                .get, "/box?list-type=2&delimiter=/&max-keys=2&continuation-token=\(token)", expecting: 200
            ).document)
        #expect(second.all("Contents").map { $0.value("Key") } == ["c", "d"])
        #expect(second.value("IsTruncated") == "false")
        let old = try #require(try await world.call(.get, "/box?prefix=b/&marker=b/1", expecting: 200).document)
        #expect(old.all("Contents").map { $0.value("Key") } == ["b/2"])
        _ = try await world.call(.get, "/box?max-keys=x", expecting: 400)
        _ = try await world.call(.get, "/box?list-type=2&continuation-token=!", expecting: 400)
        #expect(try await world.call(.get, "/box?max-keys=0", expecting: 200).document?.all("Contents").isEmpty == true)
    }

    @Test("copies, and removal of many")
    func copies() async throws {
        let world = try await Self.world()
        _ = try await world.call(.put, "/box/a", "hello", headers: ["x-amz-meta-k": "v"], expecting: 200)
        let copy = try await world.call(.put, "/box/b", headers: ["x-amz-copy-source": "/box/a"], expecting: 200)
        #expect(copy.document?.name == "CopyObjectResult")
        let kept = try await world.call(.get, "/box/b", expecting: 200)
        #expect(kept.text == "hello" && kept.headers["x-amz-meta-k"] == "v")
        _ = try await world.call(
            .put, "/box/b",
            headers: ["x-amz-copy-source": "box/b", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-n": "w"],
            expecting: 200)
        let replaced = try await world.call(.head, "/box/b", expecting: 200)
        #expect(replaced.headers["x-amz-meta-k"] == nil && replaced.headers["x-amz-meta-n"] == "w")
        _ = try await world.call(.put, "/box/b", headers: ["x-amz-copy-source": "box/b"], expecting: 400)
        _ = try await world.call(.put, "/box/c", headers: ["x-amz-copy-source": "box/none"], expecting: 404)
        _ = try await world.call(
            .put, "/box/c", headers: ["x-amz-copy-source": "box/a", "x-amz-copy-source-if-match": "x"], expecting: 412)
        let gone = try await world.call(
            .post, "/box?delete=",
            "<Delete><Object><Key>a</Key></Object><Object><Key>nothing</Key></Object></Delete>", expecting: 200)
        #expect(gone.document?.all("Deleted").count == 2)
        _ = try await world.call(.head, "/box/a", expecting: 404)
        _ = try await world.call(.post, "/box?delete=", "<!DOCTYPE x><Delete/>", expecting: 400)
    }

    @Test("an object in parts")
    func parts() async throws {
        let world = try await Self.world()
        let begun = try await world.call(
            .post, "/box/big?uploads=", headers: ["Content-Type": "text/big", "x-amz-meta-k": "v"], expecting: 200)
        let id = try #require(begun.document?.value("UploadId"))
        var tags: [String] = []
        for (number, text) in [(1, "aaaa"), (2, "bbbb"), (10, "c")] {
            let put = try await world.call(.put, "/box/big?partNumber=\(number)&uploadId=\(id)", text, expecting: 200)
            tags.append(try #require(put.headers["etag"]))
        }
        _ = try await world.call(.put, "/box/big?partNumber=3&uploadId=\(id)", "unused", expecting: 200)
        _ = try await world.call(.put, "/box/big?partNumber=0&uploadId=\(id)", "x", expecting: 400)
        _ = try await world.call(.put, "/box/big?partNumber=1&uploadId=none", "x", expecting: 404)
        let listed = try await world.call(.get, "/box/big?uploadId=\(id)", expecting: 200)
        #expect(listed.document?.all("Part").map { $0.value("PartNumber") } == ["1", "2", "3", "10"])
        let uploads = try await world.call(.get, "/box?uploads=", expecting: 200)
        #expect(uploads.document?.all("Upload").map { $0.value("Key") } == ["big"])
        func body(_ parts: [(Int, String)]) -> String {
            "<CompleteMultipartUpload>"
                + parts.map { "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>" }.joined()
                + "</CompleteMultipartUpload>"
        }
        let path = "/box/big?uploadId=\(id)"
        let disordered = body([(2, tags[1]), (1, tags[0])])
        #expect(try await world.call(.post, path, disordered, expecting: 400).code == "InvalidPartOrder")
        #expect(try await world.call(.post, path, body([(1, tags[1])]), expecting: 400).code == "InvalidPart")
        #expect(
            try await world.call(.post, path, body([(10, tags[2]), (11, tags[2])]), expecting: 400).code
                == "InvalidPart")
        let whole = body([(1, tags[0]), (2, tags[1]), (10, tags[2])])
        let done = try await world.call(.post, path, whole, expecting: 200)
        let etag = try #require(done.document?.value("ETag"))
        #expect(etag.hasSuffix("-3\""))
        // Who lost the answer asks again.
        _ = try await world.call(.post, path, whole, expecting: 200)
        let get = try await world.call(.get, "/box/big", expecting: 200)
        #expect(get.text == "aaaabbbbc" && get.headers["etag"] == etag && get.headers["x-amz-meta-k"] == "v")
        #expect(get.headers["content-type"] == "text/big")
        #expect(try await world.call(.get, "/box/big", headers: ["Range": "bytes=3-4"], expecting: 206).text == "ab")
        _ = try await world.call(.get, "/box/big", headers: ["If-None-Match": etag], expecting: 304)
        #expect(try await world.call(.get, "/box/big?partNumber=2", expecting: 206).text == "bbbb")
        let list = try await world.call(.get, "/box", expecting: 200)
        #expect(list.document?["Contents"]?.value("ETag") == etag)
        #expect(list.document?["Contents"]?.value("Size") == "9")
        #expect(try await world.call(.get, "/", expecting: 200).document?["Buckets"]?.all("Bucket").count == 1)
        _ = try await world.call(.delete, "/box/big", expecting: 204)
        _ = try await world.call(.delete, "/box", expecting: 204)
    }

    @Test("an upload that is given up leaves nothing")
    func abort() async throws {
        let world = try await Self.world()
        let id = try #require(
            try await world.call(.post, "/box/big?uploads=", expecting: 200).document?.value("UploadId"))
        _ = try await world.call(.put, "/box/big?partNumber=1&uploadId=\(id)", "aaaa", expecting: 200)
        _ = try await world.call(.delete, "/box/big?uploadId=\(id)", expecting: 204)
        #expect(try await world.call(.get, "/box/big?uploadId=\(id)", expecting: 404).code == "NoSuchUpload")
        #expect(try await world.call(.get, "/box?uploads=", expecting: 200).document?.all("Upload").isEmpty == true)
        _ = try await world.call(.head, "/box/big", expecting: 404)
    }

    @Test("versions are kept, hidden and brought back")
    func versions() async throws {
        let world = try await Self.world()
        let status = { (word: String) in "<VersioningConfiguration><Status>\(word)</Status></VersioningConfiguration>" }
        #expect(try await world.call(.get, "/box?versioning=", expecting: 200).document?.value("Status") == nil)
        _ = try await world.call(.put, "/box?versioning=", status("On"), expecting: 400)
        _ = try await world.call(.put, "/box?versioning=", status("Enabled"), expecting: 200)
        #expect(try await world.call(.get, "/box?versioning=", expecting: 200).document?.value("Status") == "Enabled")
        let first = try #require(
            try await world.call(.put, "/box/a", "one", expecting: 200).headers["x-amz-version-id"])
        let second = try #require(
            try await world.call(.put, "/box/a", "two!", expecting: 200).headers["x-amz-version-id"])
        #expect(try await world.call(.get, "/box/a?versionId=\(first)", expecting: 200).text == "one")
        let hidden = try await world.call(.delete, "/box/a", expecting: 204)
        #expect(hidden.headers["x-amz-delete-marker"] == "true")
        let marker = try #require(hidden.headers["x-amz-version-id"])
        _ = try await world.call(.get, "/box/a", expecting: 404)
        let all = try #require(try await world.call(.get, "/box?versions=", expecting: 200).document)
        #expect(all.all("Version").map { $0.value("VersionId") } == [second, first])
        #expect(all.all("DeleteMarker").map { $0.value("VersionId") } == [marker])
        #expect(all["DeleteMarker"]?.value("IsLatest") == "true")
        _ = try await world.call(.delete, "/box/a?versionId=\(marker)", expecting: 204)
        #expect(try await world.call(.get, "/box/a", expecting: 200).text == "two!")
        _ = try await world.call(.delete, "/box/a?versionId=\(second)", expecting: 204)
        #expect(try await world.call(.get, "/box/a", expecting: 200).text == "one")
        #expect(try await world.call(.get, "/box/a?versionId=\(second)", expecting: 404).code == "NoSuchVersion")
    }

    @Test("settings of a bucket")
    func settings() async throws {
        let world = try await Self.world()
        _ = try await world.call(.put, "/box?acl=", headers: ["x-amz-acl": "public-read"], expecting: 200)
        let acl = try await world.call(.get, "/box?acl=", expecting: 200)
        let grants = try #require(acl.document?["AccessControlList"]?.all("Grant"))
        #expect(grants.map { $0.value("Permission") } == ["FULL_CONTROL", "READ"])
        #expect(grants.last?["Grantee"]?.attributes["xsi:type"] == "Group")
        #expect(try await world.call(.get, "/box?cors=", expecting: 404).code == "NoSuchCORSConfiguration")
        _ = try await world.call(
            .put, "/box?cors=",
            "<CORSConfiguration><CORSRule><AllowedOrigin>https://page</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"
                + "</CORSRule></CORSConfiguration>", expecting: 200)
        let read = try await world.call(.get, "/box", headers: ["Origin": "https://page"], expecting: 200)
        #expect(read.headers["access-control-allow-origin"] == "https://page")
        let other = try await world.call(.get, "/box", headers: ["Origin": "https://other"], expecting: 200)
        #expect(other.headers["access-control-allow-origin"] == nil)
        #expect(try await world.call(.get, "/box?tagging=", expecting: 404).code == "NoSuchTagSet")
        _ = try await world.call(
            .put, "/box?tagging=", "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>",
            expecting: 204)
        _ = try await world.call(.get, "/box?tagging=", expecting: 200)
        _ = try await world.call(.delete, "/box?tagging=", expecting: 204)
        #expect(try await world.call(.get, "/box?policy=", expecting: 404).code == "NoSuchBucketPolicy")
        for word in ["policy", "lifecycle", "replication", "website"] {
            #expect(try await world.call(.put, "/box?\(word)=", "x", expecting: 501).code == "NotImplemented")
        }
        for word in ["logging", "notification", "accelerate", "requestPayment", "metrics"] {
            _ = try await world.call(.get, "/box?\(word)=", expecting: 200)
        }
        for word in [
            "policy", "policyStatus", "lifecycle", "encryption", "website", "replication", "object-lock",
            "publicAccessBlock", "ownershipControls",
        ] {
            _ = try await world.call(.get, "/box?\(word)=", expecting: 404)
        }
        _ = try await world.call(.delete, "/box?policy=", expecting: 204)
        _ = try await world.call(.put, "/box/a", "x", expecting: 200)
        #expect(try await world.call(.get, "/box/a?retention=", expecting: 400).code == "InvalidRequest")
        _ = try await world.call(.get, "/box/a?torrent=", expecting: 501)
        _ = try await world.call(.get, "/box", headers: ["x-amz-expected-bucket-owner": "other"], expecting: 403)
    }

    @Test("what closes a bucket to the public, and to ACLs at all")
    func closed() async throws {
        let world = try await Self.world()
        let isPublic: HTTPHeaders = ["x-amz-acl": "public-read"]
        func block(_ name: String) -> String {
            "<PublicAccessBlockConfiguration><\(name)>true</\(name)></PublicAccessBlockConfiguration>"
        }
        _ = try await world.call(.put, "/box?acl=", headers: isPublic, expecting: 200)
        _ = try await world.call(.put, "/box/a", "x", headers: isPublic, expecting: 200)
        _ = try await world.call(.put, "/box?publicAccessBlock=", block("IgnorePublicAcls"), expecting: 501)
        let enforced =
            "<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>"
        _ = try await world.call(.put, "/box?ownershipControls=", enforced, expecting: 400)
        _ = try await world.call(.put, "/box?acl=", headers: ["x-amz-acl": "private"], expecting: 200)
        _ = try await world.call(.put, "/box?publicAccessBlock=", block("BlockPublicAcls"), expecting: 200)
        #expect(try await world.call(.put, "/box?acl=", headers: isPublic, expecting: 403).code == "AccessDenied")
        _ = try await world.call(.put, "/box/a", "x", headers: isPublic, expecting: 403)
        let shown = try await world.call(.get, "/box?publicAccessBlock=", expecting: 200).document
        #expect(shown?.value("BlockPublicAcls") == "true" && shown?.value("IgnorePublicAcls") == "false")
        _ = try await world.call(.put, "/box?publicAccessBlock=", block("Other"), expecting: 400)
        _ = try await world.call(.delete, "/box?publicAccessBlock=", expecting: 204)
        _ = try await world.call(.put, "/box?ownershipControls=", enforced, expecting: 200)
        #expect(
            try await world.call(.put, "/box?acl=", headers: isPublic, expecting: 400).code
                == "AccessControlListNotSupported")
        _ = try await world.call(.delete, "/box?ownershipControls=", expecting: 204)
        _ = try await world.call(.put, "/box?acl=", headers: isPublic, expecting: 200)
    }
}

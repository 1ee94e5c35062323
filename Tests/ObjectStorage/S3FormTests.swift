// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import SecurityKit
import Testing

@testable import ObjectStorageAPI

/// Goal: a page's visitor uploads what the key's holder signed, and nothing else.
/// Method: Amazon's published form, then policies with one thing wrong, then whole forms against devices in memory.
@Suite("S3 forms")
struct S3FormTests {
    private static func policy(_ conditions: String, expires: String = "2100-01-01T00:00:00.000Z") -> String {
        Base64.encode(Array("{\"expiration\": \"\(expires)\", \"conditions\": [\(conditions)]}".utf8))
    }

    private static let now = Timestamp(seconds: 1_700_000_000)

    @Test("what a policy allows")
    func allowed() throws {
        let policy = try S3PostPolicy(
            Self.policy(
                """
                {"bucket": "box"}, ["starts-with", "$key", "user/"], {"acl": "private"},
                ["starts-with", "$Content-Type", "image/"], ["content-length-range", 1, 10]
                """))
        var fields = [
            "bucket": "box", "key": "user/a", "acl": "private", "content-type": "image/png", "policy": "x",
            "x-amz-signature": "x", "x-ignore-this": "x",
        ]
        #expect(try policy.check(fields, now: Self.now) == 1...10)
        for (name, value) in [
            ("bucket", "other"), ("key", "a"), ("acl", "public-read"), ("content-type", "text/x"),
            ("content-type", "image/png,text/x"), ("x-amz-meta-extra", "x"),
        ] {
            let kept = fields[name]
            fields[name] = value
            #expect(throws: S3Error.self) { try policy.check(fields, now: Self.now) }
            fields[name] = kept
        }
        fields["acl"] = nil
        #expect(throws: S3Error.self) { try policy.check(fields, now: Self.now) }
        let late = try S3PostPolicy(Self.policy("", expires: "2020-01-01T00:00:00.000Z"))
        #expect(throws: S3Error.self) { try late.check([:], now: Self.now) }
    }

    @Test(
        "what is no policy",
        arguments: [
            "", "!", Base64.encode(Array("[]".utf8)), Base64.encode(Array("{}".utf8)),
            Self.policy("[\"eq\", \"$key\"]"), Self.policy("[\"eq\", \"key\", \"x\"]"),
            Self.policy("[\"ends-with\", \"$key\", \"x\"]"),
            Self.policy("{\"key\": 1}"), Self.policy("[\"content-length-range\", 10, 1]"),
            Self.policy("[\"content-length-range\", -1, 1]"), Self.policy("{}", expires: "soon"),
            Self.policy([String](repeating: "{\"a\": \"b\"}", count: 101).joined(separator: ",")),
        ])
    func malformed(_ text: String) {
        #expect(throws: S3Error.self) { _ = try S3PostPolicy(text) }
    }

    // MARK: Forms

    private static func send(
        _ world: S3World, file: String = "hello", key: String = "up/${filename}", conditions: String? = nil,
        change: [String: String] = [:], path: String = "/box"
    ) async throws -> HTTPResponse {
        let date = SignatureV4.text(world.storage.clock.clock.now())
        let scope = S3Authorization.Scope(date: String(date.prefix(8)), region: "us-east-1", service: "s3")
        let policy = Self.policy(
            conditions
                ?? """
                {"bucket": "box"}, ["starts-with", "$key", "up/"], ["starts-with", "$x-amz-date", ""],
                ["starts-with", "$x-amz-credential", ""], ["starts-with", "$x-amz-algorithm", ""],
                ["starts-with", "$success_action_status", ""], ["content-length-range", 1, 10]
                """)
        var fields = [
            "key": key, "policy": policy, "x-amz-algorithm": SignatureV4.algorithm, "x-amz-date": date,
            "x-amz-credential": "\(S3World.accessKey)/\(scope.text)", "success_action_status": "201",
        ]
        let signing = SignatureV4.key(
            secret: S3World.secret, date: scope.date, region: scope.region, service: scope.service)
        fields["x-amz-signature"] = SignatureV4.sign(policy, key: signing)
        fields.merge(change) { _, new in new }
        var body = ""
        for (name, value) in fields {
            body += "--xx\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        body +=
            "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\\\dir\\\\a.txt\"\r\n\r\n\(file)\r\n--xx--\r\n"
        let request = HTTPRequest(
            method: .post, path: path, query: [],
            headers: ["Host": S3World.host, "Content-Type": "multipart/form-data; boundary=xx"],
            body: BytesSource(Array(body.utf8)))
        #expect(world.handler.takes(request))
        return await world.handler.handle(request)
    }

    private static func code(_ response: HTTPResponse) -> String? {
        guard case .bytes(let bytes) = response.body else { return nil }
        return (try? XMLReader.read(bytes))?.value("Code")  // What is no document has no code.
    }

    @Test("a form that was signed is stored")
    func stored() async throws {
        let world = try S3World()
        _ = try await world.call(.put, "/box", expecting: 200)
        let response = try await Self.send(world)
        #expect(response.status == 201)
        #expect(response.headers["ETag"] == "\"5d41402abc4b2a76b9719d911017c592\"")
        #expect(try await world.call(.get, "/box/up/a.txt", expecting: 200).text == "hello")
    }

    @Test(
        "a form that was not signed so is refused",
        arguments: [
            (["key": "a"], "hello", "AccessDenied"), (["x-amz-meta-k": "v"], "hello", "AccessDenied"),
            (["x-amz-signature": "00"], "hello", "SignatureDoesNotMatch"),
            (["x-amz-credential": "YEK/20200101/r/s3/aws4_request"], "hello", "InvalidArgument"),
            (["policy": "e30="], "hello", "SignatureDoesNotMatch"), ([:], "", "EntityTooSmall"),
            ([:], "01234567890", "EntityTooLarge"), (["key": ""], "hello", "InvalidArgument"),
        ])
    func refused(_ change: [String: String], _ file: String, _ code: String) async throws {
        let world = try S3World()
        _ = try await world.call(.put, "/box", expecting: 200)
        let response = try await Self.send(world, file: file, change: change)
        #expect(Self.code(response) == code)
        let listed = try await world.call(.get, "/box", expecting: 200)
        #expect(listed.document?.all("Contents").isEmpty == true)
    }

    @Test("a policy for one bucket opens no other")
    func otherBucket() async throws {
        let world = try S3World()
        _ = try await world.call(.put, "/box", expecting: 200)
        _ = try await world.call(.put, "/other", expecting: 200)
        #expect(try await Self.send(world, path: "/other").status == 403)
    }
}

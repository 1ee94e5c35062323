// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import SecurityKit
import Testing

@testable import ObjectStorageCore

/// Goal: the rules that need no store are upstream's.
/// Method: tables of what goes in and what comes out.
@Suite("Object storage rules")
struct SwiftRuleTests {
    // MARK: ACLs

    @Test(
        "an ACL is kept in one spelling",
        arguments: [
            ("bob,sue", "bob,sue"), (" bob , ,sue ", "bob,sue"), (".referrer : *", ".r:*"),
            (".ref:*.example.com", ".r:.example.com"),
            (".r:- *.example.com", ".r:-.example.com"), ("p:u,.rlistings", "p:u,.rlistings"),
            (".r:*,.rlistings", ".r:*,.rlistings"),
        ])
    func cleans(_ sent: String, _ kept: String) throws {
        #expect(try ContainerACL.cleaned(sent, name: "x-container-read") == kept)
    }

    @Test("an ACL that is none is refused", arguments: [".r:", ".r:-", ".r:.", ".unknown:test"])
    func refuses(_ sent: String) {
        #expect(throws: CloudError.self) { try ContainerACL.cleaned(sent, name: "x-container-read") }
    }

    @Test("referrers do not write")
    func referrersDoNotWrite() {
        #expect(throws: CloudError.self) { try ContainerACL.cleaned(".r:*", name: "x-container-write") }
    }

    @Test(
        "later referrers win",
        arguments: [
            (".r:*", nil, true), (".r:*", "http://a.com/", true), (".r:.example.com", "http://www.example.com/x", true),
            (".r:.example.com", "http://example.com/", false), (".r:example.com", "http://user@example.com:80/", true),
            (".r:*,.r:-.evil.com", "http://www.evil.com/", false), (".r:-.evil.com,.r:*", "http://www.evil.com/", true),
            ("p:u", "http://a.com/", false),
        ] as [(String, String?, Bool)])
    func referrers(_ acl: String, _ referrer: String?, _ expected: Bool) {
        #expect(ContainerACL(acl).allows(referrer: referrer) == expected)
    }

    // MARK: Access

    private static func user(_ name: String, project: String, role: String, domain: String = "default") -> StorageCaller
    {
        let domain = Principal.Named(id: domain, name: domain)
        return .user(
            Principal(
                userID: UserID(name + "-id"), userName: name, userDomain: domain,
                scope: .project(ProjectID(project), name: project + "-name", domain: domain),
                roles: [Principal.Named(id: role, name: role)]))
    }

    private static func decide(
        _ action: StorageAction, _ caller: StorageCaller, acl: String = "", object: String? = "o",
        of account: String = "AUTH_p"
    ) -> AccessDecision {
        let isAccount = [.readAccount, .writeAccount, .removeAccount].contains(action)
        var question = AccessQuestion(
            path: ObjectPath(account: account, container: isAccount ? nil : "c", object: isAccount ? nil : object),
            action: action)
        question.acl = acl.isEmpty ? nil : ContainerACL(acl)
        return AccessRules().decide(question, for: caller)
    }

    @Test("members own their project's account, readers read it, others have no part in it")
    func roles() {
        #expect(Self.decide(.writeAccount, Self.user("u", project: "p", role: "member")) == .allowed(asOwner: true))
        #expect(Self.decide(.removeAccount, Self.user("u", project: "p", role: "admin")) == .denied)
        #expect(
            Self.decide(.removeAccount, Self.user("u", project: "x", role: "ResellerAdmin")) == .allowed(asOwner: true))
        #expect(Self.decide(.readObject, Self.user("u", project: "p", role: "reader")) == .allowed(asOwner: false))
        #expect(Self.decide(.writeObject, Self.user("u", project: "p", role: "reader")) == .denied)
        #expect(Self.decide(.readObject, Self.user("u", project: "p", role: "heat_stack_user")) == .denied)
        #expect(Self.decide(.readObject, Self.user("u", project: "q", role: "admin")) == .denied)
        #expect(Self.decide(.readObject, .anonymous) == .denied)
        #expect(Self.decide(.removeAccount, .system) == .allowed(asOwner: true))
    }

    @Test(
        "ACLs let others in",
        arguments: [
            ("q:u-id", true), ("*:u-id", true), ("q:*", true), ("*:*", true), ("q-name:u", true), ("*:u", true),
            ("x:u-id", false), ("q:x", false), ("u", false), ("member", false),
        ])
    func namedInACL(_ acl: String, _ expected: Bool) {
        let decision = Self.decide(.readObject, Self.user("u", project: "q", role: "member"), acl: acl)
        #expect(decision == (expected ? .allowed(asOwner: false) : .denied))
    }

    @Test("names count in the default domain only")
    func namesNeedTheDomain() {
        let caller = Self.user("u", project: "q", role: "member", domain: "other")
        #expect(Self.decide(.readObject, caller, acl: "q-name:u") == .denied)
        #expect(Self.decide(.readObject, caller, acl: "q:u-id") == .allowed(asOwner: false))
    }

    @Test("strangers read what is public, and list where that is said")
    func strangers() {
        #expect(Self.decide(.readObject, .anonymous, acl: ".r:*") == .allowed(asOwner: false))
        #expect(Self.decide(.readContainer, .anonymous, acl: ".r:*", object: nil) == .denied)
        #expect(
            Self.decide(.readContainer, .anonymous, acl: ".r:*,.rlistings", object: nil) == .allowed(asOwner: false))
    }

    @Test("a key opens what it is a key of")
    func keys() {
        let account = StorageCaller.keyHolder(of: ObjectPath(account: "AUTH_p"))
        let other = StorageCaller.keyHolder(of: ObjectPath(account: "AUTH_p", container: "d"))
        #expect(Self.decide(.writeObject, account) == .allowed(asOwner: false))
        #expect(Self.decide(.writeObject, account, of: "AUTH_q") == .denied)
        #expect(Self.decide(.readObject, other) == .denied)
        #expect(Self.decide(.writeAccount, account) == .denied)
    }

    // MARK: Headers

    @Test(
        "ranges",
        arguments: [
            ("bytes=0-4", [0..<5]), ("bytes=5-", [5..<10]), ("bytes=-3", [7..<10]), ("bytes=-30", [0..<10]),
            ("bytes=8-20", [8..<10]), ("bytes=10-", []), ("bytes=-0", []), ("bytes=0-1,4-5", [0..<2, 4..<6]),
            ("bytes=0-1,20-", [0..<2]),
        ] as [(String, [Range<Int64>])])
    func ranges(_ text: String, _ expected: [Range<Int64>]) throws {
        #expect(try #require(RangeHeader(text)).resolved(size: 10) == expected)
    }

    @Test(
        "what is no range is ignored",
        arguments: ["", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "items=0-1", "bytes=--1"])
    func noRanges(_ text: String) { #expect(RangeHeader(text) == nil) }

    @Test("many ranges are refused")
    func manyRanges() throws {
        let many = "bytes=" + (0...50).map { "\($0 * 2)-\($0 * 2)" }.joined(separator: ",")
        #expect(try #require(RangeHeader(many)).resolved(size: 1000).isEmpty)
        #expect(try #require(RangeHeader("bytes=0-9,1-8,2-7,3-6")).resolved(size: 10).isEmpty)
    }

    @Test(
        "dates",
        arguments: [
            "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ])
    func dates(_ text: String) {
        #expect(HTTPDate.seconds(text) == 784_111_777)
        #expect(HTTPDate.text(seconds: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }

    @Test(
        "Accept",
        arguments: [
            (nil, "text/plain"), ("*/*", "text/plain"), ("application/json", "application/json"),
            ("text/*;q=0.1, application/xml", "application/xml"), ("application/*", "application/json"),
            ("image/png", nil), ("application/json;q=0.5, text/xml;q=0.6", "text/xml"),
        ] as [(String?, String?)])
    func accept(_ text: String?, _ expected: String?) throws {
        let options = ["text/plain", "application/json", "application/xml", "text/xml"]
        #expect(try #require(AcceptHeader(text)).best(of: options) == expected)
    }

    @Test("what is no Accept", arguments: ["text", "text/plain/x", "a/b;q=x", "te xt/plain"])
    func badAccept(_ text: String) { #expect(AcceptHeader(text) == nil) }

    @Test("types by name")
    func types() {
        #expect(ContentTypes.guess("a/b.TXT") == "text/plain")
        #expect(ContentTypes.guess("a.txt/b") == nil)
        #expect(ContentTypes.guess(".png") == nil)
    }

    // MARK: Manifests

    @Test("a manifest outlives being kept")
    func manifest() throws {
        var segment = SegmentManifest.Segment(
            name: "/c/o", objectBytes: 100, etag: "abc", contentType: "text/plain",
            modified: "2026-01-01T00:00:00.000000")
        segment.range = 10..<20
        let manifest = SegmentManifest(parts: [.object(segment), .inline([1, 2, 3])])
        #expect(manifest.sizeBytes == 13)
        #expect(SegmentManifest(stored: manifest.stored()) == manifest)
        let text = "abc:10-19;" + Hex.encode(Digest.of([1, 2, 3], .md5))
        #expect(manifest.etag == Hex.encode(Digest.of(Array(text.utf8), .md5)))
        let again = try ManifestDraft(manifest.raw(), own: "c/m")
        #expect(again.segments.first?.range?.specs == [RangeHeader.Spec(first: 10, last: 19)])
    }

    @Test(
        "faults of a manifest are told",
        arguments: [
            ("{}", "Manifest must be a list.\n"), ("[", "Manifest must be valid JSON.\n"),
            ("[1]", "Index 0: not a JSON object\n"),
            (
                "[{\"path\": \"/c\"}]",
                "Index 0: path does not refer to an object. Path must be of the form /container/object.\n"
            ),
            ("[{\"path\": \"/c/o\", \"x\": 1}]", "Index 0: extraneous keys \"x\"\n"),
            ("[{\"path\": \"/c/m\"}]", "Index 0: manifest must not include itself as a segment\n"),
            ("[{\"path\": \"/c/o\", \"range\": \"0-1,3-4\"}]", "Index 0: multiple ranges (only one allowed)\n"),
            (
                "[{\"path\": \"/c/o\", \"size_bytes\": 0}, {\"path\": \"/c/o\"}]",
                "Index 0: too small; each segment must be at least 1 byte.\n"
            ),
            ("[{\"data\": \"YQ==\"}]", "Inline data segments require at least one object-backed segment.\n"),
        ])
    func faults(_ text: String, _ message: String) {
        #expect(throws: CloudError.badRequest(message)) { try ManifestDraft(Array(text.utf8), own: "c/m") }
    }

    // MARK: Signatures and archives

    @Test("a signature signs one message")
    func signatures() throws {
        let message = TempURLSignature.message(method: "GET", expires: 1_400_000_000, path: "/v1/a/c/o", addresses: nil)
        #expect(message == "GET\n1400000000\n/v1/a/c/o")
        for algorithm in TempURLSignature.Algorithm.allCases {
            let value = algorithm.sign(key: Array("key".utf8), Array(message.utf8))
            let signature = try #require(TempURLSignature(Hex.encode(value)))
            #expect(signature.algorithm == algorithm)
            #expect(signature.signs(message, key: "key"))
            #expect(!signature.signs(message, key: "other"))
            #expect(!signature.signs(message + "x", key: "key"))
            let base64 = try #require(TempURLSignature("\(algorithm.rawValue):" + Base64.encode(value)))
            #expect(base64 == signature)
        }
        #expect(TempURLSignature("xyz") == nil)
        #expect(TempURLSignature("md5:abcd") == nil)
        #expect(TempURLSignature.expiry("2014-05-13T16:53:20Z") == 1_400_000_000)
        #expect(TempURLSignature.expiry("tomorrow") == nil)
    }

    @Test("a tar header is read, and its checksum counts")
    func tar() throws {
        var block = TarSample.header("dir/file", sizeBytes: 10)
        #expect(try TarHeader.read(block[...]) == TarHeader(name: "dir/file", sizeBytes: 10, kind: .file))
        block[0] = 0x41
        #expect(throws: TarFault.self) { try TarHeader.read(block[...]) }
        #expect(try TarHeader.read(ArraySlice(repeating: 0, count: 512)) == nil)
        let attributes = TarHeader.attributes(Array("14 path=a/b/c\n".utf8))
        #expect(attributes == ["path": "a/b/c"])
    }
}

enum TarSample {
    static func header(_ name: String, sizeBytes: Int) -> [UInt8] {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ text: String, at offset: Int) {
            for (index, byte) in text.utf8.enumerated() { block[offset + index] = byte }
        }
        put(name, at: 0)
        put("0000644", at: 100)
        let octal = String(sizeBytes, radix: 8)
        put(String(repeating: "0", count: 11 - octal.utf8.count) + octal, at: 124)
        put("0", at: 156)
        put("ustar", at: 257)
        put("00", at: 263)
        put("        ", at: 148)
        let sum = String(block.reduce(0) { $0 + Int($1) }, radix: 8)
        put(String(repeating: "0", count: 6 - sum.utf8.count) + sum, at: 148)
        block[154] = 0
        return block
    }

    static func archive(_ files: [(String, String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, text) in files {
            bytes += header(name, sizeBytes: text.utf8.count) + Array(text.utf8)
            bytes += [UInt8](repeating: 0, count: (512 - text.utf8.count % 512) % 512)
        }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }
}

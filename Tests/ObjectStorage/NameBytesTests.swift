// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityContract
import LinuxKit
import ObjectStorageContract
import ObjectStorageDriverDisk
import SecurityKit
import TestKit
import Testing

@testable import ObjectStorageAPI
@testable import ObjectStorageCore

/// Goal: names are bytes. A mark that combines hides no slash before it, and two spellings of one letter are two names.
/// Method: such names wherever a client can give one; answers are compared by their bytes.
@Suite("Names are bytes")
struct NameBytesTests {
    /// One character with a slash before it.
    static let mark = "\u{902}x"
    /// The same text to a reader, in the order of their bytes.
    static let split = "cafe\u{301}"
    static let whole = "caf\u{E9}"

    private static func encoded(_ name: String) -> String { Percent.encode(name, keepsSlash: true) }
    private static func bytes(_ text: String?) -> [UInt8] { Array((text ?? "").utf8) }
    private static func bytes(_ names: [String]) -> [[UInt8]] { names.map { Array($0.utf8) } }

    private static func names(_ listing: JSON) -> [[UInt8]] {
        bytes((listing.array ?? []).compactMap { $0["name"]?.string ?? $0["subdir"]?.string })
    }

    // MARK: Text

    @Test("text is split, searched and compared by its bytes")
    func text() {
        let path = "/a/\(Self.mark)/"
        #expect(Self.bytes(path.split(byte: "/").map(String.init)) == Self.bytes(["a", Self.mark]))
        #expect(path.split(byte: "/", maxSplits: 1, omittingEmptySubsequences: false).count == 2)
        #expect(path.hasBytePrefix("/a/") && path.hasByteSuffix("x/") && path.containsBytes("/\u{902}"))
        #expect(Self.bytes(path.removing(bytePrefix: "/a/").map(String.init)) == Self.bytes(Self.mark + "/"))
        #expect(path.removing(byteSuffix: "y/") == nil)
        #expect(!Self.whole.isByteEqual(to: Self.split) && Self.split.isByteOrdered(before: Self.whole))
        #expect(!"\u{37E}".containsByte(";") && "a\r\nb".split(byte: "\n").count == 2)
        #expect(Self.bytes(" \u{301}\r\n".trimmed) == [0xCC, 0x81])
        #expect("\u{3000}".trimmed == "\u{3000}" && "".trimmed.isEmpty && " ".trimmed.isEmpty)
        #expect(Self.bytes("K\u{212A}\u{C9}".asciiLowercased()) == Self.bytes("k\u{212A}\u{C9}"))
        #expect(Set([ByteText(Self.whole), ByteText(Self.split), ByteText(Self.whole)]).count == 2)
        #expect([ByteText(Self.whole), ByteText(Self.split)].min() == ByteText(Self.split))
        let (_, attributes) = FormHeader.parse("form-data; name=\"f\";\u{301} filename=\"\u{301};a\"")
        #expect(attributes["name"] == "f")
        #expect(
            Self.bytes(FormHeader.parse("x; filename=\"\u{301};a\"").attributes["filename"]) == [
                0xCC, 0x81, 0x3B, 0x61,
            ])
    }

    @Test("paths and rows of two spellings are two")
    func values() {
        let paths = [Self.whole, Self.split].map { ObjectPath(account: "a", container: "c", object: $0) }
        #expect(paths[0] != paths[1] && Set(paths).count == 2)
        #expect(paths[0].ofContainer == paths[1].ofContainer)
        #expect(ObjectPath(account: Self.whole) != ObjectPath(account: Self.split))
        #expect(Set(paths.map { StorageSample.location($0) }).count == 2)
        #expect(Set([Self.whole, Self.split].map { StorageSample.row($0, at: 1) }).count == 2)
        let time = StorageSample.time(1)
        #expect(ContainerRow(name: Self.whole, putTime: time) != ContainerRow(name: Self.split, putTime: time))
    }

    // MARK: A mark behind a slash

    @Test("a mark behind a slash is the start of a name", arguments: [false, true])
    func marks(isEncoded: Bool) async throws {
        let world = try await SwiftAPITests.world()
        let name = isEncoded ? Self.encoded(Self.mark) : Self.mark
        try await world.call(.put, "/box/\(name)", "text", expecting: 201)
        #expect(try await world.call(.get, "/box/\(name)", expecting: 200).text == "text")
        #expect(try await world.call(.get, "", expecting: 200).text == "box\n")
        #expect(try await world.call(.get, "/box", expecting: 200).bytes == Self.bytes(Self.mark + "\n"))
        try await world.call(.copy, "/box/\(name)", headers: ["Destination": "box/\(name)1"], expecting: 201)
        try await world.call(.put, "/box/\(name)2", headers: ["X-Copy-From": "/box/\(name)"], expecting: 201)
        for copy in ["1", "2"] { #expect(try await world.call(.get, "/box/\(name)\(copy)").text == "text") }
        try await world.call(.put, "/box/link", headers: ["X-Symlink-Target": "box/\(name)"], expecting: 201)
        #expect(try await world.call(.get, "/box/link", expecting: 200).text == "text")
        try await world.call(.put, "/box/all", headers: ["X-Object-Manifest": "box/\(name)"], expecting: 201)
        #expect(try await world.call(.get, "/box/all", expecting: 200).text == "texttexttext")
        let manifest = "[{\"path\": \"/box/\(Self.mark)\"}, {\"path\": \"box/\(Self.mark)1\"}]"
        try await world.call(.put, "/box/large?multipart-manifest=put", manifest, expecting: 201)
        #expect(try await world.call(.get, "/box/large", expecting: 200).text == "texttext")
        let deleted = try await world.call(
            .post, "?bulk-delete", "box/\(name)1\nbox/\(name)2\n",
            headers: ["Accept": "application/json", "Content-Type": "text/plain"], expecting: 200)
        #expect(deleted.json["Number Deleted"] == 2)
    }

    @Test("versions of such a name, and of two spellings")
    func versions() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.post, "/box", headers: ["X-Versions-Enabled": "true"], expecting: 204)
        let names = [Self.split, Self.whole, Self.mark]
        for name in names {
            for text in ["1", "2"] {
                try await world.call(.put, "/box/\(Self.encoded(name))", text + name, expecting: 201)
            }
        }
        let list = try await world.call(.get, "/box?versions&format=json", expecting: 200).json
        #expect(Self.names(list) == Self.bytes(names.flatMap { [$0, $0] }))
        #expect((list.array ?? []).map { $0["is_latest"]?.bool } == [true, false, true, false, true, false])
        for name in names {
            let get = try await world.call(.get, "/box/\(Self.encoded(name))", expecting: 200)
            #expect(get.bytes == Self.bytes("2" + name))
        }
        try await world.call(.delete, "/box/\(Self.encoded(Self.whole))", expecting: 204)
        try await world.call(.get, "/box/\(Self.encoded(Self.whole))", expecting: 404)
        try await world.call(.get, "/box/\(Self.encoded(Self.split))", expecting: 200)
    }

    @Test("a name that is not UTF-8 is refused, not mended")
    func unreadable() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.put, "/box/\(Self.encoded("\u{FFFD}"))", "mine", expecting: 201)
        let lines = Array("box/%ED%95\nbox/".utf8) + [0xED, 0x95, 0x0A]
        let deleted = try await world.call(
            .post, "?bulk-delete", bytes: lines,
            headers: ["Accept": "application/json", "Content-Type": "text/plain"], expecting: 200)
        #expect(deleted.json["Number Deleted"] == 0)
        let error: JSON = ["box/%ED%95", "412 Precondition Failed"]
        #expect(deleted.json["Errors"] == [error, error])
        let cut = WireText.text(Array("box/".utf8) + [0xED, 0x95])
        try await world.call(.put, "/box/c", headers: ["X-Copy-From": cut], expecting: 412)
        try await world.call(.get, "/box/\(Self.encoded("\u{FFFD}"))", expecting: 200)
    }

    // MARK: Two spellings

    @Test("two spellings are two objects, listed in the order of their bytes")
    func spellings() async throws {
        let world = try await SwiftAPITests.world()
        for (name, text) in [(Self.whole, "whole"), (Self.split, "split!")] {
            for suffix in ["", "/a"] {
                try await world.call(.put, "/box/\(Self.encoded(name + suffix))", text, expecting: 201)
            }
        }
        #expect(try await world.call(.get, "/box/\(Self.encoded(Self.whole))").text == "whole")
        #expect(try await world.call(.get, "/box/\(Self.encoded(Self.split))").text == "split!")
        let all = [Self.split, Self.split + "/a", Self.whole, Self.whole + "/a"]
        #expect(try await world.call(.get, "/box").bytes == Self.bytes(all.map { $0 + "\n" }.joined()))
        #expect(try await world.call(.head, "/box").headers["X-Container-Object-Count"] == "4")
        func list(_ query: String) async throws -> [[UInt8]] {
            Self.names(try await world.call(.get, "/box?format=json&\(query)", expecting: 200).json)
        }
        #expect(try await list("prefix=\(Self.encoded(Self.whole))") == Self.bytes([Self.whole, Self.whole + "/a"]))
        #expect(try await list("prefix=cafe") == Self.bytes([Self.split, Self.split + "/a"]))
        #expect(
            try await list("delimiter=/")
                == Self.bytes([Self.split, Self.split + "/", Self.whole, Self.whole + "/"]))
        #expect(try await list("marker=\(Self.encoded(Self.split + "/a"))") == Self.bytes(Array(all[2...])))
        let manifest = "[{\"path\": \"/box/\(Self.whole)\"}, {\"path\": \"/box/\(Self.split)\"}]"
        try await world.call(.put, "/box/large?multipart-manifest=put", manifest, expecting: 201)
        #expect(try await world.call(.get, "/box/large", expecting: 200).text == "wholesplit!")
        let link: HTTPHeaders = ["X-Symlink-Target": "box/\(Self.encoded(Self.whole))"]
        try await world.call(.put, "/box/\(Self.encoded(Self.whole))", headers: link, expecting: 400)
        try await world.call(.delete, "/box/\(Self.encoded(Self.split))", expecting: 204)
        #expect(try await world.call(.get, "/box/\(Self.encoded(Self.whole))", expecting: 200).text == "whole")
        try await world.call(.put, "/box/\(Self.encoded(Self.split))", headers: link, expecting: 201)
        #expect(try await world.call(.get, "/box/\(Self.encoded(Self.split))", expecting: 200).text == "whole")
    }

    @Test("and two containers")
    func containers() async throws {
        let world = try SwiftWorld()
        for name in [Self.whole, Self.split] {
            try await world.call(.put, "/\(Self.encoded(name))", expecting: 201)
            try await world.call(.put, "/\(Self.encoded(name))/o", name, expecting: 201)
        }
        let listing = try await world.call(.get, "?format=json", expecting: 200).json
        #expect(Self.names(listing) == Self.bytes([Self.split, Self.whole]))
        #expect(try await world.call(.get, "/\(Self.encoded(Self.split))/o").bytes == Self.bytes(Self.split))
    }

    @Test("S3 keeps two keys apart, and two tags")
    func keys() async throws {
        let world = try S3World()
        _ = try await world.call(.put, "/bucket", expecting: 200)
        for name in [Self.whole, Self.split, Self.mark] {
            _ = try await world.call(.put, "/bucket/\(Self.encoded(name))", name, expecting: 200)
        }
        for name in [Self.whole, Self.split, Self.mark] {
            let get = try await world.call(.get, "/bucket/\(Self.encoded(name))", expecting: 200)
            #expect(get.bytes == Self.bytes(name))
        }
        let listing = try await world.call(.get, "/bucket", expecting: 200).document
        let keys = listing?.all("Contents").compactMap { $0["Key"]?.text } ?? []
        #expect(Self.bytes(keys) == Self.bytes([Self.split, Self.whole, Self.mark]))
        let tags = try S3Tags(header: "\(Self.encoded(Self.whole))=1&\(Self.encoded(Self.split))=2", maximum: 10)
        #expect(tags.tags.count == 2)
    }

    // MARK: Devices

    private static func keepsBoth(_ device: any StorageDevice) async throws {
        let account = StorageSample.location(StorageSample.account)
        let container = StorageSample.location(StorageSample.container)
        for place in [account, container] {
            try await device.createIndex(place, IndexRecord(path: place.path, time: StorageSample.time(0)))
        }
        try await device.putObjectRows(container, [whole, split].map { StorageSample.row($0, at: 1) })
        let time = StorageSample.time(1)
        try await device.putContainerRows(account, [whole, split].map { ContainerRow(name: $0, putTime: time) })
        let query = ListingQuery(limit: 10)
        let objects = try await device.listObjects(container, query).map { entry in
            if case .row(let row) = entry { row.name } else { "" }
        }
        let containers = try await device.listContainers(account, query).map { entry in
            if case .row(let row) = entry { row.name } else { "" }
        }
        #expect(bytes(objects) == bytes([split, whole]))
        #expect(bytes(containers) == bytes([split, whole]))
        #expect(try await device.index(container)?.objectCount == 2)
        for name in [whole, split] {
            try await device.put(StorageSample.object(name), Array(name.utf8), at: 1)
        }
        for name in [whole, split] {
            #expect(try await device.get(StorageSample.object(name))?.bytes == Array(name.utf8))
        }
    }

    @Test("a batch of rows of both spellings keeps both, in memory")
    func fakeDevice() async throws { try await Self.keepsBoth(FakeStorageDevice()) }

    @Test("and on a disk")
    func diskDevice() async throws {
        try await withTemporaryDirectory { root in
            let device = try await DiskDevice.open(root, .init())
            try await Self.keepsBoth(device)
            await device.close()
        }
    }

    // MARK: Rights

    private static func caller(_ name: String, project: String = "q", role: String = "other") -> StorageCaller {
        let domain = Principal.Named(id: "default", name: "Default")
        return .user(
            Principal(
                userID: UserID("id"), userName: name, userDomain: domain,
                scope: .project(ProjectID(project), name: project, domain: domain),
                roles: [Principal.Named(id: role, name: role)]))
    }

    private static func decide(_ caller: StorageCaller, acl: String, account: String = "AUTH_p") -> AccessDecision {
        var question = AccessQuestion(
            path: ObjectPath(account: account, container: "c", object: "o"), action: .readObject)
        question.acl = ContainerACL(acl)
        return AccessRules().decide(question, for: caller)
    }

    @Test("another spelling of a name has no right")
    func rights() {
        #expect(Self.decide(Self.caller(Self.whole), acl: "q:\(Self.whole)") == .allowed(asOwner: false))
        #expect(Self.decide(Self.caller(Self.whole), acl: "q:\(Self.split)") == .denied)
        #expect(Self.decide(Self.caller("u", project: Self.whole), acl: "\(Self.split):u") == .denied)
        #expect(Self.decide(Self.caller("\u{301}u"), acl: "q:\u{301}u") == .allowed(asOwner: false))
        let own = "AUTH_\(Self.whole)"
        #expect(
            Self.decide(Self.caller("u", project: Self.whole, role: Self.whole), acl: Self.split, account: own)
                == .denied)
        #expect(
            Self.decide(Self.caller("u", project: Self.whole, role: Self.whole), acl: Self.whole, account: own)
                == .allowed(asOwner: false))
        #expect(
            Self.decide(Self.caller("u", project: Self.split, role: "member"), acl: "x:y", account: own) == .denied)
        let key = StorageCaller.keyHolder(of: ObjectPath(account: "AUTH_p", container: Self.whole))
        let other = AccessQuestion(
            path: ObjectPath(account: "AUTH_p", container: Self.split, object: "o"), action: .readObject)
        #expect(AccessRules().decide(other, for: key) == .denied)
        #expect(!ContainerACL(".r:\(Self.whole)").allows(referrer: "http://\(Self.split)/"))
        #expect(ContainerACL(".r:*,.r:-\(Self.whole)").allows(referrer: "http://\(Self.split)/"))
        #expect(ContainerACL(".r:example.com").allows(referrer: "http://example.com/\u{301}"))
    }

    @Test("a temporary URL of a prefix opens its own spelling only")
    func prefixes() async throws {
        let world = try await SwiftAPITests.world()
        try await world.call(.post, "", headers: ["X-Account-Meta-Temp-Url-Key": "key"], expecting: 204)
        for name in [Self.whole, Self.split] { try await world.call(.put, "/box/\(Self.encoded(name))/o", "text") }
        let expires: Int64 = 1_700_000_100
        let message = TempURLSignature.message(
            method: "GET", expires: expires, path: "prefix:/v1/AUTH_test/box/\(Self.whole)", addresses: nil)
        let value = Hex.encode(TempURLSignature.Algorithm.sha256.sign(key: Array("key".utf8), Array(message.utf8)))
        let query =
            "?temp_url_sig=\(value)&temp_url_expires=\(expires)&temp_url_prefix=\(Self.encoded(Self.whole))"
        try await world.call(.get, "/box/\(Self.encoded(Self.whole))/o" + query, as: nil, expecting: 200)
        try await world.call(.get, "/box/\(Self.encoded(Self.split))/o" + query, as: nil, expecting: 401)
    }
}

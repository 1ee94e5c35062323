// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import Testing

@testable import ObjectStorageAPI

/// Goal: documents of strangers cost no more than their length, and say no more than is in them.
/// Method: what the usual attacks send, next to what clients send.
@Suite("XML")
struct XMLReaderTests {
    private static func read(_ text: String, _ limits: XMLReader.Limits = .init()) throws -> XMLElement {
        try XMLReader.read(Array(text.utf8), limits: limits)
    }

    @Test("what clients send")
    func good() throws {
        let text = """
            \u{FEFF}<?xml version="1.0" encoding='UTF-8' standalone="yes"?>
            <!-- hello --><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/" a='1 &lt; 2'>
              <Quiet>true</Quiet><Object><Key>a&amp;b&#x20;&#99; <![CDATA[<x>]]></Key></Object>
              <s:Object xmlns:s="x"><Key/></s:Object></Delete>

            """
        let root = try Self.read(text)
        #expect(root.name == "Delete")
        #expect(root.attributes["a"] == "1 < 2")
        #expect(root.value("Quiet") == "true")
        #expect(root.all("Object").count == 2)
        #expect(root["Object"]?["Key"]?.text == "a&b c <x>")
        #expect(root.all("Object").last?["Key"]?.text == "")
    }

    @Test(
        "what nobody should send",
        arguments: [
            "", "x", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a b='1' b='2'/>", "<a b='<'/>", "</a>", "<1/>",
            "< a/>",
            "<a>&nope;</a>", "<a>&#0;</a>", "<a>&#xD800;</a>", "<a>&#99999999999;</a>", "<a>&amp</a>", "<a>\u{1}</a>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>",
            "<a><!DOCTYPE b></a>", "<a><!ENTITY x 'y'></a>", "<a><?php ?></a>", "<?xml-stylesheet href='x'?><a/>",
            "<?xml version='1.0' encoding='UTF-16'?><a/>", "<a><![CDATA[x</a>", "<a><!-- x</a>", "<a b='1'c='2'/>",
            "<a>x</a>y",
        ])
    func bad(_ text: String) {
        #expect(throws: XMLError.self) { _ = try Self.read(text) }
    }

    @Test("depth, count and length have ends")
    func limits() throws {
        var limits = XMLReader.Limits()
        limits.depth = 4
        limits.elements = 10
        limits.bytes = 1000
        limits.attributes = 2
        #expect(try Self.read("<a><a><a><a/></a></a></a>", limits).name == "a")
        let deep = String(repeating: "<a>", count: 5) + String(repeating: "</a>", count: 5)
        let many = "<a>" + String(repeating: "<b/>", count: 10) + "</a>"
        let long = "<a>" + String(repeating: "x", count: 1000) + "</a>"
        for text in [deep, many, long, "<a b='1' c='2' d='3'/>"] {
            #expect(throws: XMLError.self) { _ = try Self.read(text, limits) }
        }
        // Without its own limits it holds, too, and at once.
        #expect(throws: XMLError.self) { _ = try Self.read(String(repeating: "<a>", count: 100_000)) }
    }

    @Test("bytes that are no UTF-8")
    func encoding() {
        #expect(throws: XMLError.self) { _ = try XMLReader.read([0x3C, 0x61, 0x3E, 0xFF, 0x3C, 0x2F, 0x61, 0x3E]) }
        #expect(throws: XMLError.self) { _ = try XMLReader.read([0xFF, 0xFE, 0x3C, 0x00]) }
    }

    @Test("what is written is read again")
    func roundTrip() throws {
        let text = "a<b>&\"c'\n\tü"
        let bytes = XMLWriter.document("Root", namespace: "urn:x") { writer in
            writer.element("Text", text)
            writer.element("Flag", true)
            writer.element("Inner", attributes: [("k", text)]) { $0.element("Number", 42) }
        }
        let root = try XMLReader.read(bytes)
        #expect(root["Text"]?.text == text)
        #expect(root.value("Flag") == "true")
        #expect(root["Inner"]?.attributes["k"] == text)
        #expect(root["Inner"]?.value("Number") == "42")
    }
}

/// Goal: pages of a listing say where to go on, in each form.
/// Method: three names, two of them shown, and what a client reads of the document.
@Suite("S3 listings")
struct S3ListingTests {
    private static func page(_ kind: S3ListingPage.Kind, encodes: Bool = false, delimiter: String? = "/")
        -> S3ListingPage
    {
        var page = S3ListingPage(
            kind: kind, bucket: "box", prefix: "a/ü", delimiter: delimiter, maximum: 2, encodesNames: encodes)
        let time = WriteTime(ticks: 125_000_000_000_001)
        page.showsOwner = true
        page.take(
            [
                .object(.init(key: "a/ü 1&", etag: "e1", sizeBytes: 5, modified: time, version: "7.00000")),
                .prefix("a/ü/x/"), .object(.init(key: "a/ü2", etag: "e2", sizeBytes: 6, modified: time)),
            ], limit: 2)
        return page
    }

    private static func read(_ page: S3ListingPage) throws -> XMLElement {
        try XMLReader.read(page.document(owner: S3Owner(id: "p1", name: "project")))
    }

    @Test("the first form goes on after the last name")
    func first() throws {
        let root = try Self.read(Self.page(.first))
        #expect(root.name == "ListBucketResult")
        #expect(root.value("IsTruncated") == "true")
        #expect(root.value("NextMarker") == "a/ü/x/")
        #expect(root.all("Contents").count == 1)
        #expect(root["Contents"]?["Key"]?.text == "a/ü 1&")
        #expect(root["Contents"]?.value("ETag") == "\"e1\"")
        #expect(root["Contents"]?.value("LastModified") == "2009-08-11T14:13:21.000Z")
        #expect(root["Contents"]?["Owner"]?.value("ID") == "p1")
        #expect(root["CommonPrefixes"]?.value("Prefix") == "a/ü/x/")
        #expect(try Self.read(Self.page(.first, delimiter: nil)).value("NextMarker") == nil)
    }

    @Test("the second form goes on with a token")
    func second() throws {
        let root = try Self.read(Self.page(.second))
        #expect(root.value("KeyCount") == "2")
        #expect(root.value("NextContinuationToken") == "YS/DvC94Lw==")
    }

    @Test("versions have names")
    func versions() throws {
        var page = Self.page(.versions)
        page.take(
            [
                .object(
                    .init(
                        key: "k", etag: "", sizeBytes: 0, modified: WriteTime(ticks: 1), version: "8.00000",
                        isDeleteMarker: true)),
                .object(
                    .init(
                        key: "k", etag: "e", sizeBytes: 1, modified: WriteTime(ticks: 0), version: "7.00000",
                        isLatest: false)),
            ], limit: 1)
        let root = try Self.read(page)
        #expect(root["DeleteMarker"]?.value("VersionId") == "8.00000")
        #expect(root["DeleteMarker"]?["ETag"] == nil)
        #expect(root["Version"] == nil)
        #expect(root.value("NextVersionIdMarker") == "8.00000")
    }

    @Test("names are encoded when that is asked for")
    func encoded() throws {
        let root = try Self.read(Self.page(.first, encodes: true))
        #expect(root["Contents"]?.value("Key") == "a/%C3%BC%201%26")
        #expect(root.value("EncodingType") == "url")
    }

    @Test("the tag of a large object is that of its parts' tags")
    func largeETag() {
        // printf of the two digests in binary, through md5sum.
        let parts = ["d41d8cd98f00b204e9800998ecf8427e", "0cc175b9c0f1b6a831c399e269772661"]
        #expect(S3UploadCompletion.etag(parts).hasSuffix("-2"))
        #expect(S3UploadCompletion.etag([parts[0]]) == "59adb24ef3cdbe0297f05b395827453f-1")
    }
}

@Suite("S3 settings of buckets")
struct S3BucketSettingTests {
    @Test("canned ACLs are the container's")
    func canned() throws {
        #expect(try S3ACL(canned: "private").containerACLs() == ("", ""))
        #expect(try S3ACL(canned: "public-read").containerACLs().read == ".r:*,.rlistings")
        #expect(try S3ACL(canned: "authenticated-read").containerACLs().read == "*:*")
        #expect(throws: S3Error.self) { _ = try S3ACL(canned: "public-read-write").containerACLs() }
        #expect(throws: S3Error.self) { _ = try S3ACL(canned: "mine") }
    }

    @Test("grants are the container's, and back")
    func grants() throws {
        let acl = S3ACL([.init(.user("p2:u1"), .fullControl), .init(.user("p3"), .read), .init(.everybody, .read)])
        let (read, write) = try acl.containerACLs()
        #expect(read == "p2:u1,p3:*,.r:*,.rlistings")
        #expect(write == "p2:u1")
        let back = S3ACL(read: read, write: write)
        #expect(
            Set(back.grants) == [
                .init(.everybody, .read), .init(.user("p2:u1"), .read), .init(.user("p3"), .read),
                .init(.user("p2:u1"), .write),
            ])
        for id in [".r:*", "a,b", "a b", ":", "a:b:c", ""] {
            #expect(throws: S3Error.self) { _ = try S3ACL([.init(.user(id), .read)]).containerACLs() }
        }
    }

    @Test("tags and rules are kept as they were given")
    func kept() throws {
        let document = try XMLReader.read(
            Array(
                """
                <Tagging><TagSet><Tag><Key>a b</Key><Value>1&amp;2=3</Value></Tag><Tag><Key>z</Key><Value/></Tag>
                </TagSet></Tagging>
                """.utf8))
        let tags = try S3Tags(document, maximum: 2)
        #expect(S3Tags(kept: tags.text) == tags)
        #expect(throws: S3Error.self) { _ = try S3Tags(document, maximum: 1) }
        #expect(throws: S3Error.self) { _ = try S3Tags(header: "a=1&a=2", maximum: 10) }
        let cors = try S3CORS(
            try XMLReader.read(
                Array(
                    """
                    <CORSConfiguration><CORSRule><AllowedOrigin>https://*.example.com</AllowedOrigin>
                    <AllowedMethod>PUT</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>
                    <MaxAgeSeconds>5</MaxAgeSeconds></CORSRule></CORSConfiguration>
                    """.utf8)))
        #expect(S3CORS(kept: cors.text) == cors)
        #expect(cors.rule(origin: "https://a.example.com", method: "PUT", headers: ["X-Amz-Date"]) != nil)
        #expect(cors.rule(origin: "https://example.com", method: "PUT") == nil)
        #expect(cors.rule(origin: "https://a.example.com", method: "GET") == nil)
        #expect(cors.rule(origin: "https://a.example.com", method: "PUT", headers: ["cookie"]) == nil)
    }

    @Test(
        "names of buckets",
        arguments: [
            ("box", true, true), ("my.box-1", true, true), ("My_Box", false, true), ("ab", false, false),
            ("a..b", false, true), ("a-.b", false, true), ("-abc", false, false), ("192.168.1.1", false, false),
            ("box+segments", false, false), ("abc.", false, false), ("b\u{0}x", false, false),
            ("\u{11}abc", false, false),
        ])
    func names(_ name: String, _ isFitForHost: Bool, _ isReachable: Bool) {
        #expect(S3BucketName.isFitForHost(name) == isFitForHost)
        #expect(S3BucketName.isReachable(name) == isReachable)
    }
}

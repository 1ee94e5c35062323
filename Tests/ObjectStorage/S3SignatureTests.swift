// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore
import SecurityKit
import Testing

/// Goal: signatures are what Amazon's are.
/// Method: the examples of its documentation, and the same with one thing changed.
@Suite("S3 signatures")
struct S3SignatureTests {
    static let secret = Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    static let date = "20130524T000000Z"
    static let credential = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
    private static let host = "examplebucket.s3.amazonaws.com"

    private static func request(
        _ method: HTTPMethod, _ path: String, query: [(name: String, value: String)] = [], signed: String,
        _ signature: String, headers extra: HTTPHeaders = [:], digest: String = S3Signature.emptyDigest
    ) -> HTTPRequest {
        var headers = extra
        if headers["Host"] == nil { headers.set("Host", host) }
        headers.set("X-Amz-Date", date)
        headers.set("x-amz-content-sha256", digest)
        headers.set(
            "Authorization", "AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(signed),Signature=\(signature)")
        return HTTPRequest(method: method, path: path, query: query, headers: headers)
    }

    private static func check(_ request: HTTPRequest, bucket: String? = nil) throws {
        let authorization = try #require(try S3Authorization(request))
        try S3Signature(request, authorization, hostBucket: bucket).check(secret: secret)
    }

    @Test("GET with a range")
    func get() throws {
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        var request = Self.request(
            .get, "/test.txt", signed: "host;range;x-amz-content-sha256;x-amz-date", signature,
            headers: ["Range": "bytes=0-9"])
        try Self.check(request)
        request.headers.set("Range", "bytes=0-8")
        #expect(throws: S3Error.self) { try Self.check(request) }
    }

    @Test("PUT of a name with a dollar sign")
    func put() throws {
        let digest = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        let headers: HTTPHeaders = [
            "Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY",
        ]
        let signed = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"
        let signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        for path in ["/test$file.text", "/test%24file.text"] {
            try Self.check(Self.request(.put, path, signed: signed, signature, headers: headers, digest: digest))
        }
    }

    @Test(
        "queries",
        arguments: [
            ([("lifecycle", "")], "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (
                [("prefix", "J"), ("max-keys", "2")],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ),
        ])
    func query(_ query: [(String, String)], _ signature: String) throws {
        try Self.check(
            Self.request(
                .get, "/", query: query.map { (name: $0.0, value: $0.1) },
                signed: "host;x-amz-content-sha256;x-amz-date", signature))
    }

    private static func presigned(expires: String = "86400") -> HTTPRequest {
        HTTPRequest(
            method: .get, path: "/test.txt",
            query: [
                ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", credential), ("X-Amz-Date", date),
                ("X-Amz-Expires", expires), ("X-Amz-SignedHeaders", "host"),
                ("X-Amz-Signature", "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
            ], headers: ["Host": host])
    }

    @Test("an address that is signed, and until when it counts")
    func presigned() throws {
        let request = Self.presigned()
        try Self.check(request)
        let authorization = try #require(try S3Authorization(request))
        let signed = try #require(SignatureV4.time(Self.date))
        try authorization.checkTime(signed + .seconds(86_400))
        #expect(throws: S3Error.self) { try authorization.checkTime(signed + .seconds(86_401)) }
        #expect(throws: S3Error.self) { try authorization.checkTime(signed - .seconds(1000)) }
        for wrong in ["-1", "604801", "soon", ""] {
            #expect(throws: S3Error.self) { _ = try S3Authorization(Self.presigned(expires: wrong)) }
        }
    }

    @Test("a header's time is near the server's")
    func skew() throws {
        let request = Self.request(.get, "/", signed: "host;x-amz-date", "00")
        let authorization = try #require(try S3Authorization(request))
        let signed = try #require(SignatureV4.time(Self.date))
        for seconds in [-900, 0, 900] { try authorization.checkTime(signed + .seconds(seconds)) }
        for seconds in [-901, 901] {
            #expect(throws: S3Error(.requestTimeTooSkewed)) { try authorization.checkTime(signed + .seconds(seconds)) }
        }
    }

    @Test("what changes a request is signed, and the host always")
    func unsigned() throws {
        let signature = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        let signed = "host;range;x-amz-content-sha256;x-amz-date"
        for name in ["x-amz-meta-color", "x-amz-copy-source", "x-amz-acl"] {
            let request = Self.request(
                .get, "/test.txt", signed: signed, signature, headers: ["Range": "bytes=0-9", name: "x"])
            #expect(throws: S3Error.self) { try Self.check(request) }
        }
        #expect(throws: S3Error.self) {
            _ = try S3Authorization(Self.request(.get, "/", signed: "x-amz-date", signature))
        }
    }

    @Test(
        "what is malformed is refused, not crashed on",
        arguments: [
            "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=",
            "AWS4-HMAC-SHA256 Credential=a/b,SignedHeaders=host,Signature=x",
            "AWS4-HMAC-SHA256 Credential=a/20130524/r/ec2/aws4_request,SignedHeaders=host,Signature=x",
            "AWS4-HMAC-SHA256 Credential=a/20130523/r/s3/aws4_request,SignedHeaders=host,Signature=x",
            "AWS4-HMAC-SHA256 Credential=/20130524/r/s3/aws4_request,SignedHeaders=host,Signature=x", "AWS ", "AWS :x",
            "Bearer x",
        ])
    func malformed(_ header: String) {
        let request = HTTPRequest(
            method: .get, path: "/", headers: ["Host": "h", "X-Amz-Date": Self.date, "Authorization": header])
        #expect(throws: S3Error.self) { _ = try S3Authorization(request) }
    }

    @Test("version 2, with the bucket in the host's name")
    func version2() throws {
        var request = HTTPRequest(
            method: .get, path: "/photos/puppy.jpg",
            headers: [
                "Host": "awsexamplebucket1.us-west-1.s3.amazonaws.com", "Date": "Tue, 27 Mar 2007 19:36:42 +0000",
                "Authorization": "AWS AKIAIOSFODNN7EXAMPLE:qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
            ])
        try Self.check(request, bucket: "awsexamplebucket1")
        request.method = .delete
        #expect(throws: S3Error.self) { try Self.check(request, bucket: "awsexamplebucket1") }
    }

    /// Clients sign a bucket alone with a slash behind it, whether they send one or not.
    @Test("version 2, a bucket alone", arguments: ["/bucket", "/bucket/"])
    func version2Bucket(_ signed: String) throws {
        let date = "Tue, 27 Mar 2007 19:36:42 +0000"
        for (query, resource) in [
            ([(name: "prefix", value: "k"), (name: "encoding-type", value: "url")], signed),
            ([(name: "acl", value: "")], signed + "?acl"),
            ([(name: "encryption", value: "")], signed), ([(name: "encryption", value: "")], signed + "?encryption"),
        ] {
            let key = Array(Self.secret.reveal().utf8)
            let signature = Base64.encode(HMAC.sha1(key: key, Array("GET\n\n\n\(date)\n\(resource)".utf8)))
            var request = HTTPRequest(
                method: .get, path: "/bucket", query: query,
                headers: ["Host": Self.host, "Date": date, "Authorization": "AWS AKIAIOSFODNN7EXAMPLE:\(signature)"])
            try Self.check(request)
            request.path = "/bucket/key"
            #expect(throws: S3Error.self) { try Self.check(request) }
        }
    }
}

/// Goal: a body in chunks comes out whole, or not at all.
/// Method: Amazon's example, cut into pieces of every size; then bytes, signatures and sizes that are wrong.
@Suite("S3 bodies in chunks")
struct S3ChunkTests {
    private static let signatures = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]

    private static func signer(_ seed: String) -> S3ChunkSigner {
        S3ChunkSigner(
            key: SignatureV4.key(secret: S3SignatureTests.secret, date: "20130524", region: "us-east-1", service: "s3"),
            time: S3SignatureTests.date, scope: "20130524/us-east-1/s3/aws4_request", previous: seed)
    }

    private static func body(_ signatures: [String]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (size, signature) in zip([65536, 1024, 0], signatures) {
            bytes += Array("\(String(size, radix: 16));chunk-signature=\(signature)\r\n".utf8)
            bytes += [UInt8](repeating: UInt8(ascii: "a"), count: size) + (size > 0 ? [13, 10] : [])
        }
        return bytes
    }

    private static func decode(_ decoder: S3ChunkDecoder, _ bytes: [UInt8], pieces: Int) throws -> [UInt8] {
        var decoder = decoder
        var output: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            output += try decoder.decode(Array(bytes[start..<min(start + pieces, bytes.count)]))
        }
        try decoder.finish()
        return output
    }

    private static let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

    private static func decoder(_ expected: Int64 = 66_560) -> S3ChunkDecoder {
        S3ChunkDecoder(expecting: expected, signer: signer(seed), trailers: [], signsTrailers: false)
    }

    @Test("the published example, in pieces", arguments: [1, 7, 4096, 100_000])
    func example(pieces: Int) throws {
        let bytes = Self.body(Self.signatures)
        for end in [[], [13, 10]] as [[UInt8]] {
            let output = try Self.decode(Self.decoder(), bytes + end, pieces: pieces)
            #expect(output == [UInt8](repeating: UInt8(ascii: "a"), count: 66_560))
        }
    }

    @Test("no byte, signature or size that is wrong")
    func wrong() {
        let bytes = Self.body(Self.signatures)
        var changed = bytes
        changed[200] = UInt8(ascii: "b")
        let swapped = Self.body([Self.signatures[1], Self.signatures[0], Self.signatures[2]])
        for (decoder, body) in [
            (Self.decoder(), changed), (Self.decoder(), swapped), (Self.decoder(66_561), bytes),
            (Self.decoder(66_559), bytes), (Self.decoder(), Array(bytes.dropLast(90))), (Self.decoder(), []),
            (Self.decoder(), bytes + Array("x".utf8)), (Self.decoder(), Array("zz;chunk-signature=0\r\n".utf8)),
            (Self.decoder(), Array("-1;chunk-signature=0\r\n".utf8)),
            (Self.decoder(), Array("ffffffffffffffffff;chunk-signature=0\r\n".utf8)),
            (Self.decoder(), [UInt8](repeating: UInt8(ascii: "1"), count: 10_000)),
            (Self.decoder(), Array("10000\r\n".utf8)),
        ] {
            #expect(throws: S3Error.self) { _ = try Self.decode(decoder, body, pieces: 1000) }
        }
    }

    @Test("trailing headers are signed, too")
    func trailers() throws {
        let seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
        let signatures = [
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ]
        let signature = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
        func decoder() -> S3ChunkDecoder {
            S3ChunkDecoder(
                expecting: 66_560, signer: Self.signer(seed), trailers: ["x-amz-checksum-crc32c"], signsTrailers: true)
        }
        func body(_ value: String, _ signature: String) -> [UInt8] {
            Self.body(signatures)
                + Array("x-amz-checksum-crc32c:\(value)\r\nx-amz-trailer-signature:\(signature)\r\n\r\n".utf8)
        }
        let output = try Self.decode(decoder(), body("sOO8/Q==", signature), pieces: 999)
        #expect(output.count == 66_560)
        for bytes in [body("sOO8/A==", signature), body("sOO8/Q==", "00"), Self.body(signatures)] {
            #expect(throws: S3Error.self) { _ = try Self.decode(decoder(), bytes, pieces: 999) }
        }
    }

    @Test("small chunks are refused, unless they are the last")
    func small() {
        let decoder = S3ChunkDecoder(expecting: 2, signer: nil, trailers: [], signsTrailers: false)
        #expect(throws: S3Error(.invalidChunkSize)) {
            _ = try Self.decode(decoder, Array("1\r\na\r\n1\r\nb\r\n0\r\n\r\n".utf8), pieces: 3)
        }
    }

    @Test(
        "checksums are those of the catalogue",
        arguments: [
            (CyclicChecksum.Kind.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
        ])
    func checksums(_ kind: CyclicChecksum.Kind, _ expected: String) {
        var whole = CyclicChecksum(kind)
        whole.update(Array("123456789".utf8))
        #expect(Hex.encode(whole.finish()) == expected)
        var parts = CyclicChecksum(kind)
        for byte in "123456789".utf8 { parts.update([byte]) }
        #expect(Hex.encode(parts.finish()) == expected)
        // As of parts that were stored apart.
        for end in 0...9 {
            let bytes = Array("123456789".utf8)
            let (first, second) = (Array(bytes[..<end]), Array(bytes[end...]))
            var (left, right) = (CyclicChecksum(kind), CyclicChecksum(kind))
            left.update(first)
            right.update(second)
            let joined = CyclicChecksum.joined(
                kind, left.finish(), right.finish(), secondBytes: Int64(second.count))
            #expect(Hex.encode(joined) == expected)
        }
    }
}

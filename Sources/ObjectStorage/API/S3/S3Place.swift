// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore

/// What a request is about: all buckets, one, or an object in it.
struct S3Place: Sendable, Equatable {
    var bucket: String?
    var key: String?
    /// The bucket stands in the host's name, not in the path.
    var isInHost = false

    init(_ request: HTTPRequest, domains: [String]) throws(S3Error) {
        guard let path = Percent.decode(request.path), !path.utf8.contains(0), path.utf8.first == UInt8(ascii: "/"),
            request.isQueryReadable
        else {
            throw S3Error(.invalidURI, nil, [("URI", request.path)])
        }
        // By bytes: a mark that combines makes one character with the slash before it.
        var rest = path.utf8.dropFirst()
        if let bucket = Self.bucket(inHost: request.headers["Host"], domains) {
            self.bucket = bucket
            isInHost = true
        } else {
            let end = rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
            if end != rest.startIndex { bucket = String(Substring(rest[..<end])) }
            rest = rest[end...].dropFirst()
        }
        if !rest.isEmpty {
            guard bucket != nil else { throw S3Error(.invalidURI, nil, [("URI", request.path)]) }
            key = String(Substring(rest))
        }
        if let bucket, !S3BucketName.isReachable(bucket) {
            throw S3Error(.invalidBucketName, nil, [("BucketName", bucket)])
        }
    }

    private static func bucket(inHost host: String?, _ domains: [String]) -> String? {
        guard var name = host?.asciiLowercased()[...] else { return nil }
        if let colon = name.lastIndex(ofByte: ":"), !name.hasByteSuffix("]") { name = name[..<colon] }
        for domain in domains {
            let suffix = (domain.hasBytePrefix(".") ? domain : "." + domain).asciiLowercased()
            if let bucket = name.removing(byteSuffix: suffix), !bucket.isEmpty { return String(bucket) }
        }
        return nil
    }
}

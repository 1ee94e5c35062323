// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// Names and values that a client attaches to a bucket or an object, in the order in which it gave them.
package struct S3Tags: Sendable, Equatable {
    package struct Tag: Sendable, Equatable {
        package var key: String
        package var value: String
    }

    package static let maximumOfObject = 10
    package static let maximumOfBucket = 50

    package var tags: [Tag]

    /// A `Tagging` document.
    package init(_ document: XMLElement, maximum: Int) throws(S3Error) {
        guard document.name == "Tagging", let set = document["TagSet"] else { throw S3Error(.malformedXML) }
        tags = []
        for element in set.children {
            guard element.name == "Tag", let key = element["Key"]?.text, let value = element["Value"]?.text else {
                throw S3Error(.malformedXML)
            }
            tags.append(Tag(key: key, value: value))
        }
        try check(maximum)
    }

    /// `x-amz-tagging`: as a query.
    package init(header: String, maximum: Int) throws(S3Error) {
        guard let pairs = Percent.query(header) else {
            throw .invalidArgument(
                "x-amz-tagging", header,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
                    + "name duplicates.")
        }
        tags = pairs.map { Tag(key: $0.name, value: $0.value) }
        try check(maximum)
    }

    /// What `text` wrote; nil for anything else.
    package init?(kept text: String?) {
        guard let text, let pairs = Percent.query(text) else { return nil }
        tags = pairs.map { Tag(key: $0.name, value: $0.value) }
    }

    /// In the form of a query.
    package var text: String {
        tags.map { Percent.encode($0.key) + "=" + Percent.encode($0.value) }.joined(separator: "&")
    }

    private func check(_ maximum: Int) throws(S3Error) {
        guard tags.count <= maximum else {
            throw S3Error(.invalidTag, "Object tags cannot be greater than \(maximum)")
        }
        guard
            tags.allSatisfy({ (1...128).contains($0.key.unicodeScalars.count) && $0.value.unicodeScalars.count <= 256 })
        else {
            throw S3Error(.invalidTag, "The TagKey or TagValue you have provided is invalid")
        }
        guard Set(tags.map { ByteText($0.key) }).count == tags.count else {
            throw S3Error(.invalidTag, "Cannot provide multiple Tags with the same key")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A bucket's public access block. There are no bucket policies here, so what is said of those holds by itself.
package struct S3PublicAccess: Sendable, Equatable {
    package enum Setting: String, Sendable, CaseIterable {
        case blockACLs = "BlockPublicAcls"
        case ignoreACLs = "IgnorePublicAcls"
        case blockPolicy = "BlockPublicPolicy"
        case restrictBuckets = "RestrictPublicBuckets"
    }

    package var settings: Set<Setting> = []

    /// No ACL that opens the bucket to everybody may be set. An ACL that would be ignored is not let in, either.
    package var closesACLs: Bool { settings.contains(.blockACLs) || settings.contains(.ignoreACLs) }

    package init(_ document: XMLElement) throws(S3Error) {
        guard document.name == "PublicAccessBlockConfiguration" else { throw S3Error(.malformedXML) }
        for element in document.children {
            guard let setting = Setting(rawValue: element.name) else { throw S3Error(.malformedXML) }
            switch element.text.trimmed.asciiLowercased() {
            case "true": settings.insert(setting)
            case "false": settings.remove(setting)
            default: throw S3Error(.malformedXML)
            }
        }
    }

    /// What `text` wrote; nothing else closes anything.
    package init(kept text: String?) {
        settings = Set((text ?? "").split(byte: ",").compactMap { Setting(rawValue: String($0)) })
    }

    /// Never empty: a block of nothing is there, too.
    package var text: String {
        (["set"] + Setting.allCases.filter(settings.contains).map(\.rawValue)).joined(separator: ",")
    }
}

/// Whose a bucket's objects are. Here they are always the bucket's; the rule says whether it takes ACLs.
package enum S3Ownership: String, Sendable {
    case preferred = "BucketOwnerPreferred"
    case writer = "ObjectWriter"
    /// ACLs are off.
    case enforced = "BucketOwnerEnforced"

    package init(_ document: XMLElement) throws(S3Error) {
        guard document.name == "OwnershipControls", let word = document["Rule"]?.value("ObjectOwnership"),
            document.all("Rule").count == 1
        else { throw S3Error(.malformedXML) }
        try self.init(word: word)
    }

    package init(word: String) throws(S3Error) {
        guard let known = S3Ownership(rawValue: word) else { throw .invalidArgument("ObjectOwnership", word) }
        guard known != .writer else {
            throw .notImplemented("An object belongs to the owner of its bucket, whoever wrote it.")
        }
        self = known
    }

    package init?(kept text: String?) {
        guard let known = text.flatMap({ S3Ownership(rawValue: $0) }) else { return nil }
        self = known
    }
}

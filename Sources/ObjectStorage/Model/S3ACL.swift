// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Who may do what with a bucket besides its owner, in S3's words, as far as a container's ACLs can say it.
package struct S3ACL: Sendable, Equatable {
    package enum Grantee: Sendable, Hashable {
        case everybody, anyUser
        /// `project` or `project:user`, by id.
        case user(String)
    }
    package enum Permission: String, Sendable, Hashable {
        case read = "READ"
        case write = "WRITE"
        case fullControl = "FULL_CONTROL"
        case readACL = "READ_ACP"
        case writeACL = "WRITE_ACP"
    }
    package struct Grant: Sendable, Hashable {
        package var grantee: Grantee
        package var permission: Permission
        package init(_ grantee: Grantee, _ permission: Permission) {
            self.grantee = grantee
            self.permission = permission
        }
    }

    package static let everybodyURI = "http://acs.amazonaws.com/groups/global/AllUsers"
    package static let anyUserURI = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
    private static let maximumGrants = 100

    package var grants: [Grant]

    package init(_ grants: [Grant] = []) { self.grants = grants }

    /// Open to people whom the owner did not name.
    package var isPublic: Bool { grants.contains { $0.grantee == .everybody || $0.grantee == .anyUser } }

    // MARK: From S3

    package init(canned name: String) throws(S3Error) {
        switch name {
        case "private", "bucket-owner-read", "bucket-owner-full-control": grants = []
        case "public-read": grants = [Grant(.everybody, .read)]
        case "public-read-write": grants = [Grant(.everybody, .read), Grant(.everybody, .write)]
        case "authenticated-read": grants = [Grant(.anyUser, .read)]
        case "log-delivery-write", "aws-exec-read": throw .notImplemented("This canned ACL is not supported.")
        default: throw .invalidArgument("x-amz-acl", name)
        }
    }

    /// An `AccessControlPolicy`. Grants to `owner` itself are left out: the owner may do everything anyway.
    package init(_ policy: XMLElement, owner: String) throws(S3Error) {
        guard policy.name == "AccessControlPolicy", let list = policy["AccessControlList"] else {
            throw S3Error(.malformedACL)
        }
        grants = []
        for element in list.all("Grant") {
            guard let grantee = element["Grantee"], let word = element.value("Permission"),
                let permission = Permission(rawValue: word), grants.count < Self.maximumGrants
            else { throw S3Error(.malformedACL) }
            if let uri = grantee.value("URI") {
                grants.append(Grant(try Self.group(uri), permission))
            } else if let id = grantee.value("ID") {
                if !id.isByteEqual(to: owner) { grants.append(Grant(.user(id), permission)) }
            } else if grantee.value("EmailAddress") != nil {
                throw .notImplemented("Grants by mail address are not supported.")
            } else {
                throw S3Error(.malformedACL)
            }
        }
    }

    /// `x-amz-grant-read: id="…", uri="…"` and its like.
    package init(headers: [(permission: Permission, value: String)], owner: String) throws(S3Error) {
        grants = []
        for (permission, value) in headers {
            for part in value.split(byte: ",") {
                let halves = part.split(byte: "=", maxSplits: 1).map(\.trimmed)
                guard halves.count == 2, grants.count < Self.maximumGrants else {
                    throw .invalidArgument("x-amz-grant", value)
                }
                let name = EntityTags.plain(halves[1])
                switch halves[0].asciiLowercased() {
                case "uri": grants.append(Grant(try Self.group(name), permission))
                case "id": if !name.isByteEqual(to: owner) { grants.append(Grant(.user(name), permission)) }
                default: throw .notImplemented("Grants by mail address are not supported.")
                }
            }
        }
    }

    private static func group(_ uri: String) throws(S3Error) -> Grantee {
        switch uri {
        case everybodyURI: return .everybody
        case anyUserURI: return .anyUser
        default: throw S3Error(.invalidArgument, "Invalid group uri")
        }
    }

    // MARK: As a container's

    /// The values of `X-Container-Read` and `X-Container-Write`. Throws for what these cannot say.
    package func containerACLs() throws(S3Error) -> (read: String, write: String) {
        var (read, write): ([String], [String]) = ([], [])
        for grant in grants {
            let canRead = grant.permission == .read || grant.permission == .fullControl
            let canWrite = grant.permission == .write || grant.permission == .fullControl
            guard canRead || canWrite else {
                throw .notImplemented("The right to see or to change an ACL cannot be given to others.")
            }
            switch grant.grantee {
            case .everybody:
                guard !canWrite else { throw .notImplemented("A bucket that everybody may write to is not supported.") }
                read += [".r:*", ".rlistings"]
            case .anyUser:
                if canRead { read.append("*:*") }
                if canWrite { write.append("*:*") }
            case .user(let id):
                let entry = try Self.entry(id)
                if canRead { read.append(entry) }
                if canWrite { write.append(entry) }
            }
        }
        return (Self.joined(read), Self.joined(write))
    }

    private static func entry(_ id: String) throws(S3Error) -> String {
        let parts = id.split(byte: ":", omittingEmptySubsequences: false)
        let isPlain = id.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }
        guard (1...2).contains(parts.count), parts.allSatisfy({ !$0.isEmpty && !$0.hasBytePrefix(".") }), isPlain else {
            throw S3Error(
                .invalidArgument, "Invalid id", [("ArgumentName", "CanonicalUser/ID"), ("ArgumentValue", id)])
        }
        return parts.count == 2 ? id : id + ":*"
    }

    private static func joined(_ entries: [String]) -> String {
        var seen = Set<String>()
        return entries.filter { seen.insert($0).inserted }.joined(separator: ",")
    }

    /// What a container's ACLs say, as far as S3 has words for it.
    package init(read: String?, write: String?) {
        grants = []
        let (readers, writers) = (ContainerACL(read), ContainerACL(write))
        if readers.allows(referrer: nil) { grants.append(Grant(.everybody, .read)) }
        for (acl, permission) in [(readers, Permission.read), (writers, Permission.write)] {
            for group in acl.groups where group.containsByte(":") && !group.hasBytePrefix(".") {
                grants.append(Grant(Self.grantee(group), permission))
            }
        }
    }

    private static func grantee(_ group: String) -> Grantee {
        if group == "*:*" { return .anyUser }
        return .user(group.removing(byteSuffix: ":*").map { String($0) } ?? group)
    }
}

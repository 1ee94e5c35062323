// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import ObjectStorageCore

/// ACLs of buckets, which are the containers' own, and of objects, which have those of their bucket.
struct S3ACLs: Sendable {
    private static let maximumBodyBytes = 200 * 1024
    private static let grantHeaders: [(String, S3ACL.Permission)] = [
        ("x-amz-grant-read", .read), ("x-amz-grant-write", .write), ("x-amz-grant-full-control", .fullControl),
        ("x-amz-grant-read-acp", .readACL), ("x-amz-grant-write-acp", .writeACL),
    ]
    private static let schemaInstance = "http://www.w3.org/2001/XMLSchema-instance"

    let call: S3Call

    // MARK: Bucket

    func showBucket() async throws -> SwiftResponse {
        let headers = try await call.headBucket()
        return call.reply(
            document(S3ACL(read: headers["x-container-read"], write: headers["x-container-write"])))
    }

    func setBucket() async throws -> SwiftResponse {
        let ofHeaders = try ofHeaders()
        let document = try await call.document(limit: Self.maximumBodyBytes)
        let acl: S3ACL
        switch (ofHeaders, document) {
        case (.some, .some): throw S3Error(.invalidRequest, "This request does not support content.")
        case (let given?, nil): acl = given
        case (nil, let policy?): acl = try S3ACL(policy, owner: call.owner.id)
        case (nil, nil):
            throw S3Error(
                .invalidRequest, "Your request was missing a required header.", [("MissingHeaderName", "x-amz-acl")])
        }
        try checkAllowed(acl, try await call.headBucket())
        let (read, write) = try acl.containerACLs()
        let headers: SwiftHeaders = ["x-container-read": read, "x-container-write": write]
        try call.check(await call.ask(.post, call.bucketPath, headers: headers), call.bucketPath)
        // The parts of its objects are open to whom the bucket is open to.
        let segments = await call.ask(.post, call.segmentsPath, headers: headers)
        if segments.status != 404 { try call.check(segments, call.segmentsPath) }
        return call.done(headers: ["content-length": "0"])
    }

    /// What the headers of a request say; nil: nothing.
    func ofHeaders() throws(S3Error) -> S3ACL? {
        let grants = Self.grantHeaders.compactMap { name, permission in
            call.header(name).map { (permission: permission, value: $0) }
        }
        if let name = call.header("x-amz-acl") {
            guard grants.isEmpty else {
                throw S3Error(.invalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed")
            }
            return try S3ACL(canned: name)
        }
        return grants.isEmpty ? nil : try S3ACL(headers: grants, owner: call.owner.id)
    }

    // MARK: Object

    func showObject() async throws -> SwiftResponse {
        let object = await call.ask(
            .head, call.keyPath, query: call.query("versionId").map { [("version-id", $0)] } ?? [])
        await object.drop()
        if object.status == 404 {
            _ = try await call.headBucket()
            throw S3Error.noSuchKey(call.keyName)
        }
        try call.check(object, call.keyPath)
        let headers = try await call.headBucket()
        return call.reply(document(S3ACL(read: headers["x-container-read"], write: nil)))
    }

    func setObject() async throws -> SwiftResponse {
        let ofHeaders = try ofHeaders()
        let document = try await call.document(limit: Self.maximumBodyBytes)
        let acl = try document.map { policy throws(S3Error) in try S3ACL(policy, owner: call.owner.id) } ?? ofHeaders
        guard let acl else {
            throw S3Error(
                .invalidRequest, "Your request was missing a required header.", [("MissingHeaderName", "x-amz-acl")])
        }
        let head = await call.ask(.head, call.keyPath)
        await head.drop()
        if head.status == 404 { throw S3Error.noSuchKey(call.keyName) }
        try call.check(head, call.keyPath)
        try await checkIsBuckets(acl)
        return call.done(headers: ["content-length": "0"])
    }

    /// On an upload: what is said of the new object. Throws for what only some objects of a bucket could have.
    func checkObjectHeaders() async throws(S3Error) {
        if let acl = try ofHeaders() { try await checkIsBuckets(acl) }
    }

    private func checkIsBuckets(_ acl: S3ACL) async throws(S3Error) {
        guard !acl.grants.isEmpty else { return }
        let bucket = try await call.headBucket()
        try checkAllowed(acl, bucket)
        let readers = S3ACL(read: bucket["x-container-read"], write: nil)
        guard Set(acl.grants) == Set(readers.grants) else {
            throw .notImplemented("An object has the ACL of its bucket: set that instead.")
        }
    }

    /// Throws where the bucket's own settings close it to what the ACL opens.
    func checkAllowed(_ acl: S3ACL, _ bucket: SwiftHeaders) throws(S3Error) {
        guard !acl.grants.isEmpty else { return }
        if S3Ownership(kept: bucket[S3Header.ownership]) == .enforced {
            throw S3Error(.accessControlListNotSupported)
        }
        if acl.isPublic, S3PublicAccess(kept: bucket[S3Header.publicAccess]).closesACLs {
            throw S3Error(.accessDenied)
        }
    }

    // MARK: Document

    private func document(_ acl: S3ACL) -> [UInt8] {
        XMLWriter.document("AccessControlPolicy", namespace: S3Text.namespace) { writer in
            call.owner.write("Owner", &writer)
            writer.element("AccessControlList") { writer in
                write("CanonicalUser", .fullControl, &writer) { writer in
                    writer.element("ID", call.owner.id)
                    writer.element("DisplayName", call.owner.name)
                }
                for grant in acl.grants {
                    switch grant.grantee {
                    case .everybody:
                        write("Group", grant.permission, &writer) { $0.element("URI", S3ACL.everybodyURI) }
                    case .anyUser: write("Group", grant.permission, &writer) { $0.element("URI", S3ACL.anyUserURI) }
                    case .user(let id):
                        write("CanonicalUser", grant.permission, &writer) { writer in
                            writer.element("ID", id)
                            writer.element("DisplayName", id)
                        }
                    }
                }
            }
        }
    }

    private func write(
        _ type: String, _ permission: S3ACL.Permission, _ writer: inout XMLWriter, _ grantee: (inout XMLWriter) -> Void
    ) {
        writer.element("Grant") { writer in
            writer.element(
                "Grantee", attributes: [("xmlns:xsi", Self.schemaInstance), ("xsi:type", type)], grantee)
            writer.element("Permission", permission.rawValue)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageCore

/// Which operation a request asks for: by method, by what it names, and by a word in its query.
enum S3Operations {
    /// Words that stand for what is not built of objects, so that nobody takes them for a plain read or write.
    private static let foreign: Set<String> = [
        "annotation", "annotations", "encryption", "renameObject", "select", "torrent",
    ]

    static func answer(_ call: S3Call) async throws -> SwiftResponse {
        try check(call)
        if call.key != nil { return try await object(call) }
        if call.bucket != nil { return try await bucket(call) }
        guard call.http.method == .get else { throw notAllowed(call, "SERVICE") }
        return try await S3Buckets(call: call).list()
    }

    /// Headers that ask for more than there is.
    private static func check(_ call: S3Call) throws(S3Error) {
        if let owner = call.header("x-amz-expected-bucket-owner"), !owner.isByteEqual(to: call.owner.id) {
            throw S3Error(.accessDenied)
        }
        if let value = call.header("x-amz-storage-class"), value != "STANDARD" { throw S3Error(.invalidStorageClass) }
        if call.header("x-amz-mfa") != nil { throw .notImplemented("MFA Delete is not supported.") }
        if call.header("x-amz-website-redirect-location") != nil {
            throw .notImplemented("Website redirection is not supported.")
        }
        let encryption = [
            "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm",
            "x-amz-server-side-encryption-aws-kms-key-id",
        ]
        if encryption.contains(where: { call.header($0) != nil }) {
            throw .notImplemented("Server-side encryption is not supported.")
        }
        if call.header("x-amz-object-lock-mode") != nil || call.header("x-amz-object-lock-legal-hold") != nil {
            throw .notImplemented("Object Lock is not supported.")
        }
    }

    private static func bucket(_ call: S3Call) async throws -> SwiftResponse {
        let method = call.http.method
        if let word = S3AbsentSettings.words.first(where: call.has) {
            return try await S3AbsentSettings(call: call).answer(word)
        }
        let settings = S3BucketSettings(call: call)
        if call.has("publicAccessBlock") {
            return try await choose(
                call, "PUBLIC_ACCESS_BLOCK", get: settings.showPublicAccess, put: settings.setPublicAccess,
                delete: settings.deletePublicAccess)
        }
        if call.has("ownershipControls") {
            return try await choose(
                call, "OWNERSHIP_CONTROLS", get: settings.showOwnership, put: settings.setOwnership,
                delete: settings.deleteOwnership)
        }
        if call.has("acl") {
            let acls = S3ACLs(call: call)
            return try await choose(call, "ACL", get: acls.showBucket, put: acls.setBucket)
        }
        if call.has("versioning") {
            let versioning = S3Versioning(call: call)
            return try await choose(call, "VERSIONING", get: versioning.show, put: versioning.set)
        }
        if call.has("tagging") {
            let tagging = S3Tagging(call: call)
            return try await choose(
                call, "TAGGING", get: tagging.showBucket, put: tagging.setBucket, delete: tagging.deleteBucket)
        }
        if call.has("cors") {
            return try await choose(
                call, "CORS", get: settings.showCORS, put: settings.setCORS, delete: settings.deleteCORS)
        }
        if call.has("location") {
            return try await choose(call, "LOCATION", get: settings.location)
        }
        if call.has("uploads") { return try await choose(call, "UPLOADS", get: S3UploadListing(call: call).uploads) }
        if call.has("delete") {
            return try await choose(call, "MULTI_OBJECT_DELETE", post: S3BulkDelete(call: call).answer)
        }
        if call.has("versions") { return try await choose(call, "BUCKET", get: S3Listings(call: call).versions) }
        let buckets = S3Buckets(call: call)
        switch method {
        case .get: return try await S3Listings(call: call).objects()
        case .head: return try await buckets.head()
        case .put: return try await buckets.create()
        case .delete: return try await buckets.delete()
        case .post:
            throw S3Error(
                .invalidRequest, "POST on a bucket is a form of kind multipart/form-data, or has the query 'delete'.")
        default: throw notAllowed(call, "BUCKET")
        }
    }

    private static func object(_ call: S3Call) async throws -> SwiftResponse {
        if let word = foreign.first(where: call.has) {
            throw S3Error.notImplemented("A parameter implies functionality that is not implemented: \(word)")
        }
        if call.has("attributes") {
            return try await choose(call, "ATTRIBUTES", get: S3Attributes(call: call).show)
        }
        if call.has("retention") || call.has("legal-hold") {
            _ = try await call.headBucket()
            throw S3Error(.invalidRequest, "Bucket is missing Object Lock Configuration")
        }
        if call.has("restore") { return try await choose(call, "RESTORE", post: S3Attributes(call: call).restore) }
        if call.has("acl") {
            let acls = S3ACLs(call: call)
            return try await choose(call, "ACL", get: acls.showObject, put: acls.setObject)
        }
        if call.has("tagging") {
            let tagging = S3Tagging(call: call)
            return try await choose(
                call, "TAGGING", get: tagging.showObject, put: tagging.setObject, delete: tagging.deleteObject)
        }
        if call.has("uploads") { return try await choose(call, "UPLOADS", post: S3Uploads(call: call).begin) }
        if let id = call.query("uploadId") {
            let uploads = S3Uploads(call: call)
            switch call.http.method {
            case .get: return try await S3UploadListing(call: call).parts(of: id)
            case .put: return try await S3Parts(call: call).upload(to: id)
            case .post: return try await S3UploadCompletion(call: call).complete(id)
            case .delete: return try await uploads.abort(id)
            default: throw notAllowed(call, "UPLOAD")
            }
        }
        let objects = S3Objects(call: call)
        switch call.http.method {
        case .get, .head: return try await objects.read()
        case .put:
            return call.header("x-amz-copy-source") == nil
                ? try await objects.put() : try await S3Copies(call: call).copy()
        case .delete: return try await objects.delete()
        default: throw notAllowed(call, "OBJECT")
        }
    }

    private typealias Operation = () async throws -> SwiftResponse

    private static func choose(
        _ call: S3Call, _ resource: String, get: Operation? = nil, put: Operation? = nil, post: Operation? = nil,
        delete: Operation? = nil
    ) async throws -> SwiftResponse {
        let operation: Operation? =
            switch call.http.method {
            case .get, .head: get
            case .put: put
            case .post: post
            case .delete: delete
            default: nil
            }
        guard let operation else { throw notAllowed(call, resource) }
        return try await operation()
    }

    static func notAllowed(_ call: S3Call, _ resource: String) -> S3Error {
        S3Error(.methodNotAllowed, nil, [("Method", call.http.method.rawValue), ("ResourceType", resource)])
    }
}

// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import ObjectStorageCore

/// Small settings of a bucket, and the plain truth about those that there are none of.
struct S3BucketSettings: Sendable {
    private static let maximumBodyBytes = 64 * 1024
    /// What one header of a container may hold.
    private static let maximumKeptBytes = 8192

    let call: S3Call

    /// Keeps `text` with the bucket; empty takes it away.
    func keep(_ name: String, _ text: String) async throws(S3Error) {
        guard text.utf8.count <= Self.maximumKeptBytes else {
            throw S3Error(.invalidRequest, "The configuration is larger than \(Self.maximumKeptBytes) bytes.")
        }
        try call.check(await call.ask(.post, call.bucketPath, headers: SwiftHeaders([name: text])), call.bucketPath)
    }

    func location() async throws -> SwiftResponse {
        _ = try await call.headBucket()
        // The first region of all is told by silence.
        let region = call.config.region == "us-east-1" ? "" : call.config.region
        var writer = XMLWriter()
        writer.element("LocationConstraint", namespace: S3Text.namespace) { $0.text(region) }
        return call.reply(writer.bytes)
    }

    // MARK: CORS

    func showCORS() async throws -> SwiftResponse {
        let headers = try await call.headBucket()
        guard let cors = S3CORS(kept: headers[S3Header.bucketCORS]), !cors.rules.isEmpty else {
            throw S3Error(.noSuchCORSConfiguration, nil, [("BucketName", call.bucketName)])
        }
        let bytes = XMLWriter.document("CORSConfiguration", namespace: S3Text.namespace) { writer in
            for rule in cors.rules {
                writer.element("CORSRule") { writer in
                    if let id = rule.id { writer.element("ID", id) }
                    for header in rule.headers { writer.element("AllowedHeader", header) }
                    for method in rule.methods { writer.element("AllowedMethod", method) }
                    for origin in rule.origins { writer.element("AllowedOrigin", origin) }
                    for header in rule.exposed { writer.element("ExposeHeader", header) }
                    if let seconds = rule.maxAgeSeconds { writer.element("MaxAgeSeconds", seconds) }
                }
            }
        }
        return call.reply(bytes)
    }

    func setCORS() async throws -> SwiftResponse {
        guard let document = try await call.document(limit: Self.maximumBodyBytes) else { throw S3Error(.malformedXML) }
        try await keep(S3Header.bucketCORS, try S3CORS(document).text)
        return call.done(headers: ["content-length": "0"])
    }

    func deleteCORS() async throws -> SwiftResponse {
        try await keep(S3Header.bucketCORS, "")
        return call.done(204)
    }

    // MARK: Public access and ownership

    func showPublicAccess() async throws -> SwiftResponse {
        guard let kept = try await kept(S3Header.publicAccess) else {
            throw S3Error(.noSuchPublicAccessBlock, nil, [("BucketName", call.bucketName)])
        }
        let access = S3PublicAccess(kept: kept)
        return call.reply(
            XMLWriter.document("PublicAccessBlockConfiguration", namespace: S3Text.namespace) { writer in
                for setting in S3PublicAccess.Setting.allCases {
                    writer.element(dynamic: setting.rawValue, access.settings.contains(setting) ? "true" : "false")
                }
            })
    }

    func setPublicAccess() async throws -> SwiftResponse {
        let access = try S3PublicAccess(try await document())
        let bucket = try await call.headBucket()
        // What is open already would stay open.
        if access.settings.contains(.ignoreACLs),
            S3ACL(read: bucket["x-container-read"], write: bucket["x-container-write"]).isPublic
        {
            throw S3Error.notImplemented("The bucket has a public ACL, which cannot be ignored: take it away first.")
        }
        try await keep(S3Header.publicAccess, access.text)
        return call.done(headers: ["content-length": "0"])
    }

    func deletePublicAccess() async throws -> SwiftResponse {
        try await keep(S3Header.publicAccess, "")
        return call.done(204)
    }

    func showOwnership() async throws -> SwiftResponse {
        guard let ownership = S3Ownership(kept: try await kept(S3Header.ownership)) else {
            throw S3Error(.ownershipControlsNotFound, nil, [("BucketName", call.bucketName)])
        }
        return call.reply(
            XMLWriter.document("OwnershipControls", namespace: S3Text.namespace) { writer in
                writer.element("Rule") { $0.element("ObjectOwnership", ownership.rawValue) }
            })
    }

    func setOwnership() async throws -> SwiftResponse {
        let ownership = try S3Ownership(try await document())
        let bucket = try await call.headBucket()
        let acl = S3ACL(read: bucket["x-container-read"], write: bucket["x-container-write"])
        guard ownership != .enforced || acl.grants.isEmpty else { throw S3Error(.invalidBucketACLWithOwnership) }
        try await keep(S3Header.ownership, ownership.rawValue)
        return call.done(headers: ["content-length": "0"])
    }

    func deleteOwnership() async throws -> SwiftResponse {
        try await keep(S3Header.ownership, "")
        return call.done(204)
    }

    private func kept(_ name: String) async throws(S3Error) -> String? {
        try await call.headBucket()[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private func document() async throws -> XMLElement {
        guard let document = try await call.document(limit: Self.maximumBodyBytes) else { throw S3Error(.malformedXML) }
        return document
    }
}

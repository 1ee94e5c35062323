// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import SecurityKit

/// Buckets as a whole: listed, made, asked for, removed.
struct S3Buckets: Sendable {
    private static let maximumPages = 100
    private static let maximumBodyBytes = 10_240

    let call: S3Call

    /// Containers whose names S3 can say; parts of large objects are kept from view.
    func list() async throws -> SwiftResponse {
        let limit = try call.number("max-buckets", or: Int(Int32.max))
        guard limit > 0 else {
            throw S3Error.invalidArgument("max-buckets", "0", "max-buckets must be an integer between 1 and 10000")
        }
        var rows: [ContainerRow] = []
        var marker = try self.marker()
        let account = ObjectPath(account: call.account)
        let prefix = call.query("prefix") ?? ""
        for _ in 0..<Self.maximumPages where rows.count <= limit {
            let query = [("marker", marker)] + (prefix.isEmpty ? [] : [("prefix", prefix)])
            let response = await call.ask(.get, account, query: query.map { (name: $0.0, value: $0.1) })
            if response.status == 404 { break }
            try call.check(response, account)
            guard case .listing(let listing) = response.body, let last = listing.items.last else { break }
            for case .container(let row, _) in listing.items where S3BucketName.isReachable(row.name) {
                rows.append(row)
            }
            marker = last.name
        }
        let isTruncated = rows.count > limit
        rows = Array(rows.prefix(limit))
        let bytes = XMLWriter.document("ListAllMyBucketsResult", namespace: S3Text.namespace) { writer in
            call.owner.write("Owner", &writer)
            writer.element("Buckets") { writer in
                for row in rows {
                    writer.element("Bucket") { writer in
                        writer.element("Name", row.name)
                        writer.element("CreationDate", S3Text.time(row.putTime))
                        writer.element("BucketRegion", call.config.region)
                    }
                }
            }
            if isTruncated, let last = rows.last {
                writer.element("ContinuationToken", Base64.encode(Array(last.name.utf8)))
            }
            if !prefix.isEmpty { writer.element("Prefix", prefix) }
        }
        return call.reply(bytes)
    }

    private func marker() throws(S3Error) -> String {
        guard let token = call.query("continuation-token") else { return "" }
        guard let bytes = Base64.decode(token), let name = String(validating: bytes, as: UTF8.self) else {
            throw .invalidArgument("continuation-token", token, "The continuation token provided is incorrect")
        }
        return name
    }

    func head() async throws -> SwiftResponse {
        _ = try await call.headBucket()
        return call.done(headers: ["x-amz-bucket-region": call.config.region, "content-length": "0"])
    }

    func create() async throws -> SwiftResponse {
        let name = call.bucketName
        var tags: S3Tags?
        if let document = try await call.document(limit: Self.maximumBodyBytes) {
            guard document.name == "CreateBucketConfiguration" else { throw S3Error(.malformedXML) }
            let region = document.value("LocationConstraint") ?? ""
            guard region.isEmpty || region.asciiLowercased() == call.config.region.asciiLowercased() else {
                throw S3Error(.invalidLocationConstraint, nil, [("LocationConstraint", region)])
            }
            if let set = document["Tags"] {
                tags = try S3Tags(
                    XMLElement("Tagging", children: [XMLElement("TagSet", children: set.children)]),
                    maximum: S3Tags.maximumOfBucket)
            }
        }
        guard S3BucketName.isFitForHost(name) else {
            throw S3Error(.invalidBucketName, nil, [("BucketName", name)])
        }
        if call.header("x-amz-bucket-object-lock-enabled")?.asciiLowercased() == "true" {
            throw S3Error.notImplemented("Object Lock is not supported.")
        }
        var headers = SwiftHeaders()
        if let word = call.header("x-amz-object-ownership") {
            headers[S3Header.ownership] = try S3Ownership(word: word).rawValue
        }
        headers[S3Header.bucketTags] = tags?.text
        if let acl = try S3ACLs(call: call).ofHeaders() {
            guard acl.grants.isEmpty || headers[S3Header.ownership] != S3Ownership.enforced.rawValue else {
                throw S3Error(.invalidBucketACLWithOwnership)
            }
            let (read, write) = try acl.containerACLs()
            headers["x-container-read"] = read
            headers["x-container-write"] = write
        }
        return try await call.writes.inTurn(call.bucketPath) { try await put(name, headers) }
    }

    private func put(_ name: String, _ headers: SwiftHeaders) async throws -> SwiftResponse {
        let known = await call.ask(.head, call.bucketPath)
        if known.isSuccess { throw S3Error(.bucketAlreadyOwnedByYou, nil, [("BucketName", name)]) }
        let response = await call.ask(.put, call.bucketPath, headers: headers)
        try call.check(response, call.bucketPath)
        guard response.status == 201 else { throw S3Error(.bucketAlreadyOwnedByYou, nil, [("BucketName", name)]) }
        return call.done(headers: ["location": "/" + name, "content-length": "0"])
    }

    func delete() async throws -> SwiftResponse {
        try await call.writes.inTurn(call.bucketPath, remove)
    }

    private func remove() async throws -> SwiftResponse {
        let headers = try await call.headBucket()
        guard headers["x-container-object-count"].flatMap(Int.init) ?? 0 == 0 else { throw notEmpty(headers) }
        // The store alone knows whether versions are left, which need their parts: those go last.
        let response = await call.ask(.delete, call.bucketPath)
        if response.status == 409 { throw notEmpty(headers) }
        try call.check(response, call.bucketPath)
        try await deleteSegments()
        return call.done(204)
    }

    private func notEmpty(_ headers: SwiftHeaders) -> S3Error {
        let isVersioned = headers[S3Header.versionsEnabled] != nil
        let hint = " You must delete all versions in the bucket."
        return S3Error(
            .bucketNotEmpty, "The bucket you tried to delete is not empty" + (isVersioned ? "." + hint : ""),
            [("BucketName", call.bucketName)])
    }

    /// Uploads that were begun and never completed go with the bucket; what a new one of that name has is its own.
    private func deleteSegments() async throws {
        let path = call.segmentsPath
        while await call.ask(.head, call.bucketPath).status == 404 {
            let response = await call.ask(.get, path)
            if response.status == 404 { return }
            try call.check(response, path)
            guard case .listing(let listing) = response.body, !listing.items.isEmpty else {
                let deleted = await call.ask(.delete, path)
                guard deleted.isSuccess || deleted.status == 404 else { throw S3Error(.serviceUnavailable) }
                return
            }
            for item in listing.items {
                let deleted = await call.ask(.delete, path.appending(item.name))
                guard deleted.isSuccess || deleted.status == 404 else { throw S3Error(.serviceUnavailable) }
            }
        }
    }
}

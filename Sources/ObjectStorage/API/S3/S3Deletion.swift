// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Removes objects: a large one with its parts, a version by its name. What is not there is removed already.
struct S3Deletion: Sendable {
    private static let markerType = "application/x-deleted"

    let call: S3Call

    struct Outcome: Sendable {
        /// The version that was removed or, of a marker, made.
        var version: String?
        /// A marker was made, or was what was removed.
        var isMarker = false
    }

    func delete(_ key: String, version: String?, bucket known: SwiftHeaders? = nil) async throws -> Outcome {
        let path = call.bucketPath.appending(key)
        let bucket: SwiftHeaders
        if let known { bucket = known } else { bucket = try await call.headBucket() }
        let hasVersions = bucket[S3Header.versionsEnabled] != nil
        guard let version else {
            // What is only hidden behind a marker keeps its parts.
            guard bucket.isTrue(S3Header.versionsEnabled) else {
                try await remove(path, query: [])
                return Outcome()
            }
            let response = await call.ask(.delete, path)
            let made = response.headers["x-object-version-id"]
            if response.status != 404 || made == nil { try call.check(response, path) }
            return Outcome(version: made, isMarker: made != nil)
        }
        // A bucket that never had versions has nothing of that name.
        guard version == "null" || hasVersions else { return Outcome(version: version) }
        guard version == "null" || WriteTime(version) != nil else { throw S3Error.noSuchVersion(key, version) }
        let isMarker = hasVersions && version != "null" ? try await isMarker(path, version) : false
        let response = try await remove(path, query: [("version-id", version), ("symlink", "get")])
        if hasVersions, response != nil, try await isWithoutCurrent(path, response) { try await restore(path, key) }
        return Outcome(version: version, isMarker: isMarker)
    }

    private func isMarker(_ path: ObjectPath, _ version: String) async throws -> Bool {
        let head = await call.ask(.head, path, query: [("version-id", version)])
        await head.drop()
        return head.status == 404 && head.headers["x-object-version-id"] != nil
    }

    /// Whether no version is current: the layer of versions says so, the bulk deleter of large objects does not.
    private func isWithoutCurrent(_ path: ObjectPath, _ response: SwiftResponse?) async throws -> Bool {
        if let current = response?.headers["x-object-current-version-id"], current != "null" { return false }
        let head = await call.ask(.head, path, query: [("symlink", "get")])
        await head.drop()
        return head.status == 404
    }

    /// Nil: there was nothing.
    @discardableResult
    private func remove(_ path: ObjectPath, query: [(name: String, value: String)]) async throws -> SwiftResponse? {
        var query = query
        // A link is removed, not what it leads to.
        let head = await call.ask(.head, path, query: query.filter { $0.name != "symlink" } + [("symlink", "get")])
        await head.drop()
        let isLarge = head.isSuccess && head.headers.isTrue("x-static-large-object")
        if isLarge { query.append(("multipart-manifest", "delete")) }
        let response = await call.ask(.delete, path, query: query)
        // The bulk deleter says what it did in its body.
        if isLarge, response.isSuccess { _ = try await response.collect(limit: 1 << 20) }
        if response.status == 404 { return nil }
        try call.check(response, path)
        return response
    }

    /// With the newest version gone, the one before it is current again, unless that is a marker, too.
    private func restore(_ path: ObjectPath, _ key: String) async throws {
        let items = try await call.list(
            call.bucketPath, query: [("prefix", key), ("versions", "true"), ("format", "json"), ("limit", "2")])
        for case .object(let object) in items where object.name.isByteEqual(to: key) {
            guard !object.contentType.hasBytePrefix(Self.markerType),
                let version = object.extras.first(where: { $0.name == "version_id" })?.value.string, version != "null"
            else { return }
            let response = await call.send(.put, path, query: [("version-id", version)], [])
            guard response.isSuccess || response.status == 404 || response.status == 412 else {
                throw call.fault(response, path)
            }
            return
        }
    }
}

/// `POST ?delete`: up to a thousand at once, each with its own outcome.
struct S3BulkDelete: Sendable {
    private static let maximumKeys = 1000
    private static let maximumBodyBytes = 2 << 20

    let call: S3Call

    private enum Outcome {
        case deleted(key: String, version: String?, S3Deletion.Outcome)
        case failed(key: String, version: String?, S3Error)
    }

    func answer() async throws -> SwiftResponse {
        guard let document = try await call.document(limit: Self.maximumBodyBytes), document.name == "Delete" else {
            throw S3Error(.malformedXML)
        }
        let wanted = document.all("Object")
        guard (1...Self.maximumKeys).contains(wanted.count) else { throw S3Error(.malformedXML) }
        let isQuiet = document.value("Quiet")?.asciiLowercased() == "true"
        let bucket = try await call.headBucket()
        var outcomes: [Outcome] = []
        for element in wanted {
            guard let key = element["Key"]?.text, !key.isEmpty else { throw S3Error(.malformedXML) }
            outcomes.append(
                try await delete(key, element.value("VersionId"), condition: element.value("ETag"), bucket))
        }
        let bytes = XMLWriter.document("DeleteResult", namespace: S3Text.namespace) { writer in
            for outcome in outcomes { write(outcome, isQuiet, &writer) }
        }
        return call.reply(bytes)
    }

    private func delete(
        _ key: String, _ version: String?, condition: String?, _ bucket: SwiftHeaders
    ) async throws -> Outcome {
        let deletion = S3Deletion(call: call)
        do {
            guard let condition else {
                return .deleted(
                    key: key, version: version, try await deletion.delete(key, version: version, bucket: bucket))
            }
            let path = call.bucketPath.appending(key)
            let outcome = try await call.writes.hold(path) {
                try await S3WriteCondition(etag: condition).check(call, path)
                return try await deletion.delete(key, version: version, bucket: bucket)
            }
            return .deleted(key: key, version: version, outcome)
        } catch let error as S3Error {
            return .failed(key: key, version: version, error)
        }
    }

    private func write(_ outcome: Outcome, _ isQuiet: Bool, _ writer: inout XMLWriter) {
        switch outcome {
        case .deleted(let key, let version, let outcome):
            guard !isQuiet else { return }
            writer.element("Deleted") { writer in
                writer.element("Key", key)
                if let version { writer.element("VersionId", version) }
                if outcome.isMarker {
                    writer.element("DeleteMarker", true)
                    if let made = outcome.version { writer.element("DeleteMarkerVersionId", made) }
                }
            }
        case .failed(let key, let version, let error):
            writer.element("Error") { writer in
                writer.element("Key", key)
                if let version { writer.element("VersionId", version) }
                writer.element("Code", error.code.rawValue)
                writer.element("Message", error.message)
            }
        }
    }
}

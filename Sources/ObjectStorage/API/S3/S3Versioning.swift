// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import ObjectStorageCore

/// Whether a bucket keeps what is overwritten: the same switch that the object storage API turns.
struct S3Versioning: Sendable {
    private static let maximumBodyBytes = 10_240

    let call: S3Call

    func show() async throws -> SwiftResponse {
        let headers = try await call.headBucket()
        let setting = headers[S3Header.versionsEnabled] ?? headers["x-versions-enabled"]
        let bytes = XMLWriter.document("VersioningConfiguration", namespace: S3Text.namespace) { writer in
            if let setting { writer.element("Status", SwiftText.isTrue(setting) ? "Enabled" : "Suspended") }
        }
        return call.reply(bytes)
    }

    func set() async throws -> SwiftResponse {
        guard let document = try await call.document(limit: Self.maximumBodyBytes),
            document.name == "VersioningConfiguration"
        else { throw S3Error(.malformedXML) }
        if document.value("MfaDelete") == "Enabled" { throw S3Error.notImplemented("MFA Delete is not supported.") }
        guard let status = document.value("Status"), ["Enabled", "Suspended"].contains(status) else {
            throw S3Error(.illegalVersioningConfiguration)
        }
        let response = await call.ask(
            .post, call.bucketPath, headers: ["x-versions-enabled": status == "Enabled" ? "true" : "false"])
        try call.check(response, call.bucketPath)
        return call.done(headers: ["content-length": "0"])
    }
}

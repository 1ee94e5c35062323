// SPDX-License-Identifier: Apache-2.0
import HTTPKit
import ObjectStorageCore

/// Settings of a bucket that are not built. A read says that there is none, a removal that it is gone, a write of what
/// is so anyway is taken; whoever wants another learns that there is none to be had.
struct S3AbsentSettings: Sendable {
    private static let maximumBodyBytes = 64 * 1024
    /// Of these there may be many, each with an id.
    private static let lists: [String: (list: StaticString, what: String)] = [
        "analytics": ("ListBucketAnalyticsConfigurationResult", "Analytics"),
        "intelligent-tiering": ("ListBucketIntelligentTieringConfigurationsResult", "Intelligent-Tiering"),
        "inventory": ("ListInventoryConfigurationsResult", "Inventory"),
        "metrics": ("ListMetricsConfigurationsResult", "Metrics"),
    ]

    static let words: Set<String> = Set(lists.keys).union([
        "abac", "accelerate", "encryption", "lifecycle", "logging", "metadataConfiguration", "metadataTable",
        "notification", "object-lock", "policy", "policyStatus", "replication", "requestPayment", "session", "website",
    ])

    let call: S3Call

    func answer(_ word: String) async throws -> SwiftResponse {
        switch call.http.method {
        case .get, .head:
            _ = try await call.headBucket()
            return try show(word)
        case .delete: return try await remove(word)
        case .put:
            _ = try await call.headBucket()
            guard try await saysNothing(word) else { throw notBuilt(word) }
            return call.done(headers: ["content-length": "0"])
        default: throw notBuilt(word)
        }
    }

    private func notBuilt(_ word: String) -> S3Error {
        .notImplemented("A parameter implies functionality that is not implemented: \(word)")
    }

    private func show(_ word: String) throws(S3Error) -> SwiftResponse {
        let details = [("BucketName", call.bucketName)]
        if let known = Self.lists[word] {
            guard call.query("id") == nil else { throw S3Error(.noSuchConfiguration, nil, details) }
            return empty(known.list) { $0.element("IsTruncated", false) }
        }
        switch word {
        case "policy", "policyStatus": throw S3Error(.noSuchBucketPolicy, nil, details)
        case "lifecycle": throw S3Error(.noSuchLifecycleConfiguration, nil, details)
        case "object-lock": throw S3Error(.objectLockConfigurationNotFound, nil, details)
        case "encryption": throw S3Error(.serverSideEncryptionNotFound, nil, details)
        case "website": throw S3Error(.noSuchWebsiteConfiguration, nil, details)
        case "replication": throw S3Error(.replicationConfigurationNotFound, nil, details)
        case "logging": return empty("BucketLoggingStatus")
        case "notification": return empty("NotificationConfiguration")
        case "accelerate": return empty("AccelerateConfiguration")
        case "requestPayment": return empty("RequestPaymentConfiguration") { $0.element("Payer", "BucketOwner") }
        default: throw notBuilt(word)
        }
    }

    private func empty(_ name: StaticString, _ body: (inout XMLWriter) -> Void = { _ in }) -> SwiftResponse {
        call.reply(XMLWriter.document(name, namespace: S3Text.namespace, body))
    }

    private func remove(_ word: String) async throws -> SwiftResponse {
        let removable: Set<String> = ["encryption", "lifecycle", "policy", "replication", "website"]
        _ = try await call.headBucket()
        if Self.lists[word] != nil { throw S3Error(.noSuchConfiguration, nil, [("BucketName", call.bucketName)]) }
        guard removable.contains(word) else { throw S3Operations.notAllowed(call, word.uppercased()) }
        return call.done(204)
    }

    /// Whether a document asks for no more than what is so anyway.
    private func saysNothing(_ word: String) async throws -> Bool {
        guard ["logging", "notification", "requestPayment", "accelerate"].contains(word) else { return false }
        guard let document = try await call.document(limit: Self.maximumBodyBytes) else { throw S3Error(.malformedXML) }
        switch word {
        case "logging", "notification": return document.children.isEmpty
        case "requestPayment": return document.value("Payer") == "BucketOwner"
        default: return document.value("Status") == "Suspended"
        }
    }
}

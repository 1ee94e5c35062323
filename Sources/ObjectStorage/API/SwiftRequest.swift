// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// A request of the object storage API as it passes through the pipeline. Each layer may change it for those behind it.
package struct SwiftRequest: Sendable {
    package var method: HTTPMethod
    package var version = "v1"
    package var path: ObjectPath
    /// `/v1/account/container/…`, decoded, as it came: with the slash at its end, if it has one.
    package var pathText = ""
    package var query: [(name: String, value: String)]
    package var headers: SwiftHeaders
    package var body: any ByteSource
    /// Nil: the body ends where it ends.
    package var contentLength: Int64?
    package var caller = StorageCaller.anonymous
    package var remoteAddress = ""
    package var transactionID = ""
    /// Where this cloud answers, as its users reach it: `https://cloud.example`.
    package var origin = ""
    /// What stood before the version in the path: `/object-store`, or nothing.
    package var mount = ""
    /// A feature's own step: it may name containers and objects that no client can.
    package var allowsReservedNames = false
    /// Who asked for a link that a feature makes in the store's name; nil: `caller`.
    package var linkCaller: StorageCaller?
    /// The time of the write, where a feature or another cluster says it. Nil: now.
    package var time: WriteTime?
    /// A body of a copy or of a manifest, whose content type a feature chose.
    package var hasChosenType = false
    /// System metadata of the new object that is known when its body has come, such as a checksum.
    package var lateSystem: (@Sendable () -> [String: String])?
    /// Shared by all steps of a request.
    package let seen = SeenContainers()

    package init(
        method: HTTPMethod, path: ObjectPath, query: [(name: String, value: String)] = [], headers: SwiftHeaders = [:],
        body: any ByteSource = EmptySource(), contentLength: Int64? = 0
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.contentLength = contentLength
    }

    package var isRead: Bool { method == .get || method == .head }
    package var isObject: Bool { path.object != nil }
    package var isContainer: Bool { path.container != nil && path.object == nil }
    package var isAccount: Bool { path.container == nil }

    /// The last value of a parameter; an empty one when it has none.
    package func parameter(_ name: String) -> String? { query.last { $0.name == name }?.value }
    package mutating func set(_ name: String, _ value: String?) {
        query.removeAll { $0.name == name }
        if let value { query.append((name, value)) }
    }

    package var referrer: String? { headers["referer"] }

    /// `/v1/AUTH_…/container/object`, as a client names it.
    package var url: String { "/" + version + SwiftText.quoted(path.description) }

    /// A step of this request: the same caller, another method and place, no body.
    package func step(_ method: HTTPMethod, _ path: ObjectPath) -> SwiftRequest {
        var step = self
        step.method = method
        step.path = path
        step.query = []
        step.headers = [:]
        step.headers["referer"] = headers["referer"]
        step.headers["x-newest"] = headers["x-newest"]
        step.headers["x-open-expired"] = headers["x-open-expired"]
        step.body = EmptySource()
        step.contentLength = 0
        step.time = nil
        step.hasChosenType = false
        step.lateSystem = nil
        step.linkCaller = nil
        return step
    }

    /// As `step`, in the store's own name: for what was allowed as part of the whole.
    package func trustedStep(_ method: HTTPMethod, _ path: ObjectPath) -> SwiftRequest {
        var step = step(method, path)
        step.caller = .system
        step.allowsReservedNames = true
        return step
    }

    package mutating func setBody(_ bytes: [UInt8]) {
        body = BytesSource(bytes)
        contentLength = Int64(bytes.count)
        headers["content-length"] = String(bytes.count)
        headers["transfer-encoding"] = nil
    }
}

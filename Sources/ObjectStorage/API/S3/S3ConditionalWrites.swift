// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore
import Synchronization

/// Keys that somebody is writing to on a condition. Of two such writes at once one would not see the other, so the
/// second is refused, as Amazon refuses it, and may be tried again: who takes a lock by `If-None-Match: *` holds it
/// alone. Within this process; another controller's writes are seen when they are done.
final class S3ConditionalWrites: Sendable {
    private let keys = Mutex<Set<ByteText>>([])
    /// Who waits for what somebody holds, first come first.
    private let turns = Mutex<[ByteText: [CheckedContinuation<Void, Never>]]>([:])

    func hold<Result>(_ path: ObjectPath, _ work: () async throws -> Result) async throws -> Result {
        let key = ByteText(path.description)
        guard keys.withLock({ $0.insert(key).inserted }) else { throw S3Error(.conditionalRequestConflict) }
        defer { keys.withLock { _ = $0.remove(key) } }
        return try await work()
    }

    /// Does `work` when nobody else of this process is at `path`: an upload is completed or given up, not both.
    func inTurn<Result>(_ path: ObjectPath, _ work: () async throws -> Result) async throws -> Result {
        let key = ByteText(path.description)
        await withCheckedContinuation { continuation in
            let isFree = turns.withLock { turns in
                guard turns[key] == nil else {
                    turns[key]?.append(continuation)
                    return false
                }
                turns[key] = []
                return true
            }
            if isFree { continuation.resume() }
        }
        defer { pass(key) }
        return try await work()
    }

    private func pass(_ key: ByteText) {
        let following = turns.withLock { turns -> CheckedContinuation<Void, Never>? in
            guard var waiting = turns[key], !waiting.isEmpty else {
                turns[key] = nil
                return nil
            }
            let first = waiting.removeFirst()
            turns[key] = waiting
            return first
        }
        following?.resume()
    }
}

/// What must be there, or must not, for a write or a removal to happen.
struct S3WriteCondition: Sendable {
    private enum Kind: Sendable {
        case absent
        case matches(EntityTags)
    }
    private let kind: Kind

    /// Nil: the request has no condition.
    init?(_ call: S3Call) throws(S3Error) {
        guard call.header("If-Modified-Since") == nil, call.header("If-Unmodified-Since") == nil else {
            throw .notImplemented("Conditional writes are by ETag alone.")
        }
        let (tags, others) = (call.header("If-Match"), call.header("If-None-Match"))
        switch (tags, others) {
        case (nil, nil): return nil
        case (let tags?, nil): kind = .matches(try Self.tags(tags))
        case (nil, let others?):
            guard others.trimmed == "*" else {
                throw .notImplemented("Writes that depend on another ETag than * not being there are not supported.")
            }
            kind = .absent
        case (_?, _?): throw S3Error(.invalidRequest, "If-Match and If-None-Match do not go together.")
        }
    }

    init(etag: String) throws(S3Error) { kind = .matches(try Self.tags(etag)) }

    private static func tags(_ text: String) throws(S3Error) -> EntityTags {
        guard let tags = EntityTags(text), tags.tags.count == 1 else { throw .invalidArgument("If-Match", text) }
        return tags
    }

    /// Throws where the condition does not hold for what is current.
    func check(_ call: S3Call, _ path: ObjectPath) async throws {
        let head = await call.ask(.head, path)
        await head.drop()
        guard head.isSuccess else {
            guard head.status == 404 else { return try call.check(head, path) }
            _ = try await call.headBucket()
            guard case .matches = kind else { return }
            throw S3Error.noSuchKey(path.object ?? "")
        }
        guard case .matches(let tags) = kind, tags.matches(Self.etag(head)) else {
            let name = if case .absent = kind { "If-None-Match" } else { "If-Match" }
            throw S3Error(.preconditionFailed, nil, [("Condition", name)])
        }
    }

    /// As S3 shows it.
    static func etag(_ head: SwiftResponse) -> String {
        if let own = head.headers[S3Header.etag], !own.isEmpty { return own }
        let etag = head.etag ?? ""
        return head.headers.isTrue("x-static-large-object") ? etag + "-N" : etag
    }
}

extension S3Call {
    /// Does `work` under the request's condition, if it has one.
    func conditionally<Result>(_ work: () async throws -> Result) async throws -> Result {
        guard let condition = try S3WriteCondition(self) else { return try await work() }
        return try await writes.hold(keyPath) {
            try await condition.check(self, keyPath)
            return try await work()
        }
    }
}

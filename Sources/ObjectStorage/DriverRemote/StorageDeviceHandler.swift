// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import SecurityKit
import Synchronization

/// Serves the devices of this host to `RemoteDevice`s of others that have the cluster's key.
///
/// Whoever lacks the key learns nothing but that: 401. Nothing is encrypted: the network between the hosts of a cloud
/// is the cloud's own.
package final class StorageDeviceHandler: HTTPHandler {
    private let endpoint: String
    let key: ClusterKey
    private let clock: WallClock
    private let devices = Mutex<[String: any StorageDevice]>([:])
    private let nonces = Mutex(NonceWindow())
    private let lastWarning = Mutex<Timestamp?>(nil)
    let handles: OpenHandles
    private let log = Logger("object-storage")

    /// `endpoint` is what the rings call this host, `ADDRESS:PORT`: requests that mean another host are refused.
    package init(endpoint: String, key: ClusterKey, clock: WallClock = .system) {
        self.endpoint = endpoint
        self.key = key
        self.clock = clock
        handles = OpenHandles(clock: clock)
    }

    // MARK: Devices

    /// Serves a device under the path that the rings have for it, instead of an older one of that path.
    package func attach(_ device: any StorageDevice, path: String) { devices.withLock { $0[path] = device } }

    /// Until it comes back, calls for it answer `.unavailable`. What is open of it stays open.
    package func detach(path: String) { devices.withLock { $0[path] = nil } }

    /// Closes objects that nobody has read of for some minutes. To be called now and then.
    package func closeIdleObjects() async { await handles.closeIdle() }

    // MARK: Requests

    package func handle(_ request: HTTPRequest) async -> HTTPResponse {
        let signature: RequestSignature
        do {
            signature = try authenticate(request)
        } catch {
            warn(request, error)
            // Not signed: there is nobody yet whom to prove anything.
            return Self.failure(error)
        }
        var response: HTTPResponse
        do {
            response = try await answer(request, signature)
        } catch {
            response = Self.failure(error)
            if response.status == 500 {
                log.error("storage call failed", ["path": request.path.prefix(512), "error": "\(error)"])
            }
        }
        var signed: [UInt8] = []
        if case .bytes(let bytes) = response.body { signed = bytes }
        response.headers.set(
            RequestSignature.answerHeader, signature.answerSignature(key, status: response.status, signed))
        return response
    }

    private func authenticate(_ request: HTTPRequest) throws -> RequestSignature {
        guard let header = request.headers["Authorization"], let signature = RequestSignature(header: header) else {
            throw Self.refused("no signature")
        }
        // It is not signed.
        guard request.query.isEmpty else { throw Self.refused("a query") }
        guard signature.isRight(key, endpoint: endpoint, method: request.method, path: request.path) else {
            throw Self.refused("wrong key, or a request for another host than \(endpoint)")
        }
        let now = clock.now().seconds
        // After the signature: nobody else may fill the window.
        switch nonces.withLock({ $0.admit(signature.nonce, at: signature.seconds, now: now) }) {
        case .new: return signature
        case .stale: throw Self.refused("a request of \(signature.seconds), now is \(now)")
        case .repeated: throw Self.refused("a request that came before")
        case .tooMany: throw CloudError(.unavailable, "The storage host is busy.", cause: "too many requests")
        }
    }

    private static func refused(_ cause: String) -> CloudError {
        CloudError(
            .unauthorized,
            "The request is not signed with the cluster's key, is not for this host, or its clock is wrong.",
            cause: cause)
    }

    /// Once a second at most: who is refused may try often.
    private func warn(_ request: HTTPRequest, _ error: any Error) {
        let now = clock.now()
        let isDue = lastWarning.withLock { last in
            if let last, now - last < .seconds(1), now >= last { return false }
            last = now
            return true
        }
        guard isDue else { return }
        log.warning("storage request refused", ["from": request.remoteAddress, "error": "\(error)"])
    }

    /// `cause` is told as well: it is for the log of the other host, which has the key, or of no use to anyone else.
    private static func failure(_ error: any Error) -> HTTPResponse {
        var told = CloudError(describing: error)
        if error is CancellationError { told = CloudError(.unavailable, "The storage host is stopping.") }
        if told.code == .unauthorized { told = CloudError(.unauthorized, told.message) }
        let body: [UInt8]
        do {
            body = try JSONValueEncoder.bytes(told)
        } catch {
            body = []
        }
        return .json(told.code.httpStatus, body)
    }

    private func answer(_ request: HTTPRequest, _ signature: RequestSignature) async throws -> HTTPResponse {
        guard let (path, parts) = StorageWire.split(request.path) else {
            throw CloudError(.bug, "The server could not complete the request.", cause: "path \(request.path)")
        }
        let content = try await content(of: request)
        guard signature.covers(content) else {
            throw CloudError(.unavailable, "The request was damaged on the way.", cause: "another content")
        }
        let isObject = parts[0] == StorageWire.objectsName
        if isObject, parts.count == 2, request.method == .delete {
            await handles.take(String(parts[1]))?.close()
            return .noContent()
        }
        guard let device = devices.withLock({ $0[path] }) else {
            throw CloudError(.unavailable, "The storage device is not available.", cause: "\(path) is not open here")
        }
        switch (request.method, parts.count) {
        case (.put, 1) where isObject:
            let call: BeginObject = try Self.decode(content)
            try await takeObject(call, device, request.body, signature)
            return .noContent()
        case (.get, 3) where isObject:
            return try await bytes(of: String(parts[1]), range: parts[2])
        case (.post, 1) where parts[0] == StorageWire.openName:
            let call: OpenObjectCall = try Self.decode(content)
            return try await open(call.location, device)
        case (.post, 1):
            guard let type = StorageCalls.byName[String(parts[0])] else {
                throw CloudError(.notImplemented, "The storage host does not know the call.", cause: "\(parts[0])")
            }
            return .json(try await Self.perform(type, content, device))
        default:
            throw CloudError(
                .bug, "The server could not complete the request.", cause: "\(request.method) \(request.path)")
        }
    }

    /// What the signature covers.
    private func content(of request: HTTPRequest) async throws -> [UInt8] {
        if request.method == .post { return try await request.body.collect(limit: StorageWire.callBytes) }
        guard let text = request.headers[RequestSignature.callHeader] else { return [] }
        guard let bytes = Base64.decode(text, .urlSafe) else {
            throw CloudError.badRequest("The call is not readable.")
        }
        return bytes
    }

    private static func perform<Call: StorageCall>(
        _: Call.Type, _ content: [UInt8], _ device: any StorageDevice
    ) async throws -> [UInt8] {
        let call: Call = try decode(content)
        return try JSONValueEncoder.bytes(try await call.perform(device))
    }

    static func decode<T: Decodable>(_ content: [UInt8]) throws -> T {
        do {
            return try JSONValueDecoder.decode(T.self, from: content)
        } catch {
            throw CloudError(.badRequest, "The call is not readable.", cause: "\(T.self): \(error)")
        }
    }
}

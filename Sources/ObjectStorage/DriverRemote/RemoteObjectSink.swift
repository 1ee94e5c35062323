// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import ObjectStorageContract
import Synchronization

/// One object on its way to a device of another host. It is one request: a connection that breaks commits nothing.
final class RemoteObjectSink: ObjectSink {
    /// Pieces up to here are sent together with their frame's head.
    private static let joinedBytes = 64 << 10

    private enum Phase { case open, failed, committed, aborted }

    private let device: RemoteDevice
    private let upload: HTTPUpload
    private let signature: RequestSignature
    private let phase = Mutex(Phase.open)

    private init(_ device: RemoteDevice, _ upload: HTTPUpload, _ signature: RequestSignature) {
        self.device = device
        self.upload = upload
        self.signature = signature
    }

    /// Returns when the device has begun the object, too: until then the other host does not ask for the body.
    static func begin(_ device: RemoteDevice, _ call: BeginObject) async throws -> RemoteObjectSink {
        let path = StorageWire.path(device.path, StorageWire.objectsName)
        let content = try JSONValueEncoder.bytes(call)
        var (request, signature) = device.signed(.put, path, content: content, isInHeader: true)
        request.awaitsContinue = true
        let upload = try await device.reach { [request] in try await device.client.upload(request) }
        let sink = RemoteObjectSink(device, upload, signature)
        // A refusal is an answer that came before the body was asked for.
        if upload.isAnswered { throw try await sink.refusal() }
        return sink
    }

    func write(_ bytes: [UInt8]) async throws {
        guard !bytes.isEmpty else { return }
        let current = phase.withLock { $0 }
        guard current == .open else { throw Self.ended(current) }
        do {
            var isWanted: Bool
            let head = ObjectFrame.head(ObjectFrame.piece, bytes.count)
            if bytes.count <= Self.joinedBytes {
                isWanted = try await offer(head + bytes)
            } else {
                isWanted = try await offer(head)
                if isWanted { isWanted = try await offer(bytes) }
            }
            if !isWanted { throw try await refusal() }
        } catch {
            fail()
            throw error
        }
    }

    func commit(_ record: ObjectRecord) async throws {
        let previous = phase.withLock { phase in
            defer { if phase == .open { phase = .failed } }
            return phase
        }
        if previous == .committed { return }
        guard previous == .open else { throw Self.ended(previous) }
        do {
            let content = try JSONValueEncoder.bytes(record)
            let proof = signature.commitSignature(device.key, content)
            let frame = ObjectFrame.head(ObjectFrame.commit, proof.count + content.count) + proof + content
            guard proof.count + content.count <= ObjectFrame.commitBytes else {
                throw CloudError(.bug, "The server could not complete the request.", cause: "a record too long")
            }
            _ = try await offer(frame)
            let response = try await device.reach { try await upload.finish() }
            _ = try await device.answer(response, signature)
            phase.withLock { $0 = .committed }
        } catch {
            upload.cancel()
            throw error
        }
    }

    func abort() async {
        phase.withLock { if $0 != .committed { $0 = .aborted } }
        upload.cancel()
    }

    private func offer(_ bytes: [UInt8]) async throws -> Bool {
        try await device.reach { try await upload.write(bytes) }
    }

    private func fail() {
        phase.withLock { if $0 == .open { $0 = .failed } }
        upload.cancel()
    }

    /// Why the other host wants no more.
    private func refusal() async throws -> CloudError {
        let response = try await device.reach { try await upload.finish() }
        do {
            _ = try await device.answer(response, signature)
            return device.away("it answered \(response.status) before the end of the object")
        } catch let error as CloudError {
            return error
        }
    }

    private static func ended(_ phase: Phase) -> CloudError {
        CloudError(.bug, "The server could not complete the request.", cause: "object sink used when \(phase)")
    }
}

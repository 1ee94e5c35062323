// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import ObjectStorageContract
import Synchronization

/// An object that is open on another host. A small one is here whole; of a larger one the host keeps the file open.
final class RemoteOpenObject: OpenObject {
    private enum Source {
        case bytes([UInt8])
        /// Named by the host.
        case handle(String)
        case closed
    }

    let record: ObjectRecord
    private let device: RemoteDevice
    private let location: StorageLocation
    private let source: Mutex<Source>

    private init(_ device: RemoteDevice, _ location: StorageLocation, _ record: ObjectRecord, _ source: Source) {
        self.device = device
        self.location = location
        self.record = record
        self.source = Mutex(source)
    }

    deinit { end() }

    static func open(_ device: RemoteDevice, _ location: StorageLocation) async throws -> RemoteOpenObject? {
        guard let (record, source) = try await opened(device, location) else { return nil }
        return RemoteOpenObject(device, location, record, source)
    }

    private static func opened(
        _ device: RemoteDevice, _ location: StorageLocation
    ) async throws -> (ObjectRecord, Source)? {
        let path = StorageWire.path(device.path, StorageWire.openName)
        let call = try JSONValueEncoder.bytes(OpenObjectCall(location: location))
        let answer = try await device.exchange(path, call, within: RemoteDevice.answerTime)
        let length = answer.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard answer.count >= 4 + length else { throw device.away("an open object without its record") }
        let opened: OpenedObject
        do {
            opened = try JSONValueDecoder.decode(OpenedObject.self, from: Array(answer[4..<4 + length]))
        } catch {
            throw device.away("an open object is not understood: \(error)")
        }
        guard let record = opened.record else { return nil }
        if let handle = opened.handle { return (record, .handle(handle)) }
        let bytes = Array(answer[(4 + length)...])
        guard Int64(bytes.count) == record.sizeBytes else { throw device.away("an object is not whole") }
        return (record, .bytes(bytes))
    }

    func body(_ range: Range<Int64>) async throws -> ObjectBody {
        guard range.lowerBound >= 0, range.upperBound <= record.sizeBytes else {
            throw CloudError(
                .bug, "The server could not complete the request.",
                cause: "range \(range) of \(record.sizeBytes) bytes")
        }
        switch source.withLock({ $0 }) {
        case .closed: throw CloudError(.bug, "The object was closed.")
        case .bytes(let bytes):
            return .stream(RemoteBytes(Array(bytes[Int(range.lowerBound)..<Int(range.upperBound)])))
        case .handle where range.isEmpty: return .stream(RemoteBytes([]))
        case .handle(let handle):
            do {
                return .stream(try await read(handle, range))
            } catch let error as CloudError where error.code == .notFound {
                // The host has closed it: it was restarted, or nobody read for long.
                return .stream(try await read(reopened(), range))
            }
        }
    }

    /// Returns when the host has found the bytes: what is there from now on does not need the handle any more.
    private func read(_ handle: String, _ range: Range<Int64>) async throws -> RemoteByteStream {
        let path = StorageWire.path(
            device.path, StorageWire.objectsName, handle, "\(range.lowerBound)-\(range.upperBound)")
        let (request, signature) = device.signed(.get, path)
        let response = try await device.reach { try await device.client.send(request) }
        try await device.checkHead(response, signature)
        return RemoteByteStream(device: device, body: response.body, count: Int64(range.count))
    }

    private func reopened() async throws -> String {
        let replaced = device.away("the object was replaced while it was read")
        guard let (record, source) = try await Self.opened(device, location), case .handle(let handle) = source else {
            throw replaced
        }
        guard record.time == self.record.time else {
            dismiss(handle)
            throw replaced
        }
        let isTaken = self.source.withLock { source in
            if case .closed = source { return false }
            source = .handle(handle)
            return true
        }
        guard isTaken else {
            dismiss(handle)
            throw CloudError(.bug, "The object was closed.")
        }
        return handle
    }

    func close() async { end() }

    private func end() {
        let old = source.withLock { source in
            defer { source = .closed }
            return source
        }
        if case .handle(let handle) = old { dismiss(handle) }
    }

    /// Nobody waits for it: the host closes what is forgotten.
    private func dismiss(_ handle: String) {
        let path = StorageWire.path(device.path, StorageWire.objectsName, handle)
        device.client.dispatch(device.signed(.delete, path).0)
    }
}

/// Bytes that are here already.
private final class RemoteBytes: ObjectByteStream {
    private let bytes: Mutex<[UInt8]>
    init(_ bytes: [UInt8]) { self.bytes = Mutex(bytes) }

    func next() async throws -> [UInt8]? {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes.isEmpty ? nil : bytes
        }
    }
}

/// Bytes as they come from the other host: all that were asked for, or a failure.
private final class RemoteByteStream: ObjectByteStream {
    private let device: RemoteDevice
    private let body: any ByteSource
    private let left: Mutex<Int64>

    init(device: RemoteDevice, body: any ByteSource, count: Int64) {
        self.device = device
        self.body = body
        left = Mutex(count)
    }

    func next() async throws -> [UInt8]? {
        let piece = try await device.reach { try await body.next() }
        let rest = left.withLock { left in
            left -= Int64(piece?.count ?? 0)
            return left
        }
        guard rest >= 0, piece != nil || rest == 0 else { throw device.away("an object's bytes are not whole") }
        return piece
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import ObjectStorageContract
import SecurityKit

extension StorageDeviceHandler {
    /// Reads of small objects that come with the answer to `open`.
    private static let readers = BlockingPool("object-inline", threads: 4)

    // MARK: Upload

    /// Nothing is committed unless the last frame has come whole, and the body has ended after it.
    func takeObject(
        _ call: BeginObject, _ device: any StorageDevice, _ body: any ByteSource, _ signature: RequestSignature
    ) async throws {
        // Before the first read, which is what asks for the body.
        let sink = try await device.beginObject(call.location, expecting: call.sizeBytes)
        do {
            var reader = FrameReader()
            var digest = Digest(.md5)
            var sizeBytes: Int64 = 0
            var last: (record: [UInt8], signature: [UInt8])?
            while let bytes = try await body.next() {
                for event in try reader.read(bytes) {
                    switch event {
                    case .bytes(let piece):
                        digest.update(piece)
                        sizeBytes += Int64(piece.count)
                        try await sink.write(piece)
                    case .commit(let record, let signature): last = (record, signature)
                    }
                }
            }
            guard let last else { throw Self.damaged("an upload without its commit") }
            guard isEqualInConstantTime(signature.commitSignature(key, last.record), last.signature) else {
                throw Self.damaged("a commit that is not signed")
            }
            let record: ObjectRecord = try Self.decode(last.record)
            // Another size is the caller's mistake, which the device tells.
            guard sizeBytes != record.sizeBytes || digest.hex() == record.etag else {
                throw Self.damaged("bytes of another checksum than \(record.etag)")
            }
            try await sink.commit(record)
        } catch {
            await sink.abort()
            throw error
        }
    }

    private static func damaged(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The object was damaged on the way.", cause: cause)
    }

    // MARK: Download

    /// Four bytes of length, an `OpenedObject`, and the object's bytes when they are few.
    func open(_ location: StorageLocation, _ device: any StorageDevice) async throws -> HTTPResponse {
        guard let object = try await device.openObject(location) else { return try opened(OpenedObject()) }
        do {
            let size = object.record.sizeBytes
            guard size > StorageWire.inlineBytes else {
                let bytes = size > 0 ? try await Self.collect(object.body(0..<size)) : []
                await object.close()
                return try opened(OpenedObject(record: object.record), bytes)
            }
            let handle = await handles.add(object)
            return try opened(OpenedObject(record: object.record, handle: handle))
        } catch {
            await object.close()
            throw error
        }
    }

    private func opened(_ opened: OpenedObject, _ bytes: [UInt8] = []) throws -> HTTPResponse {
        let text = try JSONValueEncoder.bytes(opened)
        return HTTPResponse(
            status: 200, headers: ["Content-Type": "application/octet-stream"],
            body: .bytes(StorageWire.number(text.count) + text + bytes))
    }

    private static func collect(_ body: ObjectBody) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        switch body {
        case .file(let descriptor, let offset, let length):
            let pieces = FilePieces(descriptor: descriptor, offset: offset, length: length, pool: readers)
            while let piece = try await pieces.next() { bytes += piece }
        case .stream(let stream):
            while let piece = try await stream.next() { bytes += piece }
        }
        return bytes
    }

    func bytes(of handle: String, range text: Substring) async throws -> HTTPResponse {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int64($0) }
        guard ends.count == 2, let start = ends[0], let end = ends[1], start >= 0, start < end else {
            throw CloudError.badRequest("The range is not readable.")
        }
        guard let object = handles.find(handle) else { throw CloudError.notFound("The object is not open any more.") }
        switch try await object.body(start..<end) {
        case .file(let descriptor, let offset, let length):
            return HTTPResponse(status: 200, body: .file(descriptor: descriptor, offset: offset, length: length))
        case .stream(let stream):
            return HTTPResponse(status: 200, body: .stream(StreamSource(stream: stream), length: end - start))
        }
    }

    private struct StreamSource: ByteSource {
        let stream: any ObjectByteStream
        func next() async throws -> [UInt8]? { try await stream.next() }
    }
}

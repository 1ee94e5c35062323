// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LifecycleKit
import SecurityKit
import Synchronization

/// One file on its way: counts, digests and inspects what it writes. Owned by one upload; calls do not overlap.
final class ImageFileWriter: Sendable {
    private let path: String
    private let descriptor: Int32
    private let isClosed = Atomic<Bool>(false)
    private let count = Atomic<Int64>(0)
    private let md5 = Mutex(Digest(.md5))
    private let hash: Mutex<Digest>
    private let algorithm: DigestAlgorithm
    private let inspector = Mutex(ImageInspector())

    init(path: String, descriptor: Int32, algorithm: DigestAlgorithm) {
        self.path = path
        self.descriptor = descriptor
        self.algorithm = algorithm
        hash = Mutex(Digest(algorithm))
    }

    deinit { closeFile() }

    private var partPath: String { path + FileImageStore.partSuffix }

    private func closeFile() {
        if !isClosed.exchange(true, ordering: .relaxed) { close(descriptor) }
    }

    /// Takes the next piece: both digests and the write run side by side.
    func append(_ piece: [UInt8], on pool: BlockingPool) async throws {
        async let first: Void = pool.run { self.hash.withLock { $0.update(piece) } }
        async let second: Void = pool.run { self.md5.withLock { $0.update(piece) } }
        try await pool.run {
            self.inspector.withLock { $0.feed(piece) }
            do {
                try FileCalls.writeAll(piece, to: self.descriptor, path: self.partPath)
            } catch let failure as FileCalls.Failure {
                throw FileImageStore.cloudError(failure)
            }
        }
        _ = try await (first, second)
        count.add(Int64(piece.count), ordering: .relaxed)
    }

    var byteCount: Int64 { count.load(ordering: .relaxed) }

    /// See `ImageInspector.preliminary`.
    func preliminaryInspection() -> ImageInspection? { inspector.withLock { $0.preliminary() } }

    /// Makes the bytes durable under the blob's own name.
    func finish(on pool: BlockingPool, directory: String) async throws -> StoredData {
        try await pool.run {
            do {
                guard fsync(self.descriptor) == 0 else { throw FileCalls.failure("fsync", self.partPath) }
                self.closeFile()
                guard rename(self.partPath, self.path) == 0 else { throw FileCalls.failure("rename", self.path) }
                try FileCalls.syncDirectory(directory)
            } catch let failure as FileCalls.Failure {
                throw FileImageStore.cloudError(failure)
            }
        }
        return StoredData(
            sizeBytes: byteCount, checksum: md5.withLock { $0.hex() }, hashValue: hash.withLock { $0.hex() },
            inspection: inspector.withLock { $0.finish() }, hashAlgorithm: algorithm.rawValue)
    }

    /// Drops the bytes.
    func discard(on pool: BlockingPool) async {
        closeFile()
        let name = partPath
        try? await pool.run { _ = unlink(name) }  // the reconciler removes what this cannot
    }
}

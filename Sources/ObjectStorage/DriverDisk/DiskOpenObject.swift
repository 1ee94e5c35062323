// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import ObjectStorageContract
import Synchronization

/// An object's file, open. Each body has a descriptor of its own, so neither needs the other.
final class DiskOpenObject: OpenObject {
    let record: ObjectRecord
    private let device: DiskDevice
    /// Nil after `close`.
    private let descriptor: Mutex<Int32?>

    init(_ found: consuming FoundObject, _ device: DiskDevice) {
        record = found.record
        self.device = device
        descriptor = Mutex(found.descriptor.release())
    }

    deinit { end() }

    func body(_ range: Range<Int64>) async throws -> ObjectBody {
        guard range.lowerBound >= 0, range.upperBound <= record.sizeBytes else {
            throw CloudError(
                .bug, "The server could not complete the request.",
                cause: "range \(range) of \(record.sizeBytes) bytes")
        }
        let copy = try descriptor.withLock { descriptor -> Int32 in
            guard let descriptor else { throw CloudError(.bug, "The object was closed.") }
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard copy >= 0 else { throw DiskFailure.describe(SystemError("dup")) }
            return copy
        }
        return .file(descriptor: copy, offset: range.lowerBound, length: Int64(range.count))
    }

    func close() async { end() }

    /// The last descriptor of a file that was deleted meanwhile frees its blocks, which takes a while.
    private func end() {
        let number = descriptor.withLock { descriptor -> Int32? in
            defer { descriptor = nil }
            return descriptor
        }
        if let number { device.dispose(descriptor: number) }
    }
}

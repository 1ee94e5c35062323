// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import Synchronization

/// One object on its way to a disk. Small pieces are gathered, so that a small object costs one visit to the threads.
final class DiskObjectSink: ObjectSink {
    private static let flushBytes = 256 << 10

    private struct State {
        var pending: [UInt8] = []
        var takenBytes: Int64 = 0
        var phase = Phase.open
    }
    private enum Phase { case open, failed, committed, aborted }

    private let file: UnnamedFile
    private let folder: ObjectFolder
    private let device: DiskDevice
    private let state = Mutex(State())

    init(_ file: UnnamedFile, _ folder: ObjectFolder, _ device: DiskDevice) {
        self.file = file
        self.folder = folder
        self.device = device
    }

    /// Whoever drops it without a word leaves nothing. To close a large file takes a while, so a thread does it.
    deinit { device.dispose(file) }

    func write(_ bytes: [UInt8]) async throws {
        let full = try state.withLock { state -> [[UInt8]] in
            guard state.phase == .open else { throw Self.ended(state.phase) }
            state.takenBytes += Int64(bytes.count)
            if state.pending.count + bytes.count < Self.flushBytes {
                state.pending += bytes
                return []
            }
            defer { state.pending = [] }
            return state.pending.isEmpty ? [bytes] : [state.pending, bytes]
        }
        guard !full.isEmpty else { return }
        do {
            try await device.onWriteThread { [file] in for piece in full { try file.append(piece) } }
        } catch {
            // A piece is missing now.
            state.withLock { $0.phase = .failed }
            throw error
        }
    }

    func commit(_ record: ObjectRecord) async throws {
        let rest = try state.withLock { state -> [UInt8]? in
            if state.phase == .committed { return nil }
            guard state.phase == .open else { throw Self.ended(state.phase) }
            guard state.takenBytes == record.sizeBytes else {
                throw CloudError(
                    .bug, "The server could not complete the request.",
                    cause: "record of \(record.sizeBytes) bytes for \(state.takenBytes)")
            }
            state.phase = .failed
            return state.pending
        }
        guard let rest else { return }
        let start = ContinuousClock.now
        try await device.onWriteThread { [file, folder, device] in
            try file.append(rest)
            try device.publish(file, record, in: folder)
        }
        DiskMetrics.commits.add()
        DiskMetrics.commitTime.observe(ContinuousClock.now - start)
        state.withLock { $0.phase = .committed }
    }

    func abort() async {
        state.withLock { state in
            if state.phase != .committed { state.phase = .aborted }
            state.pending = []
        }
        device.dispose(file)
    }

    private static func ended(_ phase: Phase) -> CloudError {
        CloudError(.bug, "The server could not complete the request.", cause: "object sink used when \(phase)")
    }
}

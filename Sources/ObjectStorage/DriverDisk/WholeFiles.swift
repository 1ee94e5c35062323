// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// One state of one file: whoever writes to it makes another.
struct FileMark: Sendable, Hashable {
    private let device: UInt
    private let inode: UInt
    private let changedSeconds: Int
    private let changedNanoseconds: Int

    /// Nil: the descriptor is not open.
    init?(_ descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        changedSeconds = status.st_ctim.tv_sec
        changedNanoseconds = status.st_ctim.tv_nsec
    }
}

/// Files whose bytes have been compared with their checksums, so that a download need not read them twice. Those seen
/// last are remembered.
final class WholeFiles: Sendable {
    private struct State {
        var recent: Set<FileMark> = []
        var older: Set<FileMark> = []
    }

    private static let limit = 32_768
    private let state = Mutex(State())

    func insert(_ mark: FileMark) {
        state.withLock { state in
            state.recent.insert(mark)
            guard state.recent.count >= Self.limit else { return }
            (state.recent, state.older) = ([], state.recent)
        }
    }

    func contains(_ mark: FileMark) -> Bool {
        let isOld = state.withLock { state -> Bool? in
            if state.recent.contains(mark) { return false }
            return state.older.contains(mark) ? true : nil
        }
        if isOld == true { insert(mark) }
        return isOld != nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import CMicroHTTPD
import HTTPKit
import Synchronization

/// A response's stream: the task fills a queue, libmicrohttpd empties it.
extension Exchange {
    /// Reads the source to its end, or until the client has gone.
    func pump(_ source: any ByteSource, _ length: Int64?) async {
        var left = length
        do {
            while let piece = try await source.next() {
                var piece = piece
                if let remaining = left {
                    // More than was promised would be read as the next answer.
                    if Int64(piece.count) > remaining { piece = Array(piece.prefix(Int(remaining))) }
                    left = remaining - Int64(piece.count)
                }
                guard await push(piece) else { return }
                if left == 0 { break }
            }
            end(left == nil || left == 0 ? .complete : .failed)
        } catch {
            core.log.warning("response stream failed", ["error": "\(error)"])
            end(.failed)
        }
    }

    /// False when the client has gone. Waits while too much is queued.
    private func push(_ piece: [UInt8]) async -> Bool {
        let canGoOn: Bool? = state.withLock { state in
            guard !state.isAborted, state.connection != nil else { return false }
            state.outgoing.append(piece)
            if state.phase == .answering { resume(&state) }
            return state.outgoing.count < core.limits.queueBytes ? true : nil
        }
        if let canGoOn { return canGoOn }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    guard !state.isAborted, state.connection != nil, !Task.isCancelled else { return false }
                    if state.outgoing.count < core.limits.queueBytes { return true }
                    state.writer = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let writer = state.withLock { state in
                defer { state.writer = nil }
                return state.writer
            }
            writer?.resume(returning: false)
        }
    }

    private func end(_ end: OutgoingEnd) {
        state.withLock { state in
            state.outgoingEnd = end
            if state.phase == .answering { resume(&state) }
        }
    }

    /// libmicrohttpd's thread: fills its buffer, or suspends until there is something.
    func produce(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let target = Lent(buffer)
        let (count, writer) = state.withLock { state -> (Int, CheckedContinuation<Bool, Never>?) in
            if state.isAborted || core.isAborting { return (cmhd_end_with_error(), nil) }
            let count = state.outgoing.copy(into: target.value)
            guard count > 0 else {
                switch state.outgoingEnd {
                case .complete: return (cmhd_end_of_stream(), nil)
                case .failed: return (cmhd_end_with_error(), nil)
                case nil:
                    Self.suspend(&state)
                    return (0, nil)
                }
            }
            guard state.outgoing.count < core.limits.queueBytes / 2, let writer = state.writer else {
                return (count, nil)
            }
            state.writer = nil
            return (count, writer)
        }
        writer?.resume(returning: true)
        return count
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import Synchronization

/// The body of a request, as it arrives. Asking for the first piece is what makes a long body come.
struct RequestBody: ByteSource {
    private let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    func next() async throws -> [UInt8]? { try await exchange.nextPiece() }
}

extension Exchange {
    func nextPiece() async throws -> [UInt8]? {
        if let ready = try readyPiece() { return ready.piece }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state -> Result<[UInt8]?, any Error>? in
                    do {
                        // It may have come since; and the handler below takes this lock, too.
                        if let ready = try takePiece(&state) { return .success(ready.piece) }
                        if Task.isCancelled { throw CancellationError() }
                        precondition(state.reader == nil, "two tasks read one body")
                        state.reader = continuation
                        if state.phase == .held { resume(&state) }
                        return nil
                    } catch {
                        return .failure(error)
                    }
                }
                if let result { continuation.resume(with: result) }
            }
        } onCancel: {
            let reader = state.withLock { state in
                defer { state.reader = nil }
                return state.reader
            }
            reader?.resume(throwing: CancellationError())
        }
    }

    private struct Ready {
        /// Nil at the end of the body.
        let piece: [UInt8]?
    }

    private func readyPiece() throws -> Ready? {
        try state.withLock { try takePiece(&$0) }
    }

    private func takePiece(_ state: inout State) throws -> Ready? {
        if state.isDiscarding { throw Self.gone }
        if let piece = state.incoming.popFirst() {
            if state.phase == .receiving, state.incoming.count < core.limits.queueBytes / 2 { resume(&state) }
            return Ready(piece: piece)
        }
        if state.hasBodyEnded { return Ready(piece: nil) }
        if state.isAborted || state.connection == nil { throw Self.gone }
        return nil
    }
}

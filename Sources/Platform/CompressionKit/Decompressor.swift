// SPDX-License-Identifier: Apache-2.0
import CBZip2
import CZlib
import Synchronization

/// Why compressed bytes could not be read.
package struct DecompressionError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// Reads compressed bytes as they arrive. What comes out of one piece is taken in small parts, so that no bomb is ever
/// whole in memory.
package final class Decompressor: Sendable {
    package enum Format: Sendable { case gzip, bzip2 }

    /// At most so much comes out of one `pull`.
    package static let outputBytes = 256 << 10

    private struct State {
        var engine: any DecompressionEngine
        var input: [UInt8] = []
        var offset = 0
        var hasEnded = false
    }
    private let state: Mutex<State>

    package init(_ format: Format) throws {
        switch format {
        case .gzip: state = Mutex(State(engine: try GzipEngine()))
        case .bzip2: state = Mutex(State(engine: try BZip2Engine()))
        }
    }

    /// Whether the compressed stream has come to its own end.
    package var hasEnded: Bool { state.withLock { $0.hasEnded && $0.offset == $0.input.count } }

    /// Gives it more. Before that, all that is there must have been pulled.
    package func push(_ bytes: [UInt8]) {
        state.withLock { state in
            state.input = state.offset < state.input.count ? Array(state.input[state.offset...]) + bytes : bytes
            state.offset = 0
        }
    }

    /// Nil: it needs more first.
    package func pull() throws -> [UInt8]? {
        try state.withLock { state in
            while state.offset < state.input.count {
                if state.hasEnded {
                    // Another member follows: files that were compressed apart and put together.
                    try state.engine.restart()
                    state.hasEnded = false
                }
                var consumed = 0
                let output = try [UInt8](unsafeUninitializedCapacity: Self.outputBytes) { buffer, used in
                    try state.input.withUnsafeBytes { input in
                        let rest = UnsafeRawBufferPointer(rebasing: input[state.offset...])
                        let step = try state.engine.step(rest, UnsafeMutableRawBufferPointer(buffer))
                        (consumed, used, state.hasEnded) = (step.consumed, step.produced, step.hasEnded)
                    }
                }
                state.offset += consumed
                if !output.isEmpty { return output }
                if consumed == 0 && !state.hasEnded { return nil }
            }
            return nil
        }
    }
}

private protocol DecompressionEngine: Sendable {
    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws -> (consumed: Int, produced: Int, hasEnded: Bool)
    func restart() throws
}

// SAFETY: both engines are used only inside `Decompressor`'s lock. The library's state is allocated once, is
// never moved, and is freed once; its pointers into the caller's buffers are set anew for each call.

private final class GzipEngine: DecompressionEngine, @unchecked Sendable {
    private let stream: UnsafeMutablePointer<z_stream>

    init() throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // 15 bits of window; 16 more: with gzip's header.
        guard inflateInit2_(stream, 31, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw DecompressionError(description: "no memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func restart() throws {
        guard inflateReset(stream) == Z_OK else { throw DecompressionError(description: "invalid stream") }
    }

    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws -> (consumed: Int, produced: Int, hasEnded: Bool) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: UInt8.self))
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let result = inflate(stream, Z_NO_FLUSH)
        guard result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR else {
            throw DecompressionError(description: "Error \(result) while decompressing data")
        }
        return (
            input.count - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out),
            result == Z_STREAM_END
        )
    }
}

private final class BZip2Engine: DecompressionEngine, @unchecked Sendable {
    private let stream: UnsafeMutablePointer<bz_stream>

    init() throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else { throw DecompressionError(description: "no memory") }
    }

    deinit {
        BZ2_bzDecompressEnd(stream)
        stream.deallocate()
    }

    func restart() throws {
        BZ2_bzDecompressEnd(stream)
        stream.pointee = bz_stream()
        guard BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK else { throw DecompressionError(description: "no memory") }
    }

    func step(
        _ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer
    ) throws -> (consumed: Int, produced: Int, hasEnded: Bool) {
        stream.pointee.next_in = UnsafeMutablePointer(
            mutating: input.baseAddress?.assumingMemoryBound(to: CChar.self))
        stream.pointee.avail_in = UInt32(input.count)
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: CChar.self)
        stream.pointee.avail_out = UInt32(output.count)
        let result = BZ2_bzDecompress(stream)
        guard result == BZ_OK || result == BZ_STREAM_END else {
            throw DecompressionError(description: "Invalid data stream")
        }
        return (
            input.count - Int(stream.pointee.avail_in), output.count - Int(stream.pointee.avail_out),
            result == BZ_STREAM_END
        )
    }
}

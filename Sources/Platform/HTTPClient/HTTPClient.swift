// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import LifecycleKit
import Synchronization

/// An HTTP/1.1 client on libcurl: connections are reused, bodies stream both ways with back pressure.
///
/// All transfers of a client run on one thread of its own, which ends with the client. Every call throws:
/// - `.unavailable` when the server cannot be reached, ends the connection early, or is silent for too long;
/// - `.forbidden` when `HTTPClientOptions.mayConnect` refuses its address;
/// - `.badRequest` for a URL that is none, another scheme than http and https, or too many redirects;
/// - `CancellationError` when the task is cancelled: the connection is closed.
///
/// A status of 400 and above is an answer, not an error. Proxies of the environment are not used.
package final class HTTPClient: Sendable {
    private let options: HTTPClientOptions
    private let loop: CurlLoop

    package init(_ options: HTTPClientOptions = HTTPClientOptions()) {
        self.options = options
        loop = CurlLoop(options)
    }

    deinit { loop.stop() }

    /// Returns when the header of the response has come. A body that is a stream has been sent by then, or the server
    /// did not want the rest; what the stream throws ends the request and is thrown.
    package func send(_ request: HTTPClientRequest) async throws -> HTTPClientResponse {
        let upload: Transfer.Upload
        switch request.body {
        case .none: upload = .none
        case .bytes(let bytes): upload = .bytes(bytes)
        case .stream(let source, let length): return try await send(request, source, length)
        }
        let transfer = start(request, upload)
        return try await response(transfer)
    }

    private func send(
        _ request: HTTPClientRequest, _ source: any ByteSource, _ length: Int64?
    ) async throws -> HTTPClientResponse {
        let upload = try await upload(request, length: length)
        do {
            while let piece = try await source.next() {
                guard try await upload.write(piece) else { break }
            }
            return try await upload.finish()
        } catch {
            upload.cancel()
            throw error
        }
    }

    /// Begins a request whose body the caller writes piece by piece; `request.body` is not looked at. With
    /// `awaitsContinue` it returns when the server has asked for the body, or has answered without it.
    package func upload(_ request: HTTPClientRequest, length: Int64? = nil) async throws -> HTTPUpload {
        let transfer = start(request, .pieces(length))
        if request.awaitsContinue { try await transfer.untilWanted() }
        return HTTPUpload(self, transfer, length: length)
    }

    /// Sends a request whose answer nobody waits for. A failure is silent.
    package func dispatch(_ request: HTTPClientRequest) {
        let upload: Transfer.Upload = if case .bytes(let bytes) = request.body { .bytes(bytes) } else { .none }
        start(request, upload, isUnwatched: true)
    }

    @discardableResult
    private func start(_ request: HTTPClientRequest, _ upload: Transfer.Upload, isUnwatched: Bool = false) -> Transfer {
        let transfer = Transfer(
            request, upload, queueBytes: options.queueBytes, loop: loop, isUnwatched: isUnwatched)
        loop.post(.start(transfer))
        return transfer
    }

    fileprivate func response(_ transfer: Transfer) async throws -> HTTPClientResponse {
        let head = try await transfer.untilAnswered()
        return HTTPClientResponse(
            status: head.status, headers: head.headers, body: ClientResponseBody(self, transfer))
    }
}

/// A request whose body is being written. One task at a time; dropped before `finish`, it is cancelled.
package final class HTTPUpload: Sendable {
    private let client: HTTPClient
    private let transfer: Transfer
    private let length: Int64?
    private let state = Mutex<(written: Int64, isFinished: Bool)>((0, false))

    fileprivate init(_ client: HTTPClient, _ transfer: Transfer, length: Int64?) {
        self.client = client
        self.transfer = transfer
        self.length = length
    }

    deinit { if !state.withLock({ $0.isFinished }) { transfer.cancel() } }

    /// The server has answered: it wants no more of the body, and `finish` gives what it says.
    package var isAnswered: Bool { transfer.isAnswered }

    /// Returns when there is room for the next piece. False: the server has answered, which `finish` gives, and wants
    /// no more.
    package func write(_ bytes: [UInt8]) async throws -> Bool {
        let written = state.withLock { state in
            state.written += Int64(bytes.count)
            return state.written
        }
        if let length, written > length { throw Self.misuse("\(written) bytes for \(length)") }
        return try await transfer.offer(bytes)
    }

    /// Ends the body and waits for the response. Throws `.bug`, and cancels, when fewer bytes were written than the
    /// length that was announced.
    package func finish() async throws -> HTTPClientResponse {
        let written = state.withLock { $0.written }
        if let length, written < length, !transfer.isAnswered {
            transfer.cancel()
            throw Self.misuse("\(written) bytes for \(length)")
        }
        transfer.endOffer()
        let response = try await client.response(transfer)
        // From here on the body of the response is what holds the transfer.
        state.withLock { $0.isFinished = true }
        return response
    }

    /// Closes the connection; the server never sees the end of the body. May be repeated.
    package func cancel() { transfer.cancel() }

    private static func misuse(_ cause: String) -> CloudError {
        CloudError(.bug, "The server could not complete the request.", cause: "HTTP upload of \(cause)")
    }
}

/// The body of a response, as it arrives.
private final class ClientResponseBody: ByteSource {
    /// Held, because the client's end would be the transfer's.
    private let client: HTTPClient
    private let transfer: Transfer

    init(_ client: HTTPClient, _ transfer: Transfer) {
        self.client = client
        self.transfer = transfer
    }

    deinit { transfer.cancel() }

    func next() async throws -> [UInt8]? { try await transfer.nextPiece() }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CCurl
import LogKit

/// The transfers that run, as libcurl's thread sees them. Used on that thread alone.
final class CurlTransfers {
    private let multi: UnsafeMutableRawPointer
    private let options: HTTPClientOptions
    private var running: [ObjectIdentifier: CurlTransfer] = [:]
    private let log = Logger("http-client")

    init(_ multi: UnsafeMutableRawPointer, _ options: HTTPClientOptions) {
        self.multi = multi
        self.options = options
    }

    var isEmpty: Bool { running.isEmpty }

    func start(_ transfer: Transfer) {
        // It may have been cancelled before the thread came to it.
        guard !transfer.isCancelled else { return transfer.finish(.failure(CancellationError())) }
        guard let one = CurlTransfer(transfer, options), curl_multi_add_handle(multi, one.easy) == CURLM_OK else {
            let error = CloudError(.badRequest, "The request cannot be sent.", cause: "libcurl refused it")
            return transfer.finish(.failure(error))
        }
        running[ObjectIdentifier(transfer)] = one
    }

    func resume(_ transfer: Transfer) {
        guard let one = running[ObjectIdentifier(transfer)] else { return }
        one.touch()
        let (send, receive) = transfer.pauses
        // It calls the callbacks at once, and they may pause it again.
        curl_easy_pause(one.easy, (send ? CURLPAUSE_SEND : 0) | (receive ? CURLPAUSE_RECV : 0))
    }

    func cancel(_ transfer: Transfer) { end(transfer, .failure(CancellationError())) }

    /// Takes leave of those that have ended.
    func collect() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            guard let one = running.values.first(where: { $0.easy == easy }) else { continue }
            end(one.transfer, one.result(code))
        }
    }

    /// Ends those on which nothing has moved for too long.
    func endSilent() {
        let now = ContinuousClock.now
        for one in Array(running.values) where one.isSilent(now) {
            end(one.transfer, .failure(HTTPClientFailure.silent(one.transfer.request.url)))
        }
    }

    func endAll(_ error: CloudError) {
        for one in Array(running.values) { end(one.transfer, .failure(error)) }
    }

    private func end(_ transfer: Transfer, _ result: Result<Void, any Error>) {
        guard let one = running.removeValue(forKey: ObjectIdentifier(transfer)) else { return }
        // Closes the connection when the transfer is in the middle of it.
        curl_multi_remove_handle(multi, one.easy)
        if transfer.isUnwatched, case .failure(let error) = result {
            log.debug("request failed", ["error": "\(error)"])
        }
        // A redirect that led nowhere is no answer.
        if case .success = result { one.announce() }
        transfer.finish(result)
    }
}

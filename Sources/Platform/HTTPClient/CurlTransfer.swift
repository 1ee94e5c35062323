// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CCurl
import Glibc
import HTTPKit

/// One transfer in libcurl's form. Used on the loop's thread alone; it must outlive its place in the multi handle.
final class CurlTransfer {
    private static let bufferBytes = 128 << 10

    let transfer: Transfer
    let easy: UnsafeMutableRawPointer
    private var fields: UnsafeMutablePointer<curl_slist>?
    private let errorText: UnsafeMutablePointer<CChar>
    private let options: HTTPClientOptions
    private let idleTime: Duration
    private var lastMove = ContinuousClock.now

    /// Of the response whose header is being read.
    private var head: Transfer.Head?
    private var headBytes = 0
    private var isAnnounced = false
    private var isForbidden = false

    /// Nil when libcurl does not take the request: no memory, a header with a line break.
    init?(_ transfer: Transfer, _ options: HTTPClientOptions) {
        guard let easy = curl_easy_init() else { return nil }
        self.transfer = transfer
        self.easy = easy
        self.options = options
        idleTime = transfer.request.idleTime ?? options.idleTime
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        guard configure() else { return nil }
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_slist_free_all(fields)
        errorText.deallocate()
    }

    // MARK: The request

    private func configure() -> Bool {
        let request = transfer.request
        // SAFETY: libcurl calls back only while the handle is in the multi handle, and `CurlTransfers` holds this
        // object as long.
        let context = Unmanaged.passUnretained(self).toOpaque()
        var isRight = true
        func set(_ option: CURLoption, _ value: Int) {
            isRight = ccurl_set_long(easy, option, value) == CURLE_OK && isRight
        }
        func set(_ option: CURLoption, _ value: String) {
            isRight = ccurl_set_text(easy, option, value) == CURLE_OK && isRight
        }
        func set(_ option: CURLoption, _ value: UnsafeMutableRawPointer?) {
            isRight = ccurl_set_pointer(easy, option, value) == CURLE_OK && isRight
        }
        set(CURLOPT_URL, request.url)
        set(CURLOPT_PROTOCOLS_STR, "http,https")
        set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
        set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        set(CURLOPT_NOSIGNAL, 1)
        // No proxy of the environment comes between.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_PATH_AS_IS, 1)
        set(CURLOPT_USERAGENT, options.userAgent)
        set(CURLOPT_BUFFERSIZE, Self.bufferBytes)
        set(CURLOPT_UPLOAD_BUFFERSIZE, Self.bufferBytes)
        set(CURLOPT_CONNECTTIMEOUT_MS, Int(milliseconds(request.connectTime ?? options.connectTime)))
        set(CURLOPT_TIMEOUT_MS, Int(request.timeLimit.map(milliseconds) ?? 0))
        set(CURLOPT_TCP_KEEPALIVE, 1)
        if let authorities = options.authorities { set(CURLOPT_CAINFO, authorities) }
        if request.redirects > 0, request.method == .get || request.method == .head {
            set(CURLOPT_FOLLOWLOCATION, 1)
            set(CURLOPT_MAXREDIRS, request.redirects)
        }
        set(CURLOPT_ERRORBUFFER, UnsafeMutableRawPointer(errorText))
        set(CURLOPT_WRITEDATA, context)
        set(CURLOPT_HEADERDATA, context)
        set(CURLOPT_READDATA, context)
        set(CURLOPT_OPENSOCKETDATA, context)
        ccurl_set_transfer(easy, CURLOPT_WRITEFUNCTION, writeCallback)
        ccurl_set_transfer(easy, CURLOPT_HEADERFUNCTION, headerCallback)
        ccurl_set_transfer(easy, CURLOPT_READFUNCTION, readCallback)
        ccurl_set_open_socket(easy, openSocketCallback)
        guard isRight, configureBody(), addFields(request) else { return false }
        return ccurl_set_pointer(easy, CURLOPT_HTTPHEADER, fields) == CURLE_OK
    }

    private func configureBody() -> Bool {
        let method = transfer.request.method
        // Whose answer has no body whatever its length says.
        if method == .head { return ccurl_set_long(easy, CURLOPT_NOBODY, 1) == CURLE_OK }
        var isRight = true
        switch transfer.upload {
        case .none:
            switch method {
            case .post, .put, .patch: isRight = setBody([])
            case .get, .head, .delete, .options, .copy: break
            }
        case .bytes(let bytes): isRight = setBody(bytes)
        case .pieces(let length):
            isRight =
                ccurl_set_long(easy, CURLOPT_UPLOAD, 1) == CURLE_OK
                && ccurl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(length ?? -1)) == CURLE_OK
                // Until the server has answered; `isSilent` is what ends the waiting.
                && ccurl_set_long(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 86_400_000) == CURLE_OK
        }
        return isRight && ccurl_set_text(easy, CURLOPT_CUSTOMREQUEST, method.rawValue) == CURLE_OK
    }

    private func setBody(_ bytes: [UInt8]) -> Bool {
        // An empty array may have no address, which libcurl would take for a body that it has to ask for.
        let address = bytes.isEmpty ? [0] : bytes
        return address.withUnsafeBytes { ccurl_set_body(easy, $0.baseAddress, curl_off_t(bytes.count)) == CURLE_OK }
    }

    private func addFields(_ request: HTTPClientRequest) -> Bool {
        var lines: [String] = []
        for (name, value) in request.headers.fields {
            guard (name + value).utf8.allSatisfy({ $0 >= 0x20 || $0 == 0x09 }) else { return false }
            // libcurl's way to say that a field is empty.
            lines.append(value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        if case .pieces = transfer.upload, request.awaitsContinue {
            lines.append("Expect: 100-continue")
        } else {
            lines.append("Expect:")
        }
        // What libcurl would add by itself.
        if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
        for line in lines {
            guard let longer = curl_slist_append(fields, line) else { return false }
            fields = longer
        }
        return true
    }

    private func milliseconds(_ duration: Duration) -> Int64 { max(1, duration.microseconds / 1000) }

    // MARK: Time

    func touch() { lastMove = .now }

    /// While the caller is the one that is waited for, silence is in order.
    func isSilent(_ now: ContinuousClock.Instant) -> Bool {
        let pauses = transfer.pauses
        if pauses.send || pauses.receive { lastMove = now }
        return now - lastMove > idleTime
    }

    // MARK: The response

    func result(_ code: CURLcode) -> Result<Void, any Error> {
        if code == CURLE_OK { return .success(()) }
        let url = transfer.request.url
        if isForbidden { return .failure(HTTPClientFailure.forbidden(url)) }
        return .failure(HTTPClientFailure.describe(code, String(cString: errorText), url))
    }

    /// Tells the caller of the response, once.
    func announce() {
        guard !isAnnounced, let head, head.status >= 200 else { return }
        isAnnounced = true
        transfer.began(head)
    }

    /// One line of a header. False: it is too long.
    fileprivate func takeHeader(_ bytes: UnsafeRawBufferPointer) -> Bool {
        touch()
        // Trailers are nobody's.
        guard !isAnnounced else { return true }
        headBytes += bytes.count
        guard headBytes <= options.headerBytes else { return false }
        let line = String(decoding: bytes, as: UTF8.self).trimmingLineEnd
        if line.hasPrefix("HTTP/") {
            let words = line.split(separator: " ", maxSplits: 2)
            head = Transfer.Head(status: words.count > 1 ? Int(words[1]) ?? 0 : 0)
            headBytes = bytes.count
        } else if line.isEmpty {
            if let head, !isFollowed(head) { announce() }
        } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = line[line.utf8.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            head?.headers.add(String(line[..<colon]), String(value))
        }
        return true
    }

    private func isFollowed(_ head: Transfer.Head) -> Bool {
        transfer.request.redirects > 0 && (300...399).contains(head.status) && head.headers["Location"] != nil
    }

    fileprivate func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        touch()
        announce()
        return transfer.take(bytes)
    }

    fileprivate func supply(into buffer: UnsafeMutableRawBufferPointer) -> Transfer.Supply {
        touch()
        return transfer.supply(into: buffer)
    }

    fileprivate func isAllowed(_ address: UnsafePointer<curl_sockaddr>) -> Bool {
        guard let mayConnect = options.mayConnect else { return true }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = Int(ccurl_address(address, &bytes))
        guard count > 0 else { return false }
        var value = bytes[..<count].reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        // IPv4 within IPv6 is asked for as what it is.
        let isMapped = count == 16 && value >> 32 == 0xFFFF
        if isMapped { value &= 0xFFFF_FFFF }
        let isAllowed = mayConnect(IPAddress(isIPv6: count == 16 && !isMapped, value: value))
        if !isAllowed { isForbidden = true }
        return isAllowed
    }
}

extension String {
    fileprivate var trimmingLineEnd: String {
        var end = utf8.endIndex
        while end > utf8.startIndex {
            let before = utf8.index(before: end)
            guard utf8[before] == 0x0D || utf8[before] == 0x0A || utf8[before] == 0x20 else { break }
            end = before
        }
        return String(self[..<end])
    }
}

// SAFETY of the callbacks: the context is the `CurlTransfer` of the handle, which lives as long as libcurl may call; all
// calls come from the loop's thread, within `curl_multi_perform` or `curl_easy_pause`. Buffers live through the call.

private func object(_ context: UnsafeMutableRawPointer?) -> CurlTransfer? {
    context.map { Unmanaged<CurlTransfer>.fromOpaque($0).takeUnretainedValue() }
}

private func writeCallback(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let one = object(context) else { return 0 }
    let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return one.take(buffer) ? buffer.count : Int(CURL_WRITEFUNC_PAUSE)
}

private func headerCallback(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let one = object(context) else { return 0 }
    let buffer = UnsafeRawBufferPointer(start: bytes, count: size * count)
    // Fewer than came is an error.
    return one.takeHeader(buffer) ? buffer.count : 0
}

private func readCallback(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let one = object(context) else { return Int(CURL_READFUNC_ABORT) }
    switch one.supply(into: UnsafeMutableRawBufferPointer(start: bytes, count: size * count)) {
    case .bytes(let count): return count
    case .paused: return Int(CURL_READFUNC_PAUSE)
    case .ended: return 0
    case .cancelled: return Int(CURL_READFUNC_ABORT)
    }
}

private func openSocketCallback(
    _ context: UnsafeMutableRawPointer?, _ purpose: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let one = object(context), let address, one.isAllowed(address) else { return -1 }
    one.touch()
    let kind = address.pointee.socktype | Int32(SOCK_CLOEXEC.rawValue)
    return socket(address.pointee.family, kind, address.pointee.`protocol`)
}

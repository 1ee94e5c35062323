// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CMicroHTTPD
import HTTPKit

/// What the header of a request says.
struct RequestHead {
    /// How the body comes.
    enum BodyKind: Equatable {
        case none
        /// Short enough to be read before the handler starts.
        case whole(Int)
        /// Length, where it is known.
        case streamed(Int64?)
    }

    /// An answer that needs no handler.
    struct Refusal: Error {
        let status: Int
        let message: String
    }

    var method: HTTPMethod
    var path: String
    /// Nil: not decodable, which is the handler's to answer.
    var query: [(name: String, value: String)]?
    var headers: HTTPHeaders
    var body: BodyKind
    var expectsContinue: Bool

    init(
        method name: UnsafePointer<CChar>, target: String, _ connection: ConnectionHandle, _ limits: HTTPLimits
    ) throws(Refusal) {
        guard target.utf8.count <= limits.urlBytes else {
            throw Refusal(status: 414, message: "The URL is longer than \(limits.urlBytes) bytes.")
        }
        guard cmhd_header_size(connection.pointer) <= limits.headerBytes else {
            throw Refusal(status: 431, message: "The header is longer than \(limits.headerBytes) bytes.")
        }
        method = try Self.method(name)
        (path, query) = try Self.split(target)
        var fields = Fields()
        // SAFETY: the iterator runs inside this call only, with `fields` as its closure.
        withUnsafeMutablePointer(to: &fields) { pointer in
            _ = MHD_get_connection_values_n(connection.pointer, .HEADER_KIND, collectField, pointer)
        }
        headers = fields.headers
        expectsContinue = fields.expectsContinue
        body = try fields.bodyKind(wholeLimit: limits.wholeBodyBytes)
    }

    private static func method(_ name: UnsafePointer<CChar>) throws(Refusal) -> HTTPMethod {
        if let method = HTTPMethod(rawValue: String(cString: name)) { return method }
        // OpenStack's services answer so for any word, be it a method elsewhere or not.
        throw Refusal(status: 405, message: "The method is not supported.")
    }

    private static func split(
        _ target: String
    ) throws(Refusal) -> (path: String, query: [(name: String, value: String)]?) {
        var rest = Substring(target)
        if !rest.hasPrefix("/"), let scheme = rest.utf8.firstIndex(of: UInt8(ascii: ":")),
            rest[scheme...].hasPrefix("://")
        {
            // The absolute form, which a client behind a proxy sends.
            let authority = rest[rest.utf8.index(scheme, offsetBy: 3)...]
            rest = authority.firstIndex(of: "/").map { authority[$0...] } ?? "/"
        }
        guard rest.hasPrefix("/") || rest == "*" else {
            throw Refusal(status: 400, message: "The request target is not a path.")
        }
        let utf8 = rest.utf8
        let mark = utf8.firstIndex(of: UInt8(ascii: "?"))
        let path = String(rest[..<(mark ?? utf8.endIndex)])
        guard let mark else { return (path, []) }
        return (path, Percent.query(rest[utf8.index(after: mark)...]))
    }
}

private struct Fields {
    var headers = HTTPHeaders()
    var expectsContinue = false
    private var lengths: [Int64?] = []
    private var codings: [String] = []
    private var hasBadName = false

    mutating func add(_ name: String, _ value: String) {
        // libmicrohttpd takes `Content-Length :` for another field than `Content-Length:`; whoever stands before this
        // server may not.
        if name.isEmpty || name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) { hasBadName = true }
        switch name.utf8.count {
        case 6 where name.lowercased() == "expect": expectsContinue = value.lowercased() == "100-continue"
        case 14 where name.lowercased() == "content-length": lengths.append(Int64(value))
        case 17 where name.lowercased() == "transfer-encoding": codings.append(value.lowercased())
        default: break
        }
        headers.add(name, Self.trimmed(value))
    }

    /// Without the blanks behind it, which are no part of a value; libmicrohttpd removes only those before it.
    private static func trimmed(_ value: String) -> String {
        guard let last = value.utf8.last, last == 0x20 || last == 0x09 else { return value }
        let kept = value.utf8.reversed().drop { $0 == 0x20 || $0 == 0x09 }
        return String(Substring(value.utf8.prefix(kept.count)))
    }

    /// Refuses whatever could make two parties disagree on where the body ends.
    func bodyKind(wholeLimit: Int) throws(RequestHead.Refusal) -> RequestHead.BodyKind {
        if hasBadName { throw RequestHead.Refusal(status: 400, message: "A header's name holds a blank.") }
        if !codings.isEmpty {
            guard codings == ["chunked"] else {
                throw RequestHead.Refusal(status: 501, message: "The transfer coding is not supported.")
            }
            guard lengths.isEmpty else {
                throw RequestHead.Refusal(status: 400, message: "The request has two lengths.")
            }
            return .streamed(nil)
        }
        guard let first = lengths.first else { return .none }
        guard lengths.count == 1, let length = first, length >= 0 else {
            throw RequestHead.Refusal(status: 400, message: "The Content-Length is not a number.")
        }
        if length == 0 { return .none }
        return length <= wholeLimit && !expectsContinue ? .whole(Int(length)) : .streamed(length)
    }
}

private func collectField(
    _ closure: UnsafeMutableRawPointer?, _ kind: MHD_ValueKind, _ name: UnsafePointer<CChar>?, _ nameLength: Int,
    _ value: UnsafePointer<CChar>?, _ valueLength: Int
) -> MHD_Result {
    guard let closure, let name else { return .YES }
    func text(_ pointer: UnsafePointer<CChar>?, _ length: Int) -> String {
        // SAFETY: libmicrohttpd gives the length with the pointer, and both live through this call.
        WireText.text(UnsafeRawBufferPointer(start: pointer, count: pointer == nil ? 0 : length))
    }
    closure.assumingMemoryBound(to: Fields.self).pointee.add(text(name, nameLength), text(value, valueLength))
    return .YES
}

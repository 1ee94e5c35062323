// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc

/// The few calls that the commands make to their own cloud on 127.0.0.1. Blocking; one connection a call.
struct APIClient {
    struct Answer {
        var status: Int
        var headers: [String: String]
        var body: [UInt8]
        var json: JSON? { try? JSONReader.read(body) /* not every answer is JSON */ }
    }

    static let maximumAnswerBytes = 16 << 20

    let port: Int
    var token: String?

    /// Nil when nobody answers within `seconds`.
    func request(_ method: String, _ path: String, body: String? = nil, seconds: Int = 10) -> Answer? {
        request(method, path, bytes: body.map { Array($0.utf8) }, type: "application/json", seconds: seconds)
    }

    func request(_ method: String, _ path: String, bytes: [UInt8]?, type: String, seconds: Int) -> Answer? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { return nil }
        // HTTP/1.0: the answer ends with the connection and is never chunked.
        var text = "\(method) \(path) HTTP/1.0\r\nHost: 127.0.0.1:\(port)\r\nAccept: application/json\r\n"
        if let token { text += "X-Auth-Token: \(token)\r\n" }
        if let bytes { text += "Content-Type: \(type)\r\nContent-Length: \(bytes.count)\r\n" }
        text += "\r\n"
        var rest = (Array(text.utf8) + (bytes ?? []))[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return nil }
            rest = rest.dropFirst(count)
        }
        return Self.parse(readAll(descriptor))
    }

    private func readAll(_ descriptor: Int32) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while bytes.count < Self.maximumAnswerBytes {
            let count = buffer.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes
    }

    private static func parse(_ bytes: [UInt8]) -> Answer? {
        let separator: [UInt8] = [13, 10, 13, 10]
        guard let end = bytes.indices.first(where: { bytes[$0...].starts(with: separator) }) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first, let status = first.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else {
            return nil
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop(while: { $0 == " " }))
        }
        return Answer(status: status, headers: headers, body: Array(bytes[(end + 4)...]))
    }

    /// A client with a token for `user` in `project`, both in the domain `default`.
    func signedIn(user: String, password: Secret, project: String) throws -> APIClient {
        var writer = JSONWriter()
        writer.value([
            "auth": [
                "identity": [
                    "methods": ["password"],
                    "password": [
                        "user": [
                            "name": .string(user), "domain": ["id": "default"], "password": .string(password.reveal()),
                        ]
                    ],
                ],
                "scope": ["project": ["name": .string(project), "domain": ["id": "default"]]],
            ]
        ])
        guard let answer = request("POST", "/identity/v3/auth/tokens", body: writer.string()) else {
            throw CommandFailure("The cloud does not answer on 127.0.0.1:\(port). Is it up? See `haneul status`.")
        }
        guard let token = answer.headers["x-subject-token"] else {
            throw CommandFailure("The cloud refused \(user)'s password (status \(answer.status)).")
        }
        return APIClient(port: port, token: token)
    }
}

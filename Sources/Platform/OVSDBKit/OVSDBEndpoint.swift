// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Where an OVSDB server listens.
package enum OVSDBEndpoint: Hashable, Sendable, CustomStringConvertible {
    case unix(path: String)
    /// A numeric address, version 4 or 6.
    case tcp(address: String, port: UInt16)

    /// `unix:/run/ovn/ovnnb_db.sock`, `tcp:10.0.0.1:6641`, `tcp:[fd00::1]:6641`.
    package init?(_ text: some StringProtocol) {
        if text.hasPrefix("unix:") {
            let path = text.dropFirst(5)
            // sun_path holds 108 bytes with its end.
            guard path.hasPrefix("/"), path.utf8.count < 108 else { return nil }
            self = .unix(path: String(path))
        } else if text.hasPrefix("tcp:") {
            let rest = text.dropFirst(4)
            guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]), port > 0
            else { return nil }
            var address = rest[..<colon]
            if address.hasPrefix("["), address.hasSuffix("]") { address = address.dropFirst().dropLast() }
            guard !address.isEmpty else { return nil }
            self = .tcp(address: String(address), port: port)
        } else {
            return nil
        }
    }

    /// A comma-separated list: the servers of a cluster. Throws `.badRequest` naming the entry that is none.
    package static func list(_ text: String) throws -> [OVSDBEndpoint] {
        let endpoints = try text.split(separator: ",").map { part in
            guard let endpoint = OVSDBEndpoint(part) else {
                throw CloudError.badRequest("\(part) is not an OVSDB address: unix:/PATH or tcp:ADDRESS:PORT.")
            }
            return endpoint
        }
        guard !endpoints.isEmpty else { throw CloudError.badRequest("No OVSDB address is given.") }
        return endpoints
    }

    package var description: String {
        switch self {
        case .unix(let path): "unix:\(path)"
        case .tcp(let address, let port): address.contains(":") ? "tcp:[\(address)]:\(port)" : "tcp:\(address):\(port)"
        }
    }
}

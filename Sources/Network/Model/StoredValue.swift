// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Where a value stands in the database, for who must look at it: the value was written by this program, so what
/// cannot be read back is a fault of the program or of hands.
package struct StoredPlace: Sendable {
    let table: StaticString
    let row: String
    let column: StaticString

    init(_ table: StaticString, _ row: some CustomStringConvertible, _ column: StaticString) {
        self.table = table
        self.row = row.description
        self.column = column
    }

    /// The failure of whatever needs the value.
    func unreadable(_ text: String, _ wanted: StaticString) -> CloudError {
        CloudError(
            .bug, "The server could not complete the request.",
            cause: "\(table) \(row): \(column) is no \(wanted): '\(text.prefix(200))'")
    }

    func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw unreadable(text, "IP address") }
        return address
    }

    func cidr(_ text: String) throws -> CIDR {
        guard let cidr = CIDR(text) else { throw unreadable(text, "CIDR") }
        return cidr
    }

    func mac(_ text: String) throws -> MACAddress {
        guard let mac = MACAddress(text) else { throw unreadable(text, "MAC address") }
        return mac
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt

/// What libvirt said of its last call on this thread.
struct LibvirtError: Error, CustomStringConvertible {
    let code: Int32
    let message: String
    /// There was no connection to begin with.
    var isUnreachable = false

    /// Reads and clears the thread's last error.
    static func last() -> LibvirtError {
        defer { virResetLastError() }
        guard let error = virGetLastError() else { return LibvirtError(code: 0, message: "no reason given") }
        let message = error.pointee.message.map { String(cString: $0) } ?? "no reason given"
        return LibvirtError(code: error.pointee.code, message: message)
    }

    var description: String { "libvirt \(code): \(message)" }

    func isCode(_ number: virErrorNumber) -> Bool { code == Int32(number.rawValue) }

    /// For the one who asked for `operation`; libvirt's own words name files of the host and go to the log only.
    func cloudError(_ operation: String) -> CloudError {
        if isUnreachable || isCode(VIR_ERR_NO_CONNECT) || isCode(VIR_ERR_RPC) || isCode(VIR_ERR_INVALID_CONN) {
            return CloudError(.unavailable, "The hypervisor is not reachable.", cause: "\(operation): \(self)")
        }
        return CloudError(.unavailable, "The hypervisor failed to \(operation).", cause: description)
    }
}

/// Throws libvirt's error when a call answered -1.
@discardableResult
func succeed(_ result: Int32) throws(LibvirtError) -> Int32 {
    guard result >= 0 else { throw LibvirtError.last() }
    return result
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import COpenSSL

/// Turns a failure of OpenSSL into a `.bug`: with valid arguments its calls fail only when memory is short or the
/// library is broken. The reason goes to the log alone.
func openSSLFailure(_ call: StaticString) -> CloudError {
    let code = ERR_get_error()
    ERR_clear_error()
    return CloudError(
        .bug, "An unexpected error prevented the server from fulfilling your request.",
        cause: "OpenSSL: \(call) failed with \(String(code, radix: 16))")
}

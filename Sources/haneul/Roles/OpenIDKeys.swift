// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityCore
import LinuxKit
import SecurityKit

/// Reads the keys of OpenID providers that the operator named. What cannot be read stops the start: a provider that is
/// silently not believed would be found out by its users.
enum OpenIDKeys {
    private static let maximumByteCount = 1 << 20

    static func read(_ config: IdentityConfig) throws -> TokenIssuers {
        var keys: [String: WebKeySet] = [:]
        for (issuer, path) in IdentityConfig.issuers(config.openIDIssuers) ?? [:] {
            guard let bytes = try FileSystem.read(path, limit: maximumByteCount) else {
                throw CommandFailure("\(path), with the keys of \(issuer), is not there.")
            }
            let json: JSON
            do { json = try JSONReader.read(bytes) } catch { throw CommandFailure("\(path) is not JSON.") }
            guard let set = WebKeySet(json) else {
                throw CommandFailure("\(path) has no key for signatures by RSA (2048 bits) or P-256.")
            }
            keys[issuer] = set
        }
        return TokenIssuers(audience: config.openIDAudience, keys: keys)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Seals and opens the passphrases of encrypted volumes, so that the database alone opens none.
package struct VolumeKeyring: Sendable {
    private let fernet: Fernet?

    /// The first key seals, all open. None: this cloud makes no encrypted volumes.
    package init(_ keys: [FernetKey]) { fernet = keys.isEmpty ? nil : Fernet(keys: keys) }

    package func seal(_ passphrase: String, at time: Timestamp) throws -> String {
        guard let fernet else {
            throw CloudError(.notImplemented, "This cloud keeps no keys, so it makes no encrypted volumes.")
        }
        return try fernet.seal(Array(passphrase.utf8), at: time)
    }

    package func open(_ sealed: String) throws -> String {
        guard let payload = fernet?.open(sealed)?.payload else {
            throw CloudError(
                .bug, "The key of the volume cannot be read.", cause: "sealed with a key that this cloud has not")
        }
        return String(decoding: payload, as: UTF8.self)
    }
}

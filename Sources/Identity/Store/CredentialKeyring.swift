// SPDX-License-Identifier: Apache-2.0
import BaseKit
import SecurityKit

/// Seals what credentials hold, so that the database alone gives away no seed and no secret (keystone:
/// `credential/core.py`).
struct CredentialKeyring: Sendable {
    private let fernet: Fernet
    private let clock: WallClock

    /// The first key seals, all open.
    init(_ keys: [FernetKey], clock: WallClock) {
        fernet = Fernet(keys: keys)
        self.clock = clock
    }

    func seal(_ blob: String) throws -> String { try fernet.seal(Array(blob.utf8), at: clock.now()) }

    func open(_ sealed: String) throws -> String {
        guard let payload = fernet.open(sealed)?.payload else {
            throw CloudError(
                .bug, "A stored credential cannot be read.", cause: "sealed with a key that this cloud has not")
        }
        return String(decoding: payload, as: UTF8.self)
    }
}

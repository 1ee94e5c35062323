// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A user's public key. Belongs to a user, not to a project.
package struct KeyPair: Sendable {
    package var number: Int64
    package var userID: UserID
    package var name: String
    /// `ssh` or `x509`.
    package var type: String
    package var fingerprint: String
    package var publicKey: String
    package var createdAt: Timestamp

    package init(
        number: Int64, userID: UserID, name: String, type: String, fingerprint: String, publicKey: String,
        createdAt: Timestamp
    ) {
        self.number = number
        self.userID = userID
        self.name = name
        self.type = type
        self.fingerprint = fingerprint
        self.publicKey = publicKey
        self.createdAt = createdAt
    }
}

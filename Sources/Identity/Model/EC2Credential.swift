// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import SecurityKit

/// What a credential gives at most, fixed by the token that made it. Kept beside the blob, which its user may change.
package struct CredentialBounds: Sendable, Equatable {
    /// It ends with this application credential, and never has more rights.
    package var applicationCredentialID: ApplicationCredentialID?
    /// Roles that it was made with. Nil: somebody who may do so made it for another user, whose roles count as they
    /// are.
    package var roleIDs: [RoleID]?

    package init(applicationCredentialID: ApplicationCredentialID? = nil, roleIDs: [RoleID]? = nil) {
        self.applicationCredentialID = applicationCredentialID
        self.roleIDs = roleIDs
    }

    /// Of the roles that its user has now, those that it was made with.
    package func effectiveRoles(ofUser current: [RoleID]) -> [RoleID] {
        guard let roleIDs else { return current }
        let granted = Set(roleIDs)
        return current.filter(granted.contains)
    }

    var text: String? { roleIDs.map { JSON.array($0.map { .string($0.rawValue) }).text() } }

    init(applicationCredentialID: ApplicationCredentialID?, column: String?) throws {
        self.applicationCredentialID = applicationCredentialID
        roleIDs = try column.map { text in
            guard case .array(let ids) = try JSONReader.read(text) else {
                throw CloudError(.bug, "A stored credential cannot be read.", cause: "role_ids")
            }
            return ids.compactMap { $0.string.map { RoleID($0) } }
        }
    }
}

/// Whose a credential is and what it may do.
struct CredentialHolder: Sendable {
    let userID: UserID
    let projectID: ProjectID?
    let type: String
    let bounds: CredentialBounds
}

/// An access key and its secret, as the blob of a credential of type `ec2` holds them.
package struct EC2Credential: Sendable {
    package static let type = "ec2"
    /// Parts of the blob that say what it is bound to; nobody changes them (keystone: `_validate_blob_update_keys`).
    static let boundKeys = ["trust_id", "app_cred_id", "access_token_id", "access_id"]
    static let maximumAccessKeyLength = 1024

    package var credential: Credential
    package var accessKey: String
    package var secret: Secret
    package var trustID: String?
    /// Its blob says that it depends on what no key of this cloud does, such as a trust, and so it gives nothing.
    var isForeign: Bool

    /// Nil for a credential of another type and for a blob that is none of an access key.
    init?(_ credential: Credential) {
        guard credential.type == Self.type, credential.projectID != nil,
            let blob = try? JSONReader.read(credential.blob),  // Not readable is no access key.
            let accessKey = blob["access"]?.string, let secret = blob["secret"]?.string,
            credential.id == Self.id(accessKey: accessKey)
        else { return nil }
        self.credential = credential
        self.accessKey = accessKey
        self.secret = Secret(secret)
        trustID = blob["trust_id"]?.string
        let applicationCredential = blob["app_cred_id"]?.string
        isForeign =
            trustID != nil || blob["access_token_id"]?.string != nil
            || applicationCredential != credential.bounds.applicationCredentialID?.rawValue
    }

    /// Found by its access key's digest, so that no list of them is a list of keys (keystone: `hash_access_key`).
    package static func id(accessKey: String) -> CredentialID {
        CredentialID(Hex.encode(Digest.of(Array(accessKey.utf8), .sha256)))
    }

    static func blob(accessKey: String, secret: String, applicationCredential: ApplicationCredentialID?) -> String {
        var fields: [String: JSON] = ["access": .string(accessKey), "secret": .string(secret), "trust_id": .null]
        if let applicationCredential { fields["app_cred_id"] = .string(applicationCredential.rawValue) }
        return JSON.object(fields).text()
    }
}

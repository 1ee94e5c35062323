// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Failures in upstream's words (keystone: `exception.py`).
enum IdentityError {
    /// One answer for every reason why somebody could not sign in, so that none can be told from another.
    static let unauthorized = CloudError(.unauthorized, "The request you have made requires authentication.")

    static func notFound(_ noun: String, _ id: String) -> CloudError {
        .notFound("Could not find \(noun): \(id.prefix(255)).")
    }

    static func duplicate(_ type: String, _ field: String, _ value: String) -> CloudError {
        .conflict(
            "Conflict occurred attempting to store \(type) - Duplicate entry found with \(field) \(value.prefix(255)).")
    }

    static func immutable(_ type: String, _ id: String, deletes: Bool = false) -> CloudError {
        .forbidden(
            "Unable to \(deletes ? "delete" : "update") immutable \(type) resource: `\(id)`. "
                + "Set resource option \"immutable\" to false first.")
    }

    /// keystone: `READ_ONLY_LDAP_ERROR_MESSAGE`.
    static let readOnlyDirectory = CloudError.forbidden("LDAP does not support write operations")

    static func validation(_ attribute: String, in target: String) -> CloudError {
        .badRequest(
            "Expecting to find \(attribute) in \(target). The server could not comply with the request since it is "
                + "either malformed or otherwise incorrect. The client is assumed to be in error.")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import IdentityContract

/// Ties credentials that sign requests to the rights of who makes them: then, and whenever they are used.
struct CredentialBinder: Sendable {
    private let resolver = AccessResolver()

    /// What a credential may do at most that `holder` makes.
    func bounds(of credential: Credential, madeBy holder: Principal, _ tx: any Transaction) throws -> CredentialBounds {
        guard credential.type.lowercased() == EC2Credential.type, let project = credential.projectID else {
            return CredentialBounds()
        }
        if holder.isDelegated {
            // Of this user and this project, or `checkMaking` and the rule would have refused.
            return CredentialBounds(
                applicationCredentialID: holder.applicationCredentialID.map { ApplicationCredentialID($0) },
                roleIDs: holder.roles.map { RoleID($0.id) })
        }
        guard credential.userID == holder.userID else { return CredentialBounds() }
        return CredentialBounds(
            roleIDs: try resolver.effectiveRoleIDs(of: credential.userID, in: .project(project), tx))
    }

    /// A credential that passes to another project or user is as if it was made there, and stays tied to what it was.
    func rebind(_ credential: inout Credential, from old: Credential, by holder: Principal, _ tx: any Transaction)
        throws
    {
        guard credential.projectID != old.projectID || credential.userID != old.userID else { return }
        let bounds = try bounds(of: credential, madeBy: holder, tx)
        credential.bounds.roleIDs = bounds.roleIDs
        if let id = bounds.applicationCredentialID { credential.bounds.applicationCredentialID = id }
    }

    /// An application credential reaches the access keys that it made, which end with it. No other delegation reaches any
    /// credential, and none reaches those of other types: a secret that can be read can be used, and outlasts the
    /// delegation (keystone: `_require_primary_auth`).
    static func isInReach(_ credential: Credential, of holder: Principal) -> Bool {
        guard holder.isDelegated else { return true }
        guard let id = holder.applicationCredentialID, mayKeep(credential.type, on: credential.projectID, holder) else {
            return false
        }
        return credential.bounds.applicationCredentialID?.rawValue == id
    }

    private static func mayKeep(_ type: String, on project: ProjectID?, _ holder: Principal) -> Bool {
        !holder.hasBorrowedRights && !holder.isOfAccessKey && type.lowercased() == EC2Credential.type
            && project == holder.projectID
    }

    /// Whether `holder` may make a credential of the type, for the project.
    static func checkMaking(_ type: String, for project: ProjectID?, by holder: Principal) throws {
        guard holder.isDelegated else { return }
        guard mayKeep(type, on: project, holder) else {
            throw CloudError.forbidden("You are not authorized to perform the requested action.")
        }
    }

    /// The blob of a new credential: it names the application credential that it is bound to, and no other.
    static func boundBlob(_ draft: CredentialDraft, by holder: Principal) throws -> String {
        guard draft.type.lowercased() == EC2Credential.type,
            case .object(var fields)? = try? JSONReader.read(draft.blob)  // Malformed text is refused elsewhere.
        else { return draft.blob }
        let named = fields["app_cred_id"]?.string
        guard named != holder.applicationCredentialID else { return draft.blob }
        fields["app_cred_id"] = holder.applicationCredentialID.map { .string($0) }
        return JSON.object(fields).text()
    }

    /// Throws `.badRequest` when a change would untie an `ec2` credential, or give it another access key's name.
    static func checkUnchanged(_ old: Credential, _ new: Credential) throws {
        guard old.type.lowercased() == EC2Credential.type, old.blob != new.blob else { return }
        guard case .object(let fields)? = try? JSONReader.read(new.blob) else {  // Malformed is refused here.
            throw CloudError.badRequest("Invalid blob in credential")
        }
        guard fields["access"]?.string != nil else { throw IdentityError.validation("access", in: "credential") }
        let before = (try? JSONReader.read(old.blob)) ?? .null  // What was never readable named nothing.
        for key in EC2Credential.boundKeys where before[key]?.string != fields[key]?.string {
            throw CloudError.badRequest("\(key) can not be updated for credential")
        }
    }
}

extension Principal {
    /// Acts with rights that somebody handed on, not by having shown who they are.
    package var isDelegated: Bool {
        applicationCredentialID != nil || hasBorrowedRights || isOfAccessKey
    }

    /// Somebody signed a request with an access key for it.
    package var isOfAccessKey: Bool { methods.contains("ec2credential") }
}

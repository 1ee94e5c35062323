// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// On whose behalf something is read or written.
package enum StorageCaller: Sendable {
    case anonymous
    case user(Principal)
    /// Holds a key of an account, or of one container of it: a temporary URL, a signed form.
    case keyHolder(of: ObjectPath)
    /// The store itself, for a step of a request that was allowed as a whole.
    case system
}

package enum StorageAction: Sendable, Equatable {
    case readAccount, writeAccount, removeAccount
    case readContainer, writeContainer
    case readObject, writeObject

    package var isRead: Bool {
        switch self {
        case .readAccount, .readContainer, .readObject: true
        default: false
        }
    }
}

package struct AccessQuestion: Sendable {
    package var path: ObjectPath
    package var action: StorageAction
    /// Of the container, for reading or for writing; nil where none counts.
    package var acl: ContainerACL?
    package var accountACL: AccountACL?
    /// The domain of the account's project, as far as it is known.
    package var accountDomainID: String?
    package var referrer: String?

    package init(path: ObjectPath, action: StorageAction) {
        self.path = path
        self.action = action
    }
}

package enum AccessDecision: Sendable, Equatable {
    /// An owner also sees and sets what is kept from guests: ACLs, keys.
    case allowed(asOwner: Bool)
    case denied
}

/// Upstream's rules for Keystone's users (keystoneauth), as one pure function.
package struct AccessRules: Sendable {
    /// Stands before a project's id in the name of its account.
    package var resellerPrefix = "AUTH_"
    package var operatorRoles: Set<String> = ["admin", "manager", "member", "swiftoperator"]
    package var readerRoles: Set<String> = ["reader"]
    package var resellerRole = "reselleradmin"
    /// Names count in ACLs between projects and users of this domain only: elsewhere they are not unique.
    package var defaultDomainID = "default"

    package init() {}

    package func account(of project: ProjectID) -> String { resellerPrefix + project.rawValue }

    package func isReseller(_ caller: StorageCaller) -> Bool {
        switch caller {
        case .user(let principal): principal.roles.contains { $0.name.asciiLowercased().isByteEqual(to: resellerRole) }
        case .system: true
        case .anonymous, .keyHolder: false
        }
    }

    package func decide(_ question: AccessQuestion, for caller: StorageCaller) -> AccessDecision {
        switch caller {
        case .system: .allowed(asOwner: true)
        case .anonymous: allowsAnybody(question) == true ? .allowed(asOwner: false) : .denied
        case .keyHolder(let scope): decide(question, forKeyOf: scope)
        case .user(let principal): decide(question, for: principal)
        }
    }

    private func decide(_ question: AccessQuestion, forKeyOf scope: ObjectPath) -> AccessDecision {
        guard question.path.ofAccount == scope.ofAccount, question.path.container != nil || question.action.isRead,
            scope.container == nil || scope.ofContainer == question.path.ofContainer
        else { return .denied }
        return .allowed(asOwner: false)
    }

    private func decide(_ question: AccessQuestion, for principal: Principal) -> AccessDecision {
        let roles = Set(principal.roles.map { ByteText($0.name.asciiLowercased()) })
        if roles.contains(ByteText(resellerRole)) { return .allowed(asOwner: true) }
        if question.action == .removeAccount { return .denied }
        let isOwn = principal.projectID.map { question.path.account.isByteEqual(to: account(of: $0)) } ?? false
        if isOwn, operatorRoles.contains(where: { roles.contains(ByteText($0)) }) { return .allowed(asOwner: true) }
        if let acl = question.acl, !acl.groups.isEmpty, isNamed(in: acl, principal, question) {
            return .allowed(asOwner: false)
        }
        let anybody = allowsAnybody(question)
        if anybody == true { return .allowed(asOwner: false) }
        if let decision = decide(byAccountACL: question, principal) { return decision }
        guard isOwn else { return .denied }
        if question.action.isRead, readerRoles.contains(where: { roles.contains(ByteText($0)) }) {
            return .allowed(asOwner: false)
        }
        if anybody != nil { return .denied }
        let named = Set((question.acl?.groups ?? []).map { ByteText($0.asciiLowercased()) })
        return roles.isDisjoint(with: named) ? .denied : .allowed(asOwner: false)
    }

    /// By referrer. False: the referrer is let in, but not to listings. Nil: the ACL says nothing of it.
    private func allowsAnybody(_ question: AccessQuestion) -> Bool? {
        guard let acl = question.acl, acl.allows(referrer: question.referrer) else { return nil }
        return question.path.object != nil || acl.allowsListings
    }

    private func isNamed(in acl: ContainerACL, _ principal: Principal, _ question: AccessQuestion) -> Bool {
        var projects: Set<ByteText> = ["*"]
        var users: Set<ByteText> = ["*", ByteText(principal.userID.rawValue)]
        if case .project(let id, let name, let domain) = principal.scope {
            projects.insert(ByteText(id.rawValue))
            let isOwn = question.path.account.isByteEqual(to: account(of: id))
            if isDefault(principal.userDomain.id), isDefault(domain.id),
                isOwn || isDefault(question.accountDomainID ?? defaultDomainID)
            {
                projects.insert(ByteText(name))
                users.insert(ByteText(principal.userName))
            }
        }
        return acl.groups.contains { group in
            guard let colon = group.firstIndex(ofByte: ":") else { return false }
            return projects.contains(ByteText(group[..<colon]))
                && users.contains(ByteText(group.text(after: colon)))
        }
    }

    private func isDefault(_ domain: String) -> Bool { domain.isByteEqual(to: defaultDomainID) }

    private func decide(byAccountACL question: AccessQuestion, _ principal: Principal) -> AccessDecision? {
        guard let acl = question.accountACL else { return nil }
        var names: Set<ByteText> = [ByteText(principal.userID.rawValue)]
        if case .project(let id, let name, _) = principal.scope {
            names.formUnion([ByteText(id.rawValue), ByteText("\(id.rawValue):\(principal.userID.rawValue)")])
            if isDefault(principal.userDomain.id) { names.insert(ByteText("\(name):\(principal.userName)")) }
        }
        func isNamed(_ list: [String]) -> Bool { list.contains { names.contains(ByteText($0)) } }
        if isNamed(acl.admin) { return .allowed(asOwner: true) }
        if isNamed(acl.readWrite), question.action != .writeAccount { return .allowed(asOwner: false) }
        if isNamed(acl.readOnly), question.action.isRead { return .allowed(asOwner: false) }
        return nil
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// A caller has no right to what it asked for. `isKnown`: it said who it is, and that was true.
package struct AccessDenied: Error, Sendable {
    package let isKnown: Bool
    package init(isKnown: Bool) { self.isKnown = isKnown }
}

/// An account that a caller may use in the way that was asked. Only the gate makes one.
package struct AccountAccess: Sendable {
    package let path: ObjectPath
    /// Nil: it was never made, or deleted.
    package let record: IndexRecord?
    package let isOwner: Bool
    package let mayWrite: Bool

    fileprivate init(path: ObjectPath, record: IndexRecord?, isOwner: Bool, mayWrite: Bool) {
        self.path = path
        self.record = record
        self.isOwner = isOwner
        self.mayWrite = mayWrite
    }
}

/// A container that a caller may use in the way that was asked. Only the gate makes one.
package struct ContainerAccess: Sendable {
    package let path: ObjectPath
    /// Nil: there is no such container.
    package let record: IndexRecord?
    package let isOwner: Bool
    package let mayWrite: Bool

    fileprivate init(path: ObjectPath, record: IndexRecord?, isOwner: Bool, mayWrite: Bool) {
        self.path = path
        self.record = record
        self.isOwner = isOwner
        self.mayWrite = mayWrite
    }
}

/// The place of an object, there or not, that a caller may use in the way that was asked. Only the gate makes one.
package struct ObjectAccess: Sendable {
    package let path: ObjectPath
    package let container: IndexRecord
    package let isOwner: Bool
    package let mayWrite: Bool

    fileprivate init(path: ObjectPath, container: IndexRecord, isOwner: Bool, mayWrite: Bool) {
        self.path = path
        self.container = container
        self.isOwner = isOwner
        self.mayWrite = mayWrite
    }
}

/// Where every account, container and object is fetched from: whoever has one was allowed to.
package struct AccessGate: Sendable {
    package let cluster: StorageCluster
    package let rules: AccessRules

    package init(cluster: StorageCluster, rules: AccessRules = AccessRules()) {
        self.cluster = cluster
        self.rules = rules
    }

    package func account(
        _ path: ObjectPath, _ action: StorageAction, for caller: StorageCaller, referrer: String? = nil
    ) async throws -> AccountAccess {
        let record = try await cluster.index(path.ofAccount)
        var question = AccessQuestion(path: path.ofAccount, action: action)
        question.referrer = referrer
        fill(&question, record)
        let isOwner = try rules.ask(question, caller)
        return AccountAccess(path: path.ofAccount, record: record, isOwner: isOwner, mayWrite: !action.isRead)
    }

    /// The container, or the place where it could be.
    package func container(
        _ path: ObjectPath, _ action: StorageAction, for caller: StorageCaller, referrer: String? = nil,
        seen: SeenContainers? = nil
    ) async throws -> ContainerAccess {
        let record = try await container(path.ofContainer, action.isRead ? seen : nil)
        var question = AccessQuestion(path: path.ofContainer, action: action)
        question.referrer = referrer
        if action == .readContainer { question.acl = ContainerACL(record?.header(StorageHeader.readACL)) }
        let isOwner = try await ask(question, caller)
        return ContainerAccess(path: path.ofContainer, record: record, isOwner: isOwner, mayWrite: !action.isRead)
    }

    /// Throws `.notFound`, after the caller's right was checked, where there is no container.
    package func object(
        _ path: ObjectPath, _ action: StorageAction, for caller: StorageCaller, referrer: String? = nil,
        seen: SeenContainers? = nil
    ) async throws -> ObjectAccess {
        let record = try await container(path.ofContainer, seen)
        var question = AccessQuestion(path: path, action: action)
        question.referrer = referrer
        let name = action == .readObject ? StorageHeader.readACL : StorageHeader.writeACL
        question.acl = ContainerACL(record?.header(name))
        let isOwner = try await ask(question, caller)
        guard let record else { throw CloudError.notFound("The container does not exist.") }
        return ObjectAccess(path: path, container: record, isOwner: isOwner, mayWrite: !action.isRead)
    }

    private func container(_ path: ObjectPath, _ seen: SeenContainers?) async throws -> IndexRecord? {
        if let found = seen?.record(path) { return found.record }
        let record = try await cluster.index(path)
        seen?.put(path, record)
        return record
    }

    /// The account is loaded only where it can change the answer: not for a user of the account's own project.
    private func ask(_ question: AccessQuestion, _ caller: StorageCaller) async throws -> Bool {
        guard case .user(let principal) = caller else { return try rules.ask(question, caller) }
        if let project = principal.projectID, question.path.account.isByteEqual(to: rules.account(of: project)),
            case .allowed(let isOwner) = rules.decide(question, for: caller)
        {
            return isOwner
        }
        var question = question
        fill(&question, try await cluster.index(question.path.ofAccount))
        return try rules.ask(question, caller)
    }

    private func fill(_ question: inout AccessQuestion, _ account: IndexRecord?) {
        question.accountACL = AccountACL(kept: account?.header(StorageHeader.accountACL))
        question.accountDomainID = account?.header(StorageHeader.projectDomain)
    }
}

extension AccessRules {
    /// Whether the caller is an owner. Throws `AccessDenied` when it may not do it at all.
    fileprivate func ask(_ question: AccessQuestion, _ caller: StorageCaller) throws -> Bool {
        if case .allowed(let isOwner) = decide(question, for: caller) { return isOwner }
        if case .user = caller { throw AccessDenied(isKnown: true) }
        throw AccessDenied(isKnown: false)
    }
}

/// Names of headers, in lower case, that more than one part of the store reads.
package enum StorageHeader {
    package static let readACL = "x-container-read"
    package static let writeACL = "x-container-write"
    package static let accountACL = "x-account-sysmeta-core-access-control"
    package static let projectDomain = "x-account-sysmeta-project-domain-id"
    package static let deleteAt = "x-delete-at"
    /// What a feature has a container's row say instead of the object's own.
    package static let rowETag = "x-object-sysmeta-container-update-override-etag"
    package static let manifestETag = "x-object-sysmeta-slo-etag"
    package static let manifestSize = "x-object-sysmeta-slo-size"
    package static let isManifest = "x-static-large-object"
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// One call on behalf of somebody: who, under which rule, in which version of the API.
///
/// Loading an object checks who may: a store's rows leave an engine only through `authorize`. The router refuses
/// the answer of a handler whose route names a rule for objects and that never asked.
package struct CallContext: Sendable {
    package let principal: Principal
    package let requestID: String
    /// The rule of the route that was called.
    package let policy: PolicyName
    package let microversion: Microversion
    private let enforcer: PolicyEnforcer
    private let witness: AuthorizationWitness

    package init(
        principal: Principal, requestID: String, policy: PolicyName, enforcer: PolicyEnforcer,
        microversion: Microversion = .zero, witness: AuthorizationWitness = AuthorizationWitness()
    ) {
        self.principal = principal
        self.requestID = requestID
        self.policy = policy
        self.enforcer = enforcer
        self.microversion = microversion
        self.witness = witness
    }

    package var projectID: ProjectID? { principal.projectID }

    /// The same call under another rule, where one route stands for many actions.
    package func acting(as policy: PolicyName) -> CallContext {
        CallContext(
            principal: principal, requestID: requestID, policy: policy, enforcer: enforcer, microversion: microversion,
            witness: witness)
    }

    /// The project that new objects belong to. Throws `.forbidden` for a token without one.
    package func requireProject() throws -> ProjectID {
        guard let project = principal.projectID else {
            throw CloudError(.forbidden, "This needs a token that is scoped to a project.")
        }
        return project
    }

    /// Whether `policy` lets the caller act on `target`; for fields and filters that only some may see.
    package func allows(_ policy: PolicyName, _ target: PolicyTarget) -> Bool {
        enforcer.allows(policy, principal, target)
    }

    /// Throws `.forbidden` unless the route's rule (or `policy`) lets the caller act on `target`.
    package func authorize(_ target: PolicyTarget, as policy: PolicyName? = nil) throws {
        witness.asked.store(true, ordering: .relaxed)
        let rule = policy ?? self.policy
        guard enforcer.allows(rule, principal, target) else {
            throw CloudError(
                .forbidden, "Policy doesn't allow \(rule) to be performed.", kind: "PolicyNotAuthorized")
        }
    }

    /// For lists: which rows the caller may see is part of the query (`WHERE project_id = …`), so nothing is loaded
    /// that needs a check. Says so to the router.
    package func authorizeListing() { witness.asked.store(true, ordering: .relaxed) }

    /// Whether the caller counts as an administrator of the service: by its rule `context_is_admin`, where it has one.
    package var isAdmin: Bool { enforcer.countsAsAdmin(principal) }

    /// Whether the caller sees every project's rows (`all_tenants`).
    package var allowsAllProjects: Bool { isAdmin }

    /// Whether rows of `project` are there for the caller at all: another's are as absent as ones that never were.
    package func sees(_ project: ProjectID?) -> Bool { project == projectID || allowsAllProjects }
}

/// Whether a handler asked. Shared by the copies of one call's context.
package final class AuthorizationWitness: Sendable {
    package let asked = Atomic<Bool>(false)
    package init() {}
}

/// `2.90`. Zero where the service has none.
package struct Microversion: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let major: Int
    package let minor: Int

    package init(_ major: Int, _ minor: Int) {
        self.major = major
        self.minor = minor
    }

    package static let zero = Microversion(0, 0)

    /// Reads `2.90`; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = Self.number(parts[0]), let minor = Self.number(parts[1]), major > 0 else {
            return nil
        }
        self.init(major, minor)
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...4).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        // As upstream: 2.01 is no version.
        return text == "0" || !text.hasPrefix("0") ? Int(text) : nil
    }

    package static func < (left: Self, right: Self) -> Bool { (left.major, left.minor) < (right.major, right.minor) }

    package var description: String { "\(major).\(minor)" }
}

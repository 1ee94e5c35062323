// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// One resource of which a request wants more than the project may have.
package struct QuotaExcess: Sendable, Equatable {
    package let resource: String
    package let requested: Int
    package let used: Int
    package let limit: Int

    /// As Compute says it. Services with words of their own pass their own function to `check`.
    package static func error(_ excesses: [QuotaExcess]) -> CloudError {
        func list(_ value: (QuotaExcess) -> Int) -> String {
            excesses.map { "\(value($0))" }.joined(separator: ", ")
        }
        let names = excesses.map(\.resource).joined(separator: ", ")
        return CloudError(
            .overQuota,
            "Quota exceeded for \(names): Requested \(list(\.requested)), but already used \(list(\.used)) of "
                + "\(list(\.limit)) \(names)",
            kind: "OverQuota")
    }
}

/// What a project may have, and has, by resource.
package struct QuotaUsage: Sendable {
    /// -1: no limit.
    package let limits: [String: Int]
    package let used: [String: Int]

    package init(limits: [String: Int], used: [String: Int]) {
        self.limits = limits
        self.used = used
    }

    package func limit(of resource: String) -> Int { limits[resource] ?? -1 }
    package func use(of resource: String) -> Int { used[resource] ?? 0 }
}

/// The limits of one service. Every call runs in the caller's transaction, beside the rows that are counted, so that
/// two requests cannot both take the last place.
package struct QuotaEngine: Sendable {
    /// No limit.
    package static let unlimited = -1
    /// The class whose limits hold for projects that have none of their own.
    package static let defaultClass = "default"

    /// What holds when nobody has changed anything. Its keys are all the resources there are.
    package let defaults: [String: Int]
    private let store: QuotaStore

    package init(service: String, defaults: [String: Int]) {
        self.defaults = defaults
        store = QuotaStore(service: service)
    }

    // MARK: Limits

    package func limit(_ resource: String, of project: ProjectID, _ transaction: any Transaction) throws -> Int {
        guard let limit = try limits(of: project, transaction)[resource] else {
            preconditionFailure("no quota is named \(resource)")
        }
        return limit
    }

    /// All resources.
    package func limits(of project: ProjectID, _ transaction: any Transaction) throws -> [String: Int] {
        merged(try classLimits(transaction), try store.limits(of: project, transaction))
    }

    /// All resources, for a project without limits of its own. Classes besides the default one limit nobody.
    package func classLimits(
        of name: String = QuotaEngine.defaultClass, _ transaction: any Transaction
    ) throws -> [String: Int] {
        merged(defaults, try store.limits(ofClass: name, transaction))
    }

    /// Projects with limits of their own.
    package func projects(_ transaction: any Transaction) throws -> [ProjectID] { try store.projects(transaction) }

    /// Limits below the present use are allowed: they stop growth only.
    package func set(_ limits: [String: Int], for project: ProjectID, _ transaction: any Transaction) throws {
        for (resource, limit) in try checked(limits) { try store.set(resource, limit, for: project, transaction) }
    }

    package func setClass(
        _ limits: [String: Int], of name: String = QuotaEngine.defaultClass, _ transaction: any Transaction
    ) throws {
        for (resource, limit) in try checked(limits) {
            try store.set(resource, limit, forClass: name, transaction)
        }
    }

    /// Back to the defaults. False: there was nothing to delete.
    @discardableResult
    package func delete(_ project: ProjectID, _ transaction: any Transaction) throws -> Bool {
        try store.delete(project, transaction) > 0
    }

    /// Limits of resources that come and go, such as those that carry the name of a type.
    package func rename(_ resource: String, to name: String, _ transaction: any Transaction) throws {
        try store.forget(name, transaction)
        try store.rename(resource, to: name, transaction)
    }

    package func forget(_ resource: String, _ transaction: any Transaction) throws {
        try store.forget(resource, transaction)
    }

    // MARK: Check

    /// Throws `.overQuota` when `project` may not have `wanted` more. `usage` counts, by SQL in this transaction, how
    /// much of a resource the project has; it is not asked for what is unlimited.
    package func check(
        _ project: ProjectID, _ wanted: [String: Int], _ transaction: any Transaction,
        error: ([QuotaExcess]) -> CloudError = QuotaExcess.error, usage: (_ resource: String) throws -> Int
    ) throws {
        let excesses = try excesses(project, wanted, transaction, usage: usage)
        if !excesses.isEmpty { throw error(excesses) }
    }

    /// What `check` would refuse, by name of the resource.
    package func excesses(
        _ project: ProjectID, _ wanted: [String: Int], _ transaction: any Transaction,
        usage: (_ resource: String) throws -> Int
    ) throws -> [QuotaExcess] {
        let limits = try limits(of: project, transaction)
        for resource in wanted.keys where limits[resource] == nil {
            preconditionFailure("no quota is named \(resource)")
        }
        return try Self.excesses(wanted, over: limits, usage: usage)
    }

    /// What of `wanted` goes beyond `limits`, such as those of one user; what has no limit there goes beyond none.
    package static func excesses(
        _ wanted: [String: Int], over limits: [String: Int], usage: (_ resource: String) throws -> Int
    ) throws -> [QuotaExcess] {
        var excesses: [QuotaExcess] = []
        for (resource, amount) in wanted.sorted(by: { $0.key < $1.key }) where amount > 0 {
            guard let limit = limits[resource], limit >= 0 else { continue }
            let used = try usage(resource)
            let (total, isTooLarge) = used.addingReportingOverflow(amount)
            if isTooLarge || total > limit {
                excesses.append(QuotaExcess(resource: resource, requested: amount, used: used, limit: limit))
            }
        }
        return excesses
    }

    // MARK: Private

    /// Rows of resources that this version does not know are left out.
    private func merged(_ base: [String: Int], _ rows: [(String, Int)]) -> [String: Int] {
        var limits = base
        for (resource, limit) in rows where limits[resource] != nil { limits[resource] = limit }
        return limits
    }

    private func checked(_ limits: [String: Int]) throws -> [(key: String, value: Int)] {
        for (resource, limit) in limits {
            guard defaults[resource] != nil else { throw CloudError.badRequest("Unknown quota resources \(resource).") }
            guard limit >= Self.unlimited, limit <= Int(Int32.max) else {
                throw CloudError.badRequest(
                    "Quota limit \(limit) for \(resource) must be in the range of -1 to \(Int32.max).")
            }
        }
        return limits.sorted { $0.key < $1.key }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore

/// What the operator chose for the API.
package struct SwiftSettings: Sendable {
    package var limits = StorageLimits()
    package var rules = AccessRules()
    /// As they are now; a policy may be added while the service runs.
    package var policies: @Sendable () -> StoragePolicies
    /// Origins that may read any container from a browser.
    package var corsOrigins: [String] = []
    package var corsExposedHeaders: [String] = []
    /// An answer tells a browser of its origin only where the container allows that origin.
    package var isCORSStrict = true

    /// `X-Open-Expired` shows objects that have expired and are not removed yet.
    package var allowsOpenExpired = false

    package init(policies: @escaping @Sendable () -> StoragePolicies) { self.policies = policies }

    func policyName(_ index: Int) -> String? { policies()[index]?.name }

    func policyIndex(_ name: String) -> Int? { policies()[name]?.index }
    func isDeprecated(_ index: Int) -> Bool { policies()[index]?.isDeprecated ?? false }
    var defaultPolicy: Int { policies().defaultPolicy.index }

    /// An account remembers its project's domain: names in ACLs count within the default domain only.
    func domainHeader(of caller: StorageCaller, _ path: ObjectPath, _ record: IndexRecord?) -> [String: String] {
        guard record?.header(StorageHeader.projectDomain) == nil, case .user(let principal) = caller,
            case .project(let id, _, let domain) = principal.scope, rules.account(of: id).isByteEqual(to: path.account)
        else { return [:] }
        return [StorageHeader.projectDomain: domain.id]
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Where a list begins, how long it is and how it is sorted.
package struct ResourcePage: Sendable {
    package struct Sort: Sendable {
        package var key: String
        package var isDescending: Bool
        package init(_ key: String, isDescending: Bool) {
            self.key = key
            self.isDescending = isDescending
        }
    }
    package var limit: Int
    package var offset = 0
    /// The id of the last object of the page before.
    package var marker: String?
    package var sort = [Sort("created_at", isDescending: true)]
    package init(limit: Int) { self.limit = limit }
}

/// Which objects a list shows, by the API's names of fields.
package struct ResourceFilter: Sendable {
    /// Nil: every project's.
    package var project: ProjectID?
    package var equals: [String: String] = [:]
    /// Text that the field contains.
    package var contains: [String: String] = [:]
    package init(project: ProjectID?) { self.project = project }
}

import BaseKit
// SPDX-License-Identifier: Apache-2.0
import ImageContract
import Synchronization

/// How many images are fetched at the same time, in all and for one project. A server that sends slowly holds a place
/// for hours: without a bound, few such imports would leave no room for any other work of the cloud.
package final class DownloadPlaces: Sendable {
    package static let all = 32
    package static let ofOneProject = 4

    private let taken = Mutex<[ProjectID?: Int]>([:])

    package init() {}

    /// False: there is no place now.
    package func enter(_ owner: ProjectID?) -> Bool {
        taken.withLock { taken in
            let own = taken[owner] ?? 0
            guard own < Self.ofOneProject, taken.values.reduce(0, +) < Self.all else { return false }
            taken[owner] = own + 1
            return true
        }
    }

    package func leave(_ owner: ProjectID?) {
        taken.withLock { taken in
            let left = (taken[owner] ?? 0) - 1
            precondition(left >= 0, "nobody entered")
            taken[owner] = left == 0 ? nil : left
        }
    }
}

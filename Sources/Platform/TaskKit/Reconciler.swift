// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Compares the database with the world and repairs the world. No input, whole scan, idempotent.
package protocol Reconciler: Sendable {
    var name: String { get }
    /// The longest time between two scans when nobody wakes it.
    var interval: Duration { get }
    /// One whole scan. Returns how many things it repaired.
    func reconcile() async throws -> Int
}

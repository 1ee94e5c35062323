// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A long-lived part of the process. `run()` returns when the task is cancelled, after a clean stop.
package protocol Service: Sendable {
    var name: String { get }
    func run() async throws
}

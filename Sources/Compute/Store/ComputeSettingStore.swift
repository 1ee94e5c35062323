// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// Small facts that are set once, such as that the flavors have been laid.
package struct ComputeSettingStore: Sendable {
    package init() {}

    package func value(_ name: String, _ transaction: any Transaction) throws -> String? {
        try transaction.first("SELECT value FROM compute_settings WHERE name = \(name)") { $0.text(0) }
    }

    package func set(_ name: String, _ value: String, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO compute_settings (name, value) VALUES (\(name), \(value))
            ON CONFLICT (name) DO UPDATE SET value = excluded.value
            """)
    }
}

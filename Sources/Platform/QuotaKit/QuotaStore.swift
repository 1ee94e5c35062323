// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// Limits that differ from the service's defaults. Usage is never stored.
package enum QuotaMigrations {
    package static let all = [
        Migration(
            "quota-0001-limits",
            [
                """
                CREATE TABLE quota_limits (
                    service TEXT NOT NULL, project_id TEXT NOT NULL, resource TEXT NOT NULL,
                    hard_limit BIGINT NOT NULL,
                    PRIMARY KEY (service, project_id, resource))
                """,
                """
                CREATE TABLE quota_class_limits (
                    service TEXT NOT NULL, class_name TEXT NOT NULL, resource TEXT NOT NULL,
                    hard_limit BIGINT NOT NULL,
                    PRIMARY KEY (service, class_name, resource))
                """,
            ])
    ]
}

/// SQL of `quota_limits` and `quota_class_limits`.
struct QuotaStore: Sendable {
    let service: String

    func limits(of project: ProjectID, _ transaction: any Transaction) throws -> [(String, Int)] {
        try transaction.query(
            "SELECT resource, hard_limit FROM quota_limits WHERE service = \(service) AND project_id = \(project)"
        ) { ($0.text(0), $0.int(1)) }
    }

    func limits(ofClass name: String, _ transaction: any Transaction) throws -> [(String, Int)] {
        try transaction.query(
            "SELECT resource, hard_limit FROM quota_class_limits WHERE service = \(service) AND class_name = \(name)"
        ) { ($0.text(0), $0.int(1)) }
    }

    func set(_ resource: String, _ limit: Int, for project: ProjectID, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO quota_limits (service, project_id, resource, hard_limit)
            VALUES (\(service), \(project), \(resource), \(limit))
            ON CONFLICT (service, project_id, resource) DO UPDATE SET hard_limit = excluded.hard_limit
            """)
    }

    func set(_ resource: String, _ limit: Int, forClass name: String, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO quota_class_limits (service, class_name, resource, hard_limit)
            VALUES (\(service), \(name), \(resource), \(limit))
            ON CONFLICT (service, class_name, resource) DO UPDATE SET hard_limit = excluded.hard_limit
            """)
    }

    func delete(_ project: ProjectID, _ transaction: any Transaction) throws -> Int {
        try transaction.execute("DELETE FROM quota_limits WHERE service = \(service) AND project_id = \(project)")
    }

    /// A resource has another name from now on: what carries a type's name, when the type is renamed.
    func rename(_ resource: String, to name: String, _ transaction: any Transaction) throws {
        try transaction.execute(
            "UPDATE quota_limits SET resource = \(name) WHERE service = \(service) AND resource = \(resource)")
        try transaction.execute(
            "UPDATE quota_class_limits SET resource = \(name) WHERE service = \(service) AND resource = \(resource)")
    }

    func forget(_ resource: String, _ transaction: any Transaction) throws {
        try transaction.execute("DELETE FROM quota_limits WHERE service = \(service) AND resource = \(resource)")
        try transaction.execute(
            "DELETE FROM quota_class_limits WHERE service = \(service) AND resource = \(resource)")
    }

    func projects(_ transaction: any Transaction) throws -> [ProjectID] {
        try transaction.query(
            "SELECT DISTINCT project_id FROM quota_limits WHERE service = \(service) ORDER BY project_id"
        ) { $0.id(0) }
    }
}

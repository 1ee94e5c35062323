// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import QuotaKit
import TestKit
import Testing

/// Goal: limits come from the project, then the class, then the defaults; a check counts and never lets two through.
/// Method: a table of things, limits around its count.
@Suite("Quota")
struct QuotaTests {
    private let quota = QuotaEngine(
        service: "test", defaults: ["things": 2, "bytes": 100, "free": QuotaEngine.unlimited])
    private let project = ProjectID("p1")

    private func database() async throws -> SQLiteDatabase {
        try await TestDatabase.make(
            QuotaMigrations.all,
            [Migration("things", ["CREATE TABLE things (id BIGINT PRIMARY KEY, project_id TEXT NOT NULL)"])])
    }

    @Test("project over class over defaults; deleted limits fall back")
    func precedence() async throws {
        let (quota, project) = (quota, project)
        try await database().write { transaction in
            #expect(try quota.limits(of: project, transaction) == ["things": 2, "bytes": 100, "free": -1])
            try quota.setClass(["things": 5, "bytes": 50], transaction)
            try quota.set(["things": 9], for: project, transaction)
            try quota.set(["things": 10], for: project, transaction)
            #expect(try quota.limits(of: project, transaction) == ["things": 10, "bytes": 50, "free": -1])
            #expect(try quota.limits(of: "p2", transaction)["things"] == 5)
            let other = QuotaEngine(service: "other", defaults: ["things": 1])
            #expect(try other.limit("things", of: project, transaction) == 1)
            #expect(try quota.projects(transaction) == [project])
            #expect(try quota.delete(project, transaction))
            #expect(try !quota.delete(project, transaction))
            #expect(try quota.limit("things", of: project, transaction) == 5)
        }
    }

    @Test("unknown resources and limits below -1 are refused", arguments: [["nothing": 1], ["things": -2]])
    func badLimits(_ limits: [String: Int]) async throws {
        let (quota, project) = (quota, project)
        let error = await #expect(throws: CloudError.self) {
            try await database().write { try quota.set(limits, for: project, $0) }
        }
        #expect(error?.code == .badRequest)
    }

    @Test("an excess says what was wanted, used and allowed")
    func excess() async throws {
        let (quota, project) = (quota, project)
        let error = await #expect(throws: CloudError.self) {
            try await database().write { transaction in
                let wanted = ["things": 2, "bytes": 100, "free": 1000]
                try quota.check(project, wanted, transaction) { $0 == "things" ? 1 : 0 }
            }
        }
        #expect(error?.code == .overQuota)
        #expect(error?.message == "Quota exceeded for things: Requested 2, but already used 1 of 2 things")
    }

    @Test("what is not growing is not refused")
    func shrinking() async throws {
        let (quota, project) = (quota, project)
        try await database().write { transaction in
            try quota.check(project, ["things": 0, "bytes": -5], transaction) { _ in 1_000_000 }
        }
    }

    @Test("of many that want the last places, as many get them as there are")
    func race() async throws {
        let (quota, project, database) = (quota, project, try await database())
        let won = await withTaskGroup(of: Int.self) { group in
            for id in 0..<40 {
                group.addTask {
                    do {
                        try await database.write { transaction in
                            try quota.check(project, ["things": 1], transaction) { _ in
                                try transaction.count("SELECT count(*) FROM things WHERE project_id = \(project)")
                            }
                            try transaction.execute("INSERT INTO things (id, project_id) VALUES (\(id), \(project))")
                        }
                        return 1
                    } catch { return 0 }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(won == 2)
    }
}

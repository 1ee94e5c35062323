// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-instance_usage_audit_log: which hosts have audited the usage of the last whole period. Usage is counted
/// from the servers' own rows when somebody asks, so no host ever runs an audit (nova: instance_usage_audit_log.py).
struct UsageAuditRoutes: Sendable {
    let hosts: ComputeHostEngine
    let clock: WallClock

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-instance_usage_audit_log"
        routes.add(.get, path, policy: "os_compute_api:os-instance-usage-audit-log:list", index)
        routes.add(.get, path + "/{before}", policy: "os_compute_api:os-instance-usage-audit-log:show", show)
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        return try await log("instance_usage_audit_logs", before: clock.now())
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        // Clients quote the time twice.
        let sent = request.parameter("before")
        let text = Percent.decode(sent) ?? sent
        let hasForm = text.utf8.count >= 19 && text.utf8.dropFirst(10).first == UInt8(ascii: " ")
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        guard hasForm, let last = text.utf8.last, isDigit(last), let before = Timestamp(iso8601: text) else {
            throw CloudError.badRequest("Invalid timestamp for date \(text.prefix(64))")
        }
        return try await log("instance_usage_audit_log", before: before)
    }

    private func log(_ key: StaticString, before: Timestamp) async throws -> HTTPResponse {
        let names = try await hosts.hosts().map(\.host)
        let (begin, end) = Self.lastMonth(before: before)
        return .object { writer in
            writer.object(key) { writer in
                writer.field("hosts_not_run", names)
                writer.object("log") { _ in }
                writer.field("num_hosts", names.count)
                writer.field("num_hosts_done", 0)
                writer.field("num_hosts_not_run", names.count)
                writer.field("num_hosts_running", 0)
                let done = names.isEmpty ? "ALL" : "0 of \(names.count)"
                writer.field("overall_status", "\(done) hosts done. 0 errors.")
                writer.field("period_beginning", begin)
                writer.field("period_ending", end)
                writer.field("total_errors", 0)
                writer.field("total_instances", 0)
            }
        }
    }

    /// Upstream's default period is the calendar's month.
    private static func lastMonth(before time: Timestamp) -> (begin: String, end: String) {
        let digits = time.iso8601().split(separator: "-")
        let (year, month) = (Int(digits[0]) ?? 1970, Int(digits[1]) ?? 1)
        func first(_ year: Int, _ month: Int) -> String {
            "\(year)-\(month < 10 ? "0" : "")\(month)-01 00:00:00"
        }
        return (month == 1 ? first(year - 1, 12) : first(year, month - 1), first(year, month))
    }
}

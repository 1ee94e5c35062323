// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /os-services: backends and what runs beside them, for administrators.
struct BlockStorageServiceRoutes: Sendable {
    let services: BlockStorageServiceEngine

    func register(on routes: inout BlockStorageRouteTable) {
        let (path, update): (String, PolicyName) = ("/os-services", "volume_extension:services:update")
        routes.add(.get, path, policy: "volume_extension:services:index", list)
        routes.add(.put, path + "/enable", policy: update) { request, context in
            try await setDisabled(request, context, false, hasReason: false)
        }
        routes.add(.put, path + "/disable", policy: update) { request, context in
            try await setDisabled(request, context, true, hasReason: false)
        }
        routes.add(.put, path + "/disable-log-reason", policy: update) { request, context in
            try await setDisabled(request, context, true, hasReason: true)
        }
        routes.add(.put, path + "/freeze", policy: "volume:freeze_host") { try await freeze($0, $1, true) }
        routes.add(.put, path + "/thaw", policy: "volume:thaw_host") { try await freeze($0, $1, false) }
        routes.add(.put, path + "/failover_host", policy: "volume:failover_host", failover)
        routes.add(.put, path + "/failover", policy: "volume:failover_host", versions: versions(26), failover)
        routes.add(.put, path + "/get-log", policy: update, versions: versions(32), levels)
        routes.add(.put, path + "/set-log", policy: update, versions: versions(32), setLevels)
    }

    // MARK: List

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let found = try await services.services().filter { service in
            // `host` of a backend is asked for with or without it.
            (request.query("host").map { $0 == service.host || service.host.hasPrefix($0 + "@") } ?? true)
                && (request.query("binary").map { $0 == service.binary } ?? true)
        }
        return .object(capacity: found.count * 300 + 64) { writer in
            writer.array("services") { writer in
                for service in found { Self.write(&writer, service, context) }
            }
        }
    }

    private static func write(
        _ writer: inout JSONWriter, _ service: BlockStorageServiceEngine.Service, _ context: CallContext
    ) {
        writer.beginObject()
        writer.field("binary", service.binary)
        writer.field("host", service.host)
        writer.field("zone", service.zone)
        writer.field("status", service.isDisabled ? "disabled" : "enabled")
        writer.field("state", service.isUp ? "up" : "down")
        writer.field("updated_at", BlockStorageWords.time(service.seenAt))
        if context.has(49), service.backend != nil { writer.field("backend_state", service.isUp ? "up" : "down") }
        if context.has(7) { writer.nullField("cluster") }
        writer.field("disabled_reason", service.backend?.disabledReason)
        if let backend = service.backend {
            writer.field("replication_status", "disabled")
            writer.nullField("active_backend_id")
            writer.field("frozen", backend.isFrozen)
        }
        writer.endObject()
    }

    // MARK: Change

    private static func host(_ reader: inout ObjectReader) throws -> String {
        guard let host = try reader.string("host", 1...255) else {
            throw VolumeErrors.invalidInput("Host field is missing.")
        }
        return host
    }

    private func setDisabled(
        _ request: APIRequest, _ context: CallContext, _ isDisabled: Bool, hasReason: Bool
    ) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let host = try Self.host(&reader)
        let binary = try reader.string("binary", 1...255)
        let service = try reader.string("service", 1...255)
        _ = reader.value("cluster")
        let reason = hasReason ? try reader.string("disabled_reason", 1...255) : nil
        try reader.finish()
        guard let name = binary ?? service else { throw reader.missing("binary") }
        if let reason, BlockStorageWords.trimmed(reason).isEmpty {
            throw CloudError.badRequest("Disabled reason contains invalid characters or is too long.")
        }
        try await services.setDisabled(host, name, isDisabled, reason: reason)
        return .object { writer in
            writer.field("host", host)
            writer.field("service", service ?? "")
            writer.field("binary", binary ?? "")
            writer.field("status", isDisabled ? "disabled" : "enabled")
            writer.field("disabled", isDisabled)
            if hasReason { writer.field("disabled_reason", reason) }
        }
    }

    private func freeze(_ request: APIRequest, _ context: CallContext, _ isFrozen: Bool) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        _ = reader.value("cluster")
        let host = try Self.host(&reader)
        try reader.finish()
        try await services.setFrozen(host, isFrozen)
        return HTTPResponse(status: 200)
    }

    /// No backend here has another to fail over to.
    private func failover(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let host = try Self.host(&reader)
        throw VolumeErrors.invalidInput("The backend \(host) has no replication target.")
    }

    // MARK: Log levels

    private static let binaries = [
        "cinder-api", BlockStorageServiceEngine.schedulerBinary, BlockStorageServiceEngine.volumeBinary,
        BlockStorageServiceEngine.backupBinary,
    ]

    private struct LogTarget {
        var services: [(host: String, binary: String)]
        var level: String?
        var prefix: String?
    }

    private func target(_ request: APIRequest, hasLevel: Bool) async throws -> LogTarget {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let binary = try reader.nullableString("binary").flatMap { $0 } ?? ""
        let server = try reader.nullableString("server").flatMap { $0 }
        let prefix = try reader.nullableString("prefix").flatMap { $0 }
        let level = hasLevel ? try reader.nullableString("level").flatMap { $0 } : nil
        try reader.finish()
        guard ["", "*"].contains(binary) || Self.binaries.contains(binary) else {
            throw reader.invalid("binary", .string(binary), "is not one of \(Self.binaries)")
        }
        let all = try await services.services()
        var found = all.map { (host: $0.host, binary: $0.binary) }
        if let first = all.first { found.insert((host: first.host, binary: "cinder-api"), at: 0) }
        found = found.filter {
            (["", "*"].contains(binary) || $0.binary == binary)
                && (server.map { $0.isEmpty } ?? true || $0.host == server)
        }
        return LogTarget(services: found, level: level, prefix: prefix)
    }

    private func levels(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let target = try await target(request, hasLevel: false)
        let (level, isShown) = (services.logLevel, target.prefix.map { "cinder".hasPrefix($0) } ?? true)
        return .object { writer in
            writer.array("log_levels") { writer in
                for service in target.services {
                    writer.beginObject()
                    writer.field("host", service.host)
                    writer.field("binary", service.binary)
                    writer.object("levels") { writer in
                        if isShown { writer.field("cinder", level) }
                    }
                    writer.endObject()
                }
            }
        }
    }

    private func setLevels(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let target = try await target(request, hasLevel: true)
        let word = target.level ?? ""
        if !target.services.isEmpty { try services.setLogLevel(word) }
        return HTTPResponse(status: 202)
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// Actions that move a server to another flavor or host.
struct MoveActions: Sendable {
    let servers: ServerEngine

    /// Nil: the action is another's.
    func act(_ name: String, _ id: ServerID, _ value: JSON, _ context: CallContext) async throws -> HTTPResponse? {
        switch name {
        case "resize": try await resize(id, value, context)
        case "confirmResize":
            try await servers.confirmResize(id, for: context)
            return HTTPResponse(status: 204)
        case "revertResize": try await servers.revertResize(id, for: context)
        case "migrate": try await migrate(id, value, context)
        case "os-migrateLive": try await liveMigrate(id, value, context)
        case "evacuate": return try await evacuate(id, value, context)
        default: return nil
        }
        return HTTPResponse(status: 202)
    }

    private func resize(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws {
        var reader = try ObjectReader(value, path: "resize")
        let flavor = try ServerDraftReader.reference(&reader, "flavorRef")
        let diskConfig = try reader.string("OS-DCF:diskConfig")
        try reader.finish()
        if let diskConfig, diskConfig != "AUTO", diskConfig != "MANUAL" {
            throw reader.invalid("OS-DCF:diskConfig", .string(diskConfig), "is not one of ['AUTO', 'MANUAL']")
        }
        try await servers.resize(id, to: flavor, diskConfig: diskConfig, for: context)
    }

    private func migrate(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws {
        var host: String?
        // Until 2.55 nobody looks at what is sent with it.
        if context.has(56), !value.isNull {
            var reader = try ObjectReader(value, path: "migrate")
            host = try Self.host(&reader)
            try reader.finish()
        }
        try await servers.migrate(id, to: host, for: context)
    }

    private func liveMigrate(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws {
        var reader = try ObjectReader(value, path: "os-migrateLive")
        guard reader.has("host") else { throw reader.missing("host") }
        let host = try Self.host(&reader)
        guard reader.has("block_migration") else { throw reader.missing("block_migration") }
        // No hypervisor of this cloud needs to be told where the disks are.
        try Self.checkBoolean("block_migration", &reader, allowsAuto: context.has(25))
        if !context.has(25) {
            guard reader.has("disk_over_commit") else { throw reader.missing("disk_over_commit") }
            try Self.checkBoolean("disk_over_commit", &reader, allowsAuto: false)
        }
        // 2.30 to 2.67: the scheduler is asked unless told otherwise; before, a named host was always taken.
        var force: Bool? = context.has(30) ? false : nil
        if context.has(30), !context.has(68), let wanted = try reader.looseBool("force") {
            guard !wanted || host != nil else {
                throw CloudError.badRequest("Can't force to a non-provided destination")
            }
            force = wanted
        }
        try reader.finish()
        try await servers.liveMigrate(id, to: host, force: force, waits: !context.has(34), for: context)
    }

    private func evacuate(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(value, path: "evacuate")
        if reader.isNull("host") { throw reader.invalid("host", .null, "is not of type 'string'") }
        let host = try Self.host(&reader)
        let password = try reader.string("adminPass")
        var isShared = false
        if !context.has(14) {
            guard let shared = try reader.looseBool("onSharedStorage") else { throw reader.missing("onSharedStorage") }
            isShared = shared
        }
        if context.has(29), !context.has(68), try reader.looseBool("force") == true, host == nil {
            throw CloudError.badRequest("Can't force to a non-provided destination")
        }
        try reader.finish()
        if isShared, password != nil {
            throw CloudError.badRequest("admin password can't be changed on existing disk")
        }
        // nova 2.95: what was evacuated stays off.
        try await servers.evacuate(id, to: host, stops: context.has(95), for: context)
        guard !context.has(14) else { return HTTPResponse(status: 200) }
        let answer = password ?? (isShared ? nil : ServerRoutes.password())
        return .object { $0.field("adminPass", answer) }
    }

    private static func checkBoolean(_ key: String, _ reader: inout ObjectReader, allowsAuto: Bool) throws {
        guard let value = reader.value(key), !(allowsAuto && value == .string("auto")) else { return }
        var single = try ObjectReader(.object([key: value]), path: "os-migrateLive")
        _ = try single.looseBool(key)
    }

    /// Nil: none, or null.
    private static func host(_ reader: inout ObjectReader) throws -> String? {
        guard let host = try reader.nullableString("host", 1...255) ?? nil else { return nil }
        let isName = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isName else { throw reader.invalid("host", .string(host), "does not match '^[a-zA-Z0-9-._]*$'") }
        return host
    }
}

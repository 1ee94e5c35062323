// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/action and the consoles. The body's one key names the action, and each has its own rule.
struct ServerActionRoutes: Sendable {
    let servers: ServerEngine
    let consoles: ConsoleTokenEngine
    let addresses: AddressActions

    func register(on routes: inout RouteTable) {
        routes.add(.post, "/v2.1/servers/{server_id}/action", object: "os_compute_api:servers:show", act)
        routes.add(
            .post, "/v2.1/os-volumes_boot/{server_id}/action", object: "os_compute_api:servers:show",
            versions: versions(1, 102), act)
        routes.add(
            .post, "/v2.1/servers/{server_id}/remote-consoles", object: "os_compute_api:os-remote-consoles",
            versions: versions(6), remoteConsole)
        routes.add(
            .get, "/v2.1/os-console-auth-tokens/{token}", policy: "os_compute_api:os-console-auth-tokens", tokenInfo)
    }

    private func act(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (name, value) = try await request.action()
        let id = request.id("server_id", ServerTag.self)
        if let kind = try Self.power(name, value) {
            try await servers.power(id, kind, for: context)
            return HTTPResponse(status: 202)
        }
        switch name {
        case "lock":
            try await servers.lock(id, reason: try Self.lockReason(value, context), for: context)
            return HTTPResponse(status: 202)
        case "unlock":
            try await servers.unlock(id, for: context)
            return HTTPResponse(status: 202)
        case "forceDelete":
            try await servers.delete(
                id, for: context, as: "os_compute_api:os-deferred-delete:force", isForced: true)
            return HTTPResponse(status: 202)
        case "os-resetState":
            try await servers.reset(id, to: try Self.resetState(value), for: context)
            return HTTPResponse(status: 202)
        case "addSecurityGroup", "removeSecurityGroup":
            var reader = try ObjectReader(value, path: name)
            let group = try reader.requiredString("name", 1...255)
            try reader.finish()
            try await servers.setSecurityGroup(id, group, isMember: name == "addSecurityGroup", for: context)
            return HTTPResponse(status: 202)
        case "createImage":
            return try await createImage(id, value, request, context)
        case "os-getConsoleOutput":
            return try await consoleOutput(id, value, context)
        case "os-getVNCConsole" where !context.has(6):
            return try await oldConsole(id, value, .vnc, ["novnc", "xvpvnc"], context)
        case "os-getSerialConsole" where !context.has(6):
            return try await oldConsole(id, value, .serial, ["serial"], context)
        default:
            if let answer = try await CareActions(servers: servers).act(name, id, value, request, context) {
                return answer
            }
            if let answer = try await MoveActions(servers: servers).act(name, id, value, context) { return answer }
            if let answer = try await addresses.act(name, id, value, request, context) { return answer }
            // The object is asked for first, so that an unknown action tells nothing of a foreign server.
            _ = try await servers.server(id, for: context)
            if Self.oldConsoles.contains(name) { return try Self.absentConsole(name, context) }
            throw APIRequest.noSuchAction(name)
        }
    }

    /// Since 2.6 consoles have one path of their own.
    private static let oldConsoles: Set<String> = [
        "os-getVNCConsole", "os-getSerialConsole", "os-getSPICEConsole", "os-getRDPConsole",
    ]

    /// Of a kind that this cloud has not, or not in this version.
    private static func absentConsole(_ name: String, _ context: CallContext) throws -> HTTPResponse {
        guard !context.has(6) else { throw CloudError.notFound("The resource could not be found.") }
        if name == "os-getRDPConsole" { return RemovedRoutes.gone }
        throw CloudError.badRequest("Unavailable console type spice-html5.", kind: "ConsoleTypeUnavailable")
    }

    private static func power(_ name: String, _ value: JSON) throws -> PowerAction.Kind? {
        switch name {
        case "os-start": return .start
        case "os-stop": return .stop
        case "pause": return .pause
        case "unpause": return .unpause
        case "suspend": return .suspend
        case "resume": return .resume
        case "reboot":
            var reader = try ObjectReader(value, path: "reboot")
            let type = try reader.requiredString("type").uppercased()
            try reader.finish()
            switch type {
            case "SOFT": return .softReboot
            case "HARD": return .hardReboot
            default:
                throw reader.invalid(
                    "type", .string(type), "is not one of ['HARD', 'Hard', 'hard', 'SOFT', 'Soft', 'soft']")
            }
        default: return nil
        }
    }

    private static func lockReason(_ value: JSON, _ context: CallContext) throws -> String? {
        guard context.has(73), !value.isNull else { return nil }
        var reader = try ObjectReader(value, path: "lock")
        let reason = try reader.string("locked_reason", 1...255)
        try reader.finish()
        return reason
    }

    private static func resetState(_ value: JSON) throws -> VMState {
        var reader = try ObjectReader(value, path: "os-resetState")
        let state = try reader.requiredString("state")
        try reader.finish()
        switch state {
        case "active": return .active
        case "error": return .error
        default: throw reader.invalid("state", .string(state), "is not one of ['active', 'error']")
        }
    }

    private func createImage(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse {
        var reader = try ObjectReader(value, path: "createImage")
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        let metadata = try ServerDraftReader.metadata(&reader) ?? [:]
        try reader.finish()
        let image = try await servers.createImage(id, name: name, metadata: metadata, for: context)
        // 2.45: the id itself, and no address of another service.
        if context.has(45) { return .object(202) { $0.field("image_id", image) } }
        var response = HTTPResponse(status: 202)
        response.headers.set("Location", "\(request.originURL)/image/v2/images/\(image)")
        return response
    }

    private func consoleOutput(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws -> HTTPResponse {
        var lines: Int64?
        if !value.isNull {
            var reader = try ObjectReader(value, path: "os-getConsoleOutput")
            if reader.isNull("length") {
                _ = reader.value("length")
            } else {
                lines = try reader.looseInt("length", -1...Int64(Int32.max))
            }
            try reader.finish()
        }
        // -1: all of it.
        let output = try await servers.consoleOutput(id, lines: lines.flatMap { $0 < 0 ? nil : Int($0) }, for: context)
        return .object(capacity: output.utf8.count + 64) { $0.field("output", output) }
    }

    private func oldConsole(
        _ id: ServerID, _ value: JSON, _ kind: ConsoleKind, _ types: [String], _ context: CallContext
    ) async throws -> HTTPResponse {
        var reader = try ObjectReader(value, path: "console")
        let type = try reader.requiredString("type")
        try reader.finish()
        guard types.contains(type) else { throw reader.invalid("type", .string(type), "is not one of \(types)") }
        guard type != "xvpvnc" else { throw CloudError.badRequest("Invalid console type xvpvnc") }
        let url = try await consoles.open(id, kind, type: type, for: context)
        return .object { writer in
            writer.object("console") { writer in
                writer.field("type", type)
                writer.field("url", url)
            }
        }
    }

    private func remoteConsole(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("remote_console", in: try await request.json())
        let remote = try reader.requiredString("protocol")
        let type = try reader.requiredString("type")
        try reader.finish()
        let kind: ConsoleKind
        switch (remote, type) {
        case ("vnc", "novnc"): kind = .vnc
        case ("serial", "serial"): kind = .serial
        case ("vnc", "xvpvnc"), ("spice", "spice-html5"), ("spice", "spice-direct"), ("rdp", "rdp-html5"),
            ("mks", "webmks"):
            _ = try await servers.server(request.id("server_id"), for: context)
            throw CloudError.badRequest("Unavailable console type \(type).", kind: "ConsoleTypeUnavailable")
        default: throw reader.invalid("type", .string(type), "is not a console of protocol \(remote.prefix(64))")
        }
        let url = try await consoles.open(request.id("server_id"), kind, type: type, for: context)
        return .object { writer in
            writer.object("remote_console") { writer in
                writer.field("protocol", remote)
                writer.field("type", type)
                writer.field("url", url)
            }
        }
    }

    private func tokenInfo(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        // Until 2.30 it knew one type alone, which nobody has any more (nova: console_auth_tokens.py).
        guard context.has(31) else {
            throw CloudError.badRequest("The requested console type details are not accessible")
        }
        guard let grant = try await consoles.grant(request.parameter("token")) else {
            throw CloudError.notFound("Token not found")
        }
        return .object { writer in
            writer.object("console") { writer in
                writer.field("instance_uuid", grant.server.rawValue)
                switch grant.endpoint {
                case .tcp(let host, let port):
                    writer.field("host", host)
                    writer.field("port", port)
                case .unixSocket(let path):
                    writer.field("host", grant.host)
                    writer.nullField("port")
                    writer.field("internal_access_path", path)
                }
                if case .tcp = grant.endpoint { writer.nullField("internal_access_path") }
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-services: the agents on the hosts, and what runs beside the API, for administrators.
struct ComputeServiceRoutes: Sendable {
    private static let binary = "nova-compute"
    let hosts: ComputeHostEngine
    let clock: WallClock

    private enum Service {
        case agent(ComputeHost)
        case controller(ControllerService)
    }

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/os-services"
        let update: PolicyName = "os_compute_api:os-services:update"
        routes.add(.get, path, policy: "os_compute_api:os-services:list", index)
        for name in ["enable", "disable", "disable-log-reason", "force-down"] {
            let first = name == "force-down" ? 11 : 1
            routes.add(.put, path + "/" + name, policy: update, versions: versions(first, 52)) {
                try await legacyUpdate($0, $1, name)
            }
        }
        routes.add(.put, path + "/{id}", policy: update, versions: versions(53), self.update)
        routes.add(.delete, path + "/{id}", policy: "os_compute_api:os-services:delete", delete)
    }

    private func write(_ writer: inout JSONWriter, _ service: ControllerService, _ context: CallContext) {
        writer.beginObject()
        if context.has(53) {
            writer.field("id", service.serviceID.rawValue)
        } else {
            writer.field("id", service.number)
        }
        writer.field("binary", service.binary)
        writer.field("host", ControllerService.host)
        writer.field("zone", ControllerService.zone)
        writer.field("status", "enabled")
        writer.field("state", "up")
        writer.field("updated_at", clock.now().iso8601(fraction: true, zone: false))
        writer.nullField("disabled_reason")
        if context.has(11) { writer.field("forced_down", false) }
        writer.endObject()
    }

    private func write(_ writer: inout JSONWriter, _ host: ComputeHost, _ zone: String, _ context: CallContext) {
        writer.beginObject()
        if context.has(53) { writer.field("id", host.serviceID.rawValue) } else { writer.field("id", host.number) }
        writer.field("binary", Self.binary)
        writer.field("host", host.host)
        writer.field("zone", zone)
        writer.field("status", host.isDisabled ? "disabled" : "enabled")
        writer.field("state", hosts.isUp(host) ? "up" : "down")
        writer.field("updated_at", host.lastSeenAt.iso8601(fraction: true, zone: false))
        writer.field("disabled_reason", host.disabledReason)
        if context.has(11) { writer.field("forced_down", host.isForcedDown) }
        writer.endObject()
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, ["host", "binary"])
        let zones = try await hosts.zones()
        func isWanted(_ host: String, _ binary: String) -> Bool {
            for (name, value) in [("host", host), ("binary", binary)] {
                if let wanted = request.query(name), !wanted.isEmpty, wanted != value { return false }
            }
            return true
        }
        let agents = try await hosts.hosts().filter { isWanted($0.host, Self.binary) }
        let others = ControllerService.all.filter { isWanted(ControllerService.host, $0.binary) }
        return .object { writer in
            writer.array("services") { writer in
                for host in agents { write(&writer, host, zones[host.host] ?? "", context) }
                for service in others { write(&writer, service, context) }
            }
        }
    }

    // MARK: Change

    private func find(_ request: APIRequest, _ context: CallContext) async throws -> Service {
        let wanted = request.parameter("id")
        if context.has(53) {
            guard UUIDText.isUUID(wanted) else { throw CloudError.badRequest("Invalid uuid \(wanted.prefix(64))") }
        } else {
            guard Int64(wanted) != nil else {
                throw CloudError.badRequest("Invalid service id: '\(wanted.prefix(64))' is not a number")
            }
        }
        func isWanted(_ id: ComputeServiceID, _ number: Int64) -> Bool {
            (context.has(53) ? id.rawValue : String(number)) == wanted
        }
        if let service = ControllerService.all.first(where: { isWanted($0.serviceID, $0.number) }) {
            return .controller(service)
        }
        guard let host = try await hosts.hosts().first(where: { isWanted($0.serviceID, $0.number) }) else {
            throw CloudError.notFound("Compute service \(wanted.prefix(64)) could not be found.")
        }
        return .agent(host)
    }

    private static func cannotUpdate(_ binary: String) -> CloudError {
        .badRequest(
            "Updating a \(binary) service is not supported. Only nova-compute services can be updated.")
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        var isDisabled: Bool?
        if let status = try reader.string("status") {
            guard status == "enabled" || status == "disabled" else {
                throw reader.invalid("status", .string(status), "is not one of ['enabled', 'disabled']")
            }
            isDisabled = status == "disabled"
        }
        let reason = try reader.string("disabled_reason", 1...255)
        let isForcedDown = try reader.looseBool("forced_down")
        try reader.finish()
        let found: ComputeHost
        switch try await find(request, context) {
        case .agent(let host): found = host
        case .controller(let service): throw Self.cannotUpdate(service.binary)
        }
        guard reason == nil || isDisabled != false else {
            throw CloudError.badRequest("Specifying 'disabled_reason' with status 'enabled' is invalid.")
        }
        guard isDisabled != nil || isForcedDown != nil else {
            throw CloudError.badRequest(
                "No updates were requested. Fields 'status' or 'forced_down' should be specified.")
        }
        let host = try await hosts.setService(
            found, isDisabled: isDisabled, reason: reason, isForcedDown: isForcedDown)
        let zones = try await hosts.zones()
        return .object { writer in
            writer.key("service")
            write(&writer, host, zones[host.host] ?? "", context)
        }
    }

    /// Until 2.52 the host is named in the body.
    private func legacyUpdate(_ request: APIRequest, _ context: CallContext, _ action: String) async throws
        -> HTTPResponse
    {
        var reader = try ObjectReader(try await request.json(), path: "body")
        let name = try reader.requiredString("host", 1...255)
        let binary = try reader.requiredString("binary", 1...255)
        var (isDisabled, reason, isForcedDown): (Bool?, String?, Bool?) = (nil, nil, nil)
        switch action {
        case "enable": isDisabled = false
        case "disable": isDisabled = true
        case "disable-log-reason":
            isDisabled = true
            reason = try reader.requiredString("disabled_reason", 1...255)
        default:
            guard let value = try reader.looseBool("forced_down") else { throw reader.missing("forced_down") }
            isForcedDown = value
        }
        try reader.finish()
        guard binary == Self.binary else { throw Self.cannotUpdate(binary) }
        guard let host = try await hosts.hosts().first(where: { $0.host == name }) else {
            throw CloudError.notFound("Could not find binary \(binary) on host \(name).", kind: "HostBinaryNotFound")
        }
        _ = try await hosts.setService(host, isDisabled: isDisabled, reason: reason, isForcedDown: isForcedDown)
        let final = (isDisabled, reason, isForcedDown)
        return .object { writer in
            writer.object("service") { writer in
                writer.field("host", name)
                writer.field("binary", binary)
                if let isDisabled = final.0 { writer.field("status", isDisabled ? "disabled" : "enabled") }
                if let reason = final.1 { writer.field("disabled_reason", reason) }
                if let isForcedDown = final.2 { writer.field("forced_down", isForcedDown) }
            }
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        switch try await find(request, context) {
        case .agent(let host): try await hosts.delete(host)
        case .controller(let service):
            throw CloudError.badRequest("A \(service.binary) service runs with the API and cannot be deleted.")
        }
        return .noContent()
    }
}

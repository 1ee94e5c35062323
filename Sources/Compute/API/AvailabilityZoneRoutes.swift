// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-availability-zone
struct AvailabilityZoneRoutes: Sendable {
    let hosts: ComputeHostEngine
    let defaultZone: String
    let clock: WallClock

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.1/os-availability-zone", policy: "os_compute_api:os-availability-zone:list") {
            try await list($0, $1, false)
        }
        routes.add(.get, "/v2.1/os-availability-zone/detail", policy: "os_compute_api:os-availability-zone:detail") {
            try await list($0, $1, true)
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        let zones = try await hosts.zones()
        var members: [String: [ComputeHost]] = [:]
        for host in try await hosts.hosts() { members[zones[host.host] ?? defaultZone, default: []].append(host) }
        if members.isEmpty { members[defaultZone] = [] }
        // What runs no guests is told to administrators alone.
        if isDetailed { members[ControllerService.zone, default: []] += [] }
        let final = members
        return .object { writer in
            writer.array("availabilityZoneInfo") { writer in
                for (name, own) in final.sorted(by: { $0.key < $1.key }) {
                    writer.beginObject()
                    writer.field("zoneName", name)
                    // As upstream has it: whether anything is enabled there, not whether it runs.
                    let isOwn = isDetailed && name == ControllerService.zone
                    let isAvailable = isOwn || own.contains { !$0.isDisabled }
                    writer.object("zoneState") { $0.field("available", isAvailable) }
                    if isDetailed, isAvailable { write(&writer, own, isOwn: isOwn) } else { writer.nullField("hosts") }
                    writer.endObject()
                }
            }
        }
    }

    private func write(_ writer: inout JSONWriter, _ own: [ComputeHost], isOwn: Bool) {
        writer.object("hosts") { writer in
            for host in own where !host.isDisabled {
                writer.key(dynamic: host.host)
                writer.beginObject()
                service(&writer, Self.agent, isUp: hosts.isUp(host), at: host.lastSeenAt)
                writer.endObject()
            }
            guard isOwn else { return }
            writer.key(dynamic: ControllerService.host)
            writer.beginObject()
            for part in ControllerService.all { service(&writer, part.binary, isUp: true, at: clock.now()) }
            writer.endObject()
        }
    }

    private static let agent = "nova-compute"

    private func service(_ writer: inout JSONWriter, _ binary: String, isUp: Bool, at time: Timestamp) {
        writer.key(dynamic: binary)
        writer.beginObject()
        writer.field("available", isUp)
        writer.field("active", true)
        writer.field("updated_at", time.iso8601(fraction: true, zone: false))
        writer.endObject()
    }
}

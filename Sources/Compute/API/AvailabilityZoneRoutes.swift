// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/os-availability-zone
struct AvailabilityZoneRoutes: Sendable {
    let hosts: ComputeHostEngine
    let aggregates: AggregateEngine
    let defaultZone: String

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
        let final = members
        return .object { writer in
            writer.array("availabilityZoneInfo") { writer in
                for (name, own) in final.sorted(by: { $0.key < $1.key }) {
                    writer.beginObject()
                    writer.field("zoneName", name)
                    let isAvailable = own.contains { hosts.isUp($0) && !$0.isDisabled }
                    writer.object("zoneState") { $0.field("available", isAvailable) }
                    if isDetailed { write(&writer, own) } else { writer.nullField("hosts") }
                    writer.endObject()
                }
            }
        }
    }

    private func write(_ writer: inout JSONWriter, _ own: [ComputeHost]) {
        writer.object("hosts") { writer in
            for host in own {
                writer.key(dynamic: host.host)
                writer.beginObject()
                writer.object("nova-compute") { writer in
                    writer.field("available", hosts.isUp(host))
                    writer.field("active", !host.isDisabled)
                    writer.field("updated_at", host.lastSeenAt.iso8601(fraction: true, zone: false))
                }
                writer.endObject()
            }
        }
    }
}

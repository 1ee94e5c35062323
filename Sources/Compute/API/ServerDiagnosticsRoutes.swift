// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/servers/{id}/diagnostics, whose shape is one for all hypervisors from 2.48 on, and /topology.
struct ServerDiagnosticsRoutes: Sendable {
    let servers: ServerEngine

    func register(on routes: inout RouteTable) {
        routes.add(
            .get, "/v2.1/servers/{server_id}/diagnostics", object: "os_compute_api:os-server-diagnostics", diagnostics)
        routes.add(
            .get, "/v2.1/servers/{server_id}/topology", object: "compute:server:topology:index",
            versions: versions(78), topology)
    }

    // MARK: Diagnostics

    private func diagnostics(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (server, facts) = try await servers.diagnostics(of: request.id("server_id"), for: context)
        let now = servers.parts.clock.now()
        return context.has(48) ? Self.standard(server, facts, at: now) : Self.old(facts)
    }

    private static func state(_ power: PowerState) -> String {
        switch power {
        case .noState: "pending"
        case .running: "running"
        case .paused: "paused"
        case .shutdown: "shutdown"
        case .crashed: "crashed"
        case .suspended: "suspended"
        }
    }

    private static func standard(_ server: Server, _ facts: GuestDiagnostics, at now: Timestamp) -> HTTPResponse {
        .object(capacity: 2048) { writer in
            writer.field("state", state(facts.powerState))
            writer.field("driver", facts.driver)
            writer.field("hypervisor", facts.hypervisor)
            writer.field("hypervisor_os", "linux")
            writer.field("uptime", server.launchedAt.map { Int(max(0, (now - $0).components.seconds)) })
            writer.field("config_drive", server.hasConfigDrive)
            writer.field("num_cpus", facts.cpus.count)
            writer.field("num_nics", facts.nics.count)
            writer.field("num_disks", facts.disks.count)
            writer.array("disk_details") { writer in
                for disk in facts.disks { write(&writer, disk) }
            }
            writer.array("cpu_details") { writer in
                for cpu in facts.cpus {
                    writer.beginObject()
                    writer.field("id", cpu.id)
                    writer.field("time", cpu.timeNanoseconds.map(Int.init))
                    writer.nullField("utilisation")
                    writer.endObject()
                }
            }
            writer.array("nic_details") { writer in
                for nic in facts.nics { write(&writer, nic) }
            }
            writer.object("memory_details") { writer in
                writer.field("maximum", facts.maximumMemoryKiB / 1024)
                writer.field("used", facts.usedMemoryKiB / 1024)
            }
        }
    }

    private static func write(_ writer: inout JSONWriter, _ disk: GuestDiagnostics.Disk) {
        writer.beginObject()
        writer.field("read_bytes", disk.readBytes.map(Int.init))
        writer.field("read_requests", disk.readRequests.map(Int.init))
        writer.field("write_bytes", disk.writeBytes.map(Int.init))
        writer.field("write_requests", disk.writeRequests.map(Int.init))
        writer.field("errors_count", disk.errors.map(Int.init))
        writer.endObject()
    }

    private static func write(_ writer: inout JSONWriter, _ nic: GuestDiagnostics.NIC) {
        writer.beginObject()
        writer.field("mac_address", nic.macAddress)
        writer.field("rx_octets", nic.received.map { Int($0.bytes) })
        writer.field("rx_errors", nic.received.map { Int($0.errors) })
        writer.field("rx_drop", nic.received.map { Int($0.drops) })
        writer.field("rx_packets", nic.received.map { Int($0.packets) })
        writer.nullField("rx_rate")
        writer.field("tx_octets", nic.sent.map { Int($0.bytes) })
        writer.field("tx_errors", nic.sent.map { Int($0.errors) })
        writer.field("tx_drop", nic.sent.map { Int($0.drops) })
        writer.field("tx_packets", nic.sent.map { Int($0.packets) })
        writer.nullField("tx_rate")
        writer.endObject()
    }

    /// Names made of the guest's own devices, as upstream's driver for libvirt has them.
    private static func old(_ facts: GuestDiagnostics) -> HTTPResponse {
        var fields: [(String, Int64)] = []
        func add(_ name: String, _ value: Int64?) {
            if let value { fields.append((name, value)) }
        }
        for cpu in facts.cpus { add("cpu\(cpu.id)_time", cpu.timeNanoseconds) }
        for disk in facts.disks {
            add(disk.device + "_read_req", disk.readRequests)
            add(disk.device + "_read", disk.readBytes)
            add(disk.device + "_write_req", disk.writeRequests)
            add(disk.device + "_write", disk.writeBytes)
            add(disk.device + "_errors", disk.errors)
        }
        for nic in facts.nics {
            guard let device = nic.device else { continue }
            for (direction, flow) in [("rx", nic.received), ("tx", nic.sent)] {
                add("\(device)_\(direction)", flow?.bytes)
                add("\(device)_\(direction)_packets", flow?.packets)
                add("\(device)_\(direction)_errors", flow?.errors)
                add("\(device)_\(direction)_drop", flow?.drops)
            }
        }
        add("memory", facts.maximumMemoryKiB)
        for (name, value) in facts.memory.sorted(by: { $0.key < $1.key }) { add("memory-" + name, value) }
        let final = fields
        return .object { writer in
            for (name, value) in final {
                writer.key(dynamic: name)
                writer.value(value)
            }
        }
    }

    // MARK: Topology

    /// Guests have the topology that the hypervisor makes up: there are no nodes to tell of (nova:
    /// server_topology.py).
    private func topology(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try ComputeWire.checkQuery(request, context, [])
        _ = try await servers.server(request.id("server_id"), for: context)
        return .object { writer in
            writer.array("nodes") { _ in }
            writer.nullField("pagesize_kb")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /scheduler-stats/get_pools and /capabilities: what backends have and can.
struct BackendPoolRoutes: Sendable {
    let services: BlockStorageServiceEngine

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(
            .get, "/scheduler-stats/get_pools", policy: "scheduler_extension:scheduler_stats:get_pools", pools)
        routes.add(.get, "/capabilities/{host}", policy: "volume_extension:capabilities", capabilities)
    }

    // MARK: Pools

    private func pools(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let isDetailed = try BlockStorageWords.bool(request, "detail")
        var found = try await services.pools()
        if context.has(28) {
            try Self.checkFilters(request, context)
            if let name = request.query("name") { found = found.filter { $0.backend.pool.name == name } }
        }
        if context.has(35), let type = request.query("volume_type") {
            let specs = try await services.specs(ofType: type)
            found = found.filter { BackendFilter.mismatch(specs, $0.backend.pool) == nil }
        }
        let final = found
        return .object(capacity: final.count * 800 + 64) { writer in
            writer.array("pools") { writer in
                for view in final {
                    writer.beginObject()
                    writer.field("name", view.backend.pool.name)
                    if isDetailed { Self.capabilities(&writer, view) }
                    writer.endObject()
                }
            }
        }
    }

    private static func checkFilters(_ request: APIRequest, _ context: CallContext) throws {
        guard context.has(31) else { return }
        let known: Set<String> = ["detail", "name", "volume_type", "all_tenants"]
        let refused = request.http.query.map(\.name).filter { !known.contains($0) }
        guard refused.isEmpty else {
            throw CloudError.badRequest(
                "Invalid filters \(refused.map { String($0.prefix(64)) }.joined(separator: ",")) are found in query "
                    + "options.")
        }
    }

    private static func capabilities(_ writer: inout JSONWriter, _ view: BackendView) {
        let facts = view.backend.pool
        writer.object("capabilities") { writer in
            writer.field("pool_name", facts.name.split(separator: "#").last.map(String.init) ?? facts.name)
            writer.field("total_capacity_gb", facts.totalGiB)
            writer.field("free_capacity_gb", facts.freeGiB)
            writer.field("provisioned_capacity_gb", view.provisionedGiB)
            writer.field("allocated_capacity_gb", view.promisedGiB)
            writer.field("max_over_subscription_ratio", view.oversubscriptionRatio)
            writer.field("reserved_percentage", view.reservedPercent)
            writer.field("thin_provisioning_support", facts.isThin)
            writer.field("thick_provisioning_support", !facts.isThin)
            writer.field("volume_backend_name", facts.backendName)
            writer.field("vendor_name", VolumePool.vendorName)
            writer.field("driver_version", facts.driverVersion)
            writer.field("storage_protocol", facts.storageProtocol)
            writer.field("QoS_support", false)
            writer.field("multiattach", facts.supportsMultiattach)
            writer.field("online_extend_support", facts.supportsOnlineExtend)
            writer.field("total_volumes", view.volumeCount)
            writer.field("goodness_function", String?.none)
            writer.field("filter_function", String?.none)
            writer.field("replication_enabled", false)
            writer.field("backend_state", view.isUp ? "up" : "down")
            writer.field("timestamp", BlockStorageWords.time(view.backend.lastSeenAt))
        }
    }

    // MARK: Capabilities

    private func capabilities(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let host = request.parameter("host")
        let found = try await services.backends().first { backend in
            backend.address == host || backend.pool.name == host || backend.address.hasPrefix(host + "@")
        }
        guard let found else { throw CloudError.notFound("Can't find service: \(host.prefix(255))") }
        let pool = found.pool
        return .object { writer in
            writer.field("namespace", "OS::Storage::Capabilities::\(host)")
            writer.field("vendor_name", VolumePool.vendorName)
            writer.field("volume_backend_name", pool.backendName)
            writer.field("pool_name", pool.name.split(separator: "#").last.map(String.init))
            writer.field("driver_version", pool.driverVersion)
            writer.field("storage_protocol", pool.storageProtocol)
            writer.field("display_name", pool.backendName)
            writer.nullField("description")
            writer.nullField("visibility")
            writer.array("replication_targets") { _ in }
            writer.object("properties") { writer in
                Self.property(
                    &writer, "thin_provisioning", "Thin Provisioning", "Sets thin provisioning.", pool.isThin)
                Self.property(&writer, "compression", "Compression", "Enables compression.", nil)
                Self.property(&writer, "qos", "QoS", "Enables QoS.", nil)
                Self.property(&writer, "replication_enabled", "Replication", "Enables replication.", nil)
            }
        }
    }

    private static func property(
        _ writer: inout JSONWriter, _ name: StaticString, _ title: String, _ description: String, _ fallback: Bool?
    ) {
        writer.object(name) { writer in
            writer.field("title", title)
            writer.field("description", description)
            writer.field("type", "boolean")
            if let fallback { writer.field("default", fallback) }
        }
    }
}

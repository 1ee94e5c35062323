// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit
import TaskKit

/// The Block Storage API v3 with its microversions.
package struct BlockStorageAPI: ServiceAPI {
    package static let minimum = Microversion(3, 0)
    /// The newest that upstream had when this was written.
    package static let maximum = Microversion(3, 71)

    package let serviceType = "volume"
    package let prefix = "/volume"
    package let routes: RouteTable
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = Versioning(
        serviceName: "volume", legacyHeader: nil, minimum: minimum, maximum: maximum)
    /// `/volumes/` names a volume without an id.
    package let ignoresTrailingSlash = false

    /// `policy` is the operator's overrides.
    package init(_ parts: BlockStorageParts, sagas: SagaRunner, policy: [String: String] = [:]) throws {
        enforcer = try PolicyEnforcer(BlockStoragePolicies.all, overrides: policy)
        var table = BlockStorageRouteTable()
        BlockStorageVersionRoutes().register(on: &table.table)
        Self.registerVolumes(on: &table, parts, sagas)
        Self.registerOthers(on: &table, parts, sagas)
        routes = table.table
    }

    private static func registerVolumes(
        on table: inout BlockStorageRouteTable, _ parts: BlockStorageParts, _ sagas: SagaRunner
    ) {
        let volumes = VolumeEngine(parts, sagas: sagas)
        let attachments = VolumeAttachmentEngine(parts, sagas: sagas)
        VolumeRoutes(volumes: volumes, backups: VolumeBackupEngine(parts, sagas: sagas)).register(on: &table)
        VolumeActionRoutes(volumes: volumes, attachments: attachments).register(on: &table)
        VolumeMetadataRoutes(volumes: volumes).register(on: &table)
        let snapshots = SnapshotRoutes(snapshots: SnapshotEngine(parts, sagas: sagas))
        snapshots.register(on: &table)
        VolumeAttachmentRoutes(attachments: attachments).register(on: &table)
        ManageableVolumeRoutes(manageable: ManageableVolumeEngine(parts, sagas: sagas), volumes: volumes)
            .register(on: &table)
        ManageableSnapshotRoutes(manageable: ManageableSnapshotEngine(parts, sagas: sagas), snapshots: snapshots)
            .register(on: &table)
    }

    /// Everything but volumes, snapshots and attachments.
    private static func registerOthers(
        on table: inout BlockStorageRouteTable, _ parts: BlockStorageParts, _ sagas: SagaRunner
    ) {
        let maximum = parts.config.maximumPage
        let types = VolumeTypeEngine(parts)
        let quotas = BlockStorageQuotaEngine(parts)
        let services = BlockStorageServiceEngine(parts)
        VolumeTypeRoutes(types: types, maximumPage: maximum).register(on: &table)
        VolumeTypeSpecRoutes(types: types).register(on: &table)
        VolumeTypeEncryptionRoutes(types: types).register(on: &table)
        DefaultTypeRoutes(types: types).register(on: &table)
        QoSSpecsRoutes(specs: QoSSpecsEngine(parts), maximumPage: maximum).register(on: &table)
        GroupTypeRoutes(types: GroupTypeEngine(parts), maximumPage: maximum).register(on: &table)
        VolumeGroupRoutes(groups: VolumeGroupEngine(parts, sagas: sagas), maximumPage: maximum).register(on: &table)
        GroupSnapshotRoutes(snapshots: GroupSnapshotEngine(parts, sagas: sagas), maximumPage: maximum)
            .register(on: &table)
        VolumeTransferRoutes(transfers: VolumeTransferEngine(parts), maximumPage: maximum).register(on: &table)
        BackupRoutes(backups: VolumeBackupEngine(parts, sagas: sagas), maximumPage: maximum).register(on: &table)
        MessageRoutes(messages: VolumeMessageEngine(parts), maximumPage: maximum).register(on: &table)
        BlockStorageQuotaRoutes(quotas: quotas).register(on: &table)
        BlockStorageLimitRoutes(quotas: quotas).register(on: &table)
        BlockStorageServiceRoutes(services: services).register(on: &table)
        BackendPoolRoutes(services: services).register(on: &table)
        StorageHostRoutes(services: services).register(on: &table)
        StorageClusterRoutes().register(on: &table)
        ResourceFilterRoutes().register(on: &table)
        StorageExtensionRoutes().register(on: &table)
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        // cinder: exception.QuotaError has the code 413.
        error.code == .overQuota
            ? NamedFault(status: 413, message: error.message, retryAfterSeconds: 0).response
            : NamedFault(status: status, message: error.message).response
    }
}

/// Puts each route below `/v3/{project_id}` and, for callers that leave the project out (3.67), below `/v3`.
struct BlockStorageRouteTable {
    var table = RouteTable()

    /// For a create, a list, or anything without an owner. `path` begins after the project: `/volumes`.
    mutating func add(
        _ method: HTTPMethod, _ path: String, policy: PolicyName,
        versions: ClosedRange<Microversion> = RouteTable.anyVersion, _ handler: @escaping RouteHandler
    ) {
        table.add(method, "/v3/{project_id}" + path, policy: policy, versions: versions, Self.checked(handler))
        table.add(method, "/v3" + path, policy: policy, versions: versions, handler)
    }

    /// For one object: the handler authorizes as it loads it.
    mutating func add(
        _ method: HTTPMethod, _ path: String, object policy: PolicyName,
        versions: ClosedRange<Microversion> = RouteTable.anyVersion, _ handler: @escaping RouteHandler
    ) {
        table.add(method, "/v3/{project_id}" + path, object: policy, versions: versions, Self.checked(handler))
        table.add(method, "/v3" + path, object: policy, versions: versions, handler)
    }

    /// The project of the path is the token's (cinder: api/openstack/wsgi.py, `_process_stack`).
    private static func checked(_ handler: @escaping RouteHandler) -> RouteHandler {
        { request, context in
            guard request.parameter("project_id") == context.projectID?.rawValue else {
                throw CloudError.badRequest("Malformed request url")
            }
            return try await handler(request, context)
        }
    }
}

extension CallContext {
    /// Whether the call asks for 3.`minor` or newer.
    func has(_ minor: Int) -> Bool { microversion >= Microversion(3, minor) }

    /// Whether the caller may know what only operators, and services that act for them, need.
    var isAdminOrService: Bool { isAdmin || principal.hasRole("service") }
}

/// The microversions 3.`first` to 3.`last`, where an API exists in some alone.
func versions(_ first: Int, _ last: Int = BlockStorageAPI.maximum.minor) -> ClosedRange<Microversion> {
    Microversion(3, first)...Microversion(3, last)
}

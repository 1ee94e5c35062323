// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import QuotaKit

/// Limits of projects. What they use is counted from the rows, in the transaction that asks. Each volume type has
/// resources of its own (`volumes_<type>`, `gigabytes_<type>`, `snapshots_<type>`), without a limit by default.
package struct BlockStorageQuotas: Sendable {
    private static let perType = ["volumes", "gigabytes", "snapshots"]
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    /// Knows the resources of the types that there are now.
    package func engine(_ transaction: any Transaction) throws -> QuotaEngine {
        var limits = parts.config.quota.limits
        for type in try parts.stores.types.all(transaction) {
            for resource in Self.perType { limits["\(resource)_\(type.name)"] = QuotaEngine.unlimited }
        }
        return QuotaEngine(service: "block-storage", defaults: limits)
    }

    /// Limits that were set for a type go where its name goes.
    package func renameType(_ old: String, to new: String, _ transaction: any Transaction) throws {
        let engine = try engine(transaction)
        for resource in Self.perType {
            try engine.rename("\(resource)_\(old)", to: "\(resource)_\(new)", transaction)
        }
    }

    package func forgetType(_ name: String, _ transaction: any Transaction) throws {
        let engine = try engine(transaction)
        for resource in Self.perType { try engine.forget("\(resource)_\(name)", transaction) }
    }

    /// What a new backup needs.
    package func checkBackup(_ gigabytes: Int, of project: ProjectID, _ transaction: any Transaction) throws {
        let wanted = ["backups": 1, "backup_gigabytes": gigabytes]
        try engine(transaction).check(project, wanted, transaction, error: Self.backupError) { resource in
            try used(resource, by: project, transaction)
        }
    }

    package func checkGroup(of project: ProjectID, _ transaction: any Transaction) throws {
        try engine(transaction).check(project, ["groups": 1], transaction, error: Self.groupError) { resource in
            try used(resource, by: project, transaction)
        }
    }

    /// Throws upstream's over-quota fault of whatever is too much; at once for all that is wanted.
    package func check(
        _ project: ProjectID, volumes: Int = 0, snapshots: Int = 0, gigabytes: Int, type: VolumeTypeID,
        _ transaction: any Transaction
    ) throws {
        let engine = try engine(transaction)
        var wanted = ["volumes": volumes, "snapshots": snapshots, "gigabytes": gigabytes]
        if let type = try parts.stores.types.type(type, transaction) {
            for (resource, amount) in wanted { wanted["\(resource)_\(type.name)"] = amount }
        }
        try engine.check(project, wanted, transaction, error: Self.error) { resource in
            try used(resource, by: project, type: type, transaction)
        }
    }

    /// `per_volume_gigabytes`.
    package func checkSize(_ gigabytes: Int, of project: ProjectID, _ transaction: any Transaction) throws {
        let limit = try engine(transaction).limit("per_volume_gigabytes", of: project, transaction)
        guard limit >= 0, gigabytes > limit else { return }
        throw CloudError(
            .overQuota, "Requested volume size \(gigabytes)G is larger than maximum allowed limit \(limit)G.",
            kind: "VolumeSizeExceedsLimit")
    }

    /// How much of a resource the project has. Resources of a type end in its name.
    package func used(
        _ resource: String, by project: ProjectID, type: VolumeTypeID? = nil, _ transaction: any Transaction
    ) throws -> Int {
        let stores = parts.stores
        let base = Self.perType.first { resource == $0 || resource.hasPrefix($0 + "_") } ?? resource
        let type = resource == base ? nil : type
        switch base {
        case "volumes": return try stores.volumes.usage(of: project, type: type, transaction).volumes
        case "snapshots": return try stores.snapshots.usage(of: project, type: type, transaction).snapshots
        case "gigabytes":
            return try stores.volumes.usage(of: project, type: type, transaction).gigabytes
                + stores.snapshots.usage(of: project, type: type, transaction).gigabytes
        case "backups": return try stores.backups.usage(of: project, transaction).count
        case "backup_gigabytes": return try stores.backups.usage(of: project, transaction).gigabytes
        case "groups": return try stores.groups.count(of: project, transaction)
        default: return 0
        }
    }

    private static func backupError(_ excesses: [QuotaExcess]) -> CloudError {
        guard let gigabytes = excesses.first(where: { $0.resource == "backup_gigabytes" }) else {
            return CloudError(
                .overQuota, "Maximum number of backups allowed (\(excesses[0].limit)) exceeded",
                kind: "BackupLimitExceeded")
        }
        return CloudError(
            .overQuota,
            "Requested backup exceeds allowed Backup gigabytes quota. Requested \(gigabytes.requested)G, quota is "
                + "\(gigabytes.limit)G and \(gigabytes.used)G has been consumed.",
            kind: "VolumeBackupSizeExceedsAvailableQuota")
    }

    private static func groupError(_ excesses: [QuotaExcess]) -> CloudError {
        CloudError(
            .overQuota, "Maximum number of groups allowed (\(excesses[0].limit)) exceeded", kind: "GroupLimitExceeded")
    }

    /// cinder: quota_utils.process_reserve_over_quota.
    private static func error(_ excesses: [QuotaExcess]) -> CloudError {
        if let gigabytes = excesses.first(where: { $0.resource.hasPrefix("gigabytes") }) {
            let name = gigabytes.resource == "gigabytes" ? "gigabytes" : gigabytes.resource
            return CloudError(
                .overQuota,
                "Requested volume or snapshot exceeds allowed \(name) quota. Requested \(gigabytes.requested)G, quota "
                    + "is \(gigabytes.limit)G and \(gigabytes.used)G has been consumed.",
                kind: "VolumeSizeExceedsAvailableQuota")
        }
        let first = excesses[0]
        if first.resource.hasPrefix("snapshots") {
            return CloudError(
                .overQuota,
                "Maximum number of snapshots allowed (\(first.limit)) exceeded", kind: "SnapshotLimitExceeded")
        }
        return CloudError(
            .overQuota,
            "Maximum number of volumes allowed (\(first.limit)) exceeded for quota '\(first.resource)'.",
            kind: "VolumeLimitExceeded")
    }
}

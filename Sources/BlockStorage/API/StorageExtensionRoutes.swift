// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /extensions: names from the time before microversions, for clients that still ask.
struct StorageExtensionRoutes: Sendable {
    private struct Extension {
        var alias: String
        var name: String
        var description: String
        var updated: String
        init(_ alias: String, _ name: String, _ description: String, _ updated: String) {
            self.alias = alias
            self.name = name
            self.description = description
            self.updated = updated
        }
    }

    private static let all: [Extension] = [
        .init("os-admin-actions", "AdminActions", "Enable admin actions.", "2012-08-25T00:00:00+00:00"),
        .init("os-availability-zone", "AvailabilityZones", "Describe Availability Zones.", "2013-06-27T00:00:00+00:00"),
        .init("backups", "Backups", "Backups support.", "2012-12-12T00:00:00+00:00"),
        .init("capabilities", "Capabilities", "Capabilities support.", "2015-08-31T00:00:00+00:00"),
        .init("os-extended-services", "ExtendedServices", "Extended services support.", "2014-01-10T00:00:00-00:00"),
        .init(
            "os-extended-snapshot-attributes", "ExtendedSnapshotAttributes", "Extended SnapshotAttributes support.",
            "2012-06-19T00:00:00+00:00"),
        .init("os-hosts", "Hosts", "Admin-only host administration.", "2011-06-29T00:00:00+00:00"),
        .init("qos-specs", "Qos_specs_manage", "QoS specs support.", "2013-08-02T00:00:00+00:00"),
        .init(
            "os-quota-class-sets", "QuotaClasses", "Quota classes management support.", "2012-03-12T00:00:00+00:00"),
        .init("os-quota-sets", "Quotas", "Quota management support.", "2011-08-08T00:00:00+00:00"),
        .init(
            "OS-SCH-HNT", "SchedulerHints", "Pass arbitrary key/value pairs to the scheduler.",
            "2013-04-18T00:00:00+00:00"),
        .init("scheduler-stats", "Scheduler_stats", "Scheduler stats support.", "2014-09-07T00:00:00+00:00"),
        .init("os-services", "Services", "Services support.", "2012-10-28T00:00:00-00:00"),
        .init(
            "os-snapshot-actions", "SnapshotActions", "Enable snapshot manager actions.", "2013-07-16T00:00:00+00:00"),
        .init(
            "os-snapshot-manage", "SnapshotManage", "Allows existing backend storage to be 'managed' by Cinder.",
            "2014-12-31T00:00:00+00:00"),
        .init(
            "os-snapshot-unmanage", "SnapshotUnmanage", "Enable volume unmanage operation.",
            "2014-12-31T00:00:00+00:00"),
        .init("os-types-extra-specs", "TypesExtraSpecs", "Type extra specs support.", "2011-08-24T00:00:00+00:00"),
        .init("os-types-manage", "TypesManage", "Types manage support.", "2011-08-24T00:00:00+00:00"),
        .init(
            "os-used-limits", "UsedLimits", "Provide data on limited resources that are being used.",
            "2013-10-03T00:00:00+00:00"),
        .init("os-volume-actions", "VolumeActions", "Enable volume actions.", "2012-05-31T00:00:00+00:00"),
        .init(
            "os-volume-encryption-metadata", "VolumeEncryptionMetadata",
            "Volume encryption metadata retrieval support.", "2013-07-10T00:00:00+00:00"),
        .init(
            "os-vol-host-attr", "VolumeHostAttribute", "Expose host as an attribute of a volume.",
            "2011-11-03T00:00:00+00:00"),
        .init(
            "os-vol-image-meta", "VolumeImageMetadata", "Show image metadata associated with the volume.",
            "2012-12-07T00:00:00+00:00"),
        .init(
            "os-volume-manage", "VolumeManage", "Allows existing backend storage to be 'managed' by Cinder.",
            "2014-02-10T00:00:00+00:00"),
        .init(
            "os-vol-mig-status-attr", "VolumeMigStatusAttribute",
            "Expose migration_status as an attribute of a volume.", "2013-08-08T00:00:00+00:00"),
        .init(
            "os-vol-tenant-attr", "VolumeTenantAttribute",
            "Expose the internal project_id as an attribute of a volume.", "2011-11-03T00:00:00+00:00"),
        .init(
            "os-volume-transfer", "VolumeTransfer", "Volume transfer management support.", "2013-05-29T00:00:00+00:00"),
        .init("os-volume-type-access", "VolumeTypeAccess", "Volume type access support.", "2014-06-26T00:00:00Z"),
        .init(
            "encryption", "VolumeTypeEncryption", "Encryption support for volume types.", "2013-07-01T00:00:00+00:00"),
        .init(
            "os-volume-unmanage", "VolumeUnmanage", "Enable volume unmanage operation.", "2012-05-31T00:00:00+00:00"),
    ]

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/extensions", object: "volume:get_all", index)
        routes.add(.get, "/extensions/{alias}", object: "volume:get_all", show)
    }

    private static func write(_ writer: inout JSONWriter, _ found: Extension) {
        writer.beginObject()
        writer.field("name", found.name)
        writer.field("alias", found.alias)
        writer.field("description", found.description)
        writer.field("updated", found.updated)
        writer.array("links") { _ in }
        writer.endObject()
    }

    /// For every token: it says nothing of anybody.
    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        return .object(capacity: 8192) { writer in
            writer.array("extensions") { writer in
                for found in Self.all { Self.write(&writer, found) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        let alias = request.parameter("alias")
        guard let found = Self.all.first(where: { $0.alias == alias }) else {
            throw CloudError.notFound("The resource could not be found.")
        }
        return .object { writer in
            writer.key("extension")
            Self.write(&writer, found)
        }
    }
}

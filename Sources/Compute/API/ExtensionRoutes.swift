// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// /v2.1/extensions: names from the time before microversions, for clients that still ask.
struct ExtensionRoutes: Sendable {
    private static let all: [(alias: String, name: String)] = [
        ("OS-DCF", "DiskConfig"), ("OS-EXT-AZ", "ExtendedAvailabilityZone"),
        ("OS-EXT-SRV-ATTR", "ExtendedServerAttributes"),
        ("OS-EXT-STS", "ExtendedStatus"), ("OS-FLV-DISABLED", "FlavorDisabled"), ("OS-FLV-EXT-DATA", "FlavorExtraData"),
        ("OS-SCH-HNT", "SchedulerHints"), ("OS-SRV-USG", "ServerUsage"), ("OS-EXT-IPS", "ExtendedIps"),
        ("OS-EXT-IPS-MAC", "ExtendedIpsMac"), ("os-admin-actions", "AdminActions"), ("os-aggregates", "Aggregates"),
        ("os-availability-zone", "AvailabilityZone"),
        ("os-config-drive", "ConfigDrive"), ("os-console-output", "ConsoleOutput"), ("os-consoles", "Consoles"),
        ("os-extended-services", "ExtendedServices"),
        ("os-flavor-access", "FlavorAccess"), ("os-flavor-extra-specs", "FlavorExtraSpecs"),
        ("os-flavor-manage", "FlavorManage"), ("os-flavor-rxtx", "FlavorRxtx"), ("os-hosts", "Hosts"),
        ("os-hypervisors", "Hypervisors"),
        ("os-instance-actions", "InstanceActions"), ("os-keypairs", "Keypairs"), ("os-lock-server", "LockServer"),
        ("os-pause-server", "PauseServer"), ("os-quota-class-sets", "QuotaClasses"), ("os-quota-sets", "Quotas"),
        ("os-remote-consoles", "Consoles"), ("os-server-external-events", "ServerExternalEvents"),
        ("os-server-groups", "ServerGroups"), ("os-server-password", "ServerPassword"),
        ("os-server-start-stop", "ServerStartStop"), ("os-services", "Services"),
        ("os-simple-tenant-usage", "SimpleTenantUsage"), ("os-suspend-server", "SuspendServer"),
        ("os-used-limits", "UsedLimits"), ("os-user-data", "UserData"),
    ]

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/v2.1/extensions", policy: "os_compute_api:extensions", index)
        routes.add(.get, "/v2.1/extensions/{alias}", policy: "os_compute_api:extensions", show)
    }

    private static func write(_ writer: inout JSONWriter, _ alias: String, _ name: String) {
        writer.beginObject()
        writer.field("alias", alias)
        writer.field("name", name)
        writer.field("description", "\(name) support.")
        writer.array("links") { _ in }
        writer.field("namespace", "http://docs.openstack.org/compute/ext/fake_xml")
        writer.field("updated", "2014-12-03T00:00:00Z")
        writer.endObject()
    }

    private func index(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        .object(capacity: 8192) { writer in
            writer.array("extensions") { writer in
                for (alias, name) in Self.all { Self.write(&writer, alias, name) }
            }
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let alias = request.parameter("alias")
        guard let found = Self.all.first(where: { $0.alias == alias }) else {
            throw CloudError.notFound("The resource could not be found.")
        }
        return .object { writer in
            writer.key("extension")
            Self.write(&writer, found.alias, found.name)
        }
    }
}

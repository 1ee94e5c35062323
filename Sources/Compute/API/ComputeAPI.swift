// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import IdentityContract
import LifecycleKit
import PolicyKit
import TaskKit

/// The Compute API v2.1 with its microversions.
package struct ComputeAPI: ServiceAPI {
    package static let minimum = Microversion(2, 1)
    /// The newest that upstream had when this was written.
    package static let maximum = Microversion(2, 104)

    package let serviceType = "compute"
    package let prefix = "/compute"
    package let routes: RouteTable
    package let enforcer: PolicyEnforcer
    /// `/servers/` names a server without a name.
    package let ignoresTrailingSlash = false
    package let versioning: Versioning? = Versioning(
        serviceName: "compute", legacyHeader: "X-OpenStack-Nova-API-Version", minimum: minimum, maximum: maximum)

    /// `neighbours` answers the other APIs of this cloud, for the proxies; `policy` is the operator's overrides.
    package init(
        _ parts: ComputeParts, sagas: SagaRunner, hosts: ComputeHostEngine, origin: String, threads: BlockingPool,
        identity: any IdentityService, neighbours: any HTTPHandler, policy: [String: String] = [:]
    ) throws {
        enforcer = try PolicyEnforcer(ComputePolicies.all, overrides: policy)
        let servers = ServerEngine(parts, sagas: sagas)
        let flavors = FlavorEngine(parts)
        let aggregates = AggregateEngine(parts)
        let quotas = ComputeQuotaEngine(parts)
        let projects = ProjectCheck(identity: identity)
        let neighbours = Neighbours(apis: neighbours)
        var table = RouteTable()
        ComputeVersionRoutes().register(on: &table)
        ServerRoutes(servers: servers).register(on: &table)
        ServerActionRoutes(
            servers: servers, consoles: ConsoleTokenEngine(servers, origin: origin),
            addresses: AddressActions(servers: servers, neighbours: neighbours)
        ).register(on: &table)
        ServerMetadataRoutes(servers: servers).register(on: &table)
        ServerTagRoutes(servers: servers).register(on: &table)
        ServerAddressRoutes(servers: servers).register(on: &table)
        ServerVolumeRoutes(volumes: ServerVolumeEngine(servers)).register(on: &table)
        ServerTimelineRoutes(servers: servers).register(on: &table)
        MigrationRoutes(servers: servers).register(on: &table)
        ServerMigrationRoutes(servers: servers).register(on: &table)
        ServerDiagnosticsRoutes(servers: servers).register(on: &table)
        ServerShareRoutes(servers: servers).register(on: &table)
        FlavorRoutes(flavors: flavors).register(on: &table)
        FlavorExtraSpecRoutes(flavors: flavors, projects: projects).register(on: &table)
        KeyPairRoutes(keyPairs: KeyPairEngine(parts, threads: threads)).register(on: &table)
        HypervisorRoutes(hosts: hosts).register(on: &table)
        ComputeServiceRoutes(hosts: hosts, clock: parts.clock).register(on: &table)
        AvailabilityZoneRoutes(hosts: hosts, defaultZone: parts.config.defaultZone, clock: parts.clock)
            .register(on: &table)
        AggregateRoutes(aggregates: aggregates).register(on: &table)
        ServerGroupRoutes(groups: ServerGroupEngine(parts)).register(on: &table)
        QuotaSetRoutes(quotas: quotas, projects: projects).register(on: &table)
        ComputeLimitRoutes(quotas: quotas).register(on: &table)
        TenantUsageRoutes(servers: servers).register(on: &table)
        ExtensionRoutes().register(on: &table)
        ExternalEventRoutes(servers: servers).register(on: &table)
        UsageAuditRoutes(hosts: hosts, clock: parts.clock).register(on: &table)
        AssistedSnapshotRoutes(snapshots: AssistedSnapshotEngine(parts), neighbours: neighbours).register(on: &table)
        HostRoutes(hosts: hosts).register(on: &table)
        RemovedRoutes().register(on: &table)
        ImageProxyRoutes(neighbours: neighbours, quotas: quotas).register(on: &table)
        VolumeProxyRoutes(neighbours: neighbours).register(on: &table)
        NetworkProxyRoutes(neighbours: neighbours).register(on: &table)
        FloatingIPProxyRoutes(neighbours: neighbours).register(on: &table)
        SecurityGroupProxyRoutes(servers: servers, neighbours: neighbours).register(on: &table)
        routes = StrictQueries.applied(to: table)
    }

    /// `/v2.1/{project_id}/servers` is `/v2.1/servers`; `/v2/…` is the API before microversions, with the same routes. A
    /// project is told from a resource by its letters (nova: `ProjectMapper`).
    package func locate(_ segments: [String]) -> ServicePath {
        guard let version = segments.first, version == "v2.1" || version == "v2" else { return ServicePath(segments) }
        let isUnversioned = version == "v2"
        var rest = segments.dropFirst()
        var project: String?
        if let first = rest.first, !first.isEmpty, first.utf8.allSatisfy(Self.isOfProject) {
            project = first
            rest = rest.dropFirst()
        }
        if rest.elementsEqual([""]) { rest = [] }
        let name = rest.isEmpty ? version : "v2.1"
        return ServicePath([name] + rest, project: project, isUnversioned: isUnversioned)
    }

    private static func isOfProject(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || byte == 0x2D
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        NamedFault(status: status, message: error.message).response
    }
}

extension CallContext {
    /// Whether the call asks for 2.`minor` or newer.
    func has(_ minor: Int) -> Bool { microversion >= Microversion(2, minor) }
}

/// The microversions 2.`first` to 2.`last`, where an API exists in some alone.
func versions(_ first: Int, _ last: Int = ComputeAPI.maximum.minor) -> ClosedRange<Microversion> {
    Microversion(2, first)...Microversion(2, last)
}

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
    package let versioning: Versioning? = Versioning(
        serviceName: "compute", legacyHeader: "X-OpenStack-Nova-API-Version", minimum: minimum, maximum: maximum)

    /// `policy` is the operator's overrides.
    package init(
        _ parts: ComputeParts, sagas: SagaRunner, hosts: ComputeHostEngine, origin: String, threads: BlockingPool,
        policy: [String: String] = [:]
    ) throws {
        enforcer = try PolicyEnforcer(ComputePolicies.all, overrides: policy)
        let servers = ServerEngine(parts, sagas: sagas)
        let flavors = FlavorEngine(parts)
        let aggregates = AggregateEngine(parts)
        let quotas = ComputeQuotaEngine(parts)
        var table = RouteTable()
        ComputeVersionRoutes().register(on: &table)
        ServerRoutes(servers: servers).register(on: &table)
        ServerActionRoutes(servers: servers, consoles: ConsoleTokenEngine(servers, origin: origin)).register(on: &table)
        ServerMetadataRoutes(servers: servers).register(on: &table)
        ServerTagRoutes(servers: servers).register(on: &table)
        ServerAddressRoutes(servers: servers).register(on: &table)
        ServerVolumeRoutes(volumes: ServerVolumeEngine(servers)).register(on: &table)
        ServerTimelineRoutes(servers: servers).register(on: &table)
        FlavorRoutes(flavors: flavors).register(on: &table)
        FlavorExtraSpecRoutes(flavors: flavors).register(on: &table)
        KeyPairRoutes(keyPairs: KeyPairEngine(parts, threads: threads)).register(on: &table)
        HypervisorRoutes(hosts: hosts).register(on: &table)
        ComputeServiceRoutes(hosts: hosts).register(on: &table)
        AvailabilityZoneRoutes(hosts: hosts, aggregates: aggregates, defaultZone: parts.config.defaultZone)
            .register(on: &table)
        AggregateRoutes(aggregates: aggregates).register(on: &table)
        ServerGroupRoutes(groups: ServerGroupEngine(parts)).register(on: &table)
        QuotaSetRoutes(quotas: quotas).register(on: &table)
        ComputeLimitRoutes(quotas: quotas).register(on: &table)
        TenantUsageRoutes(servers: servers).register(on: &table)
        ExtensionRoutes().register(on: &table)
        ExternalEventRoutes(servers: servers).register(on: &table)
        routes = table
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

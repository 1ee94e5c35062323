// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import PlacementContract

/// What the scheduler must find a host for. All of it is in the saga's ledger, so it is the same after a crash.
package struct HostRequest: Sendable, Codable, Equatable {
    package var zone: String?
    /// Only this host will do; a disabled one too when `isForced`.
    package var host: String?
    package var node: String?
    package var isForced = false
    package var imageProperties: [String: String] = [:]
    package var extraSpecs: [String: String] = [:]
    package var sameHostAs: [ServerID] = []
    package var differentHostFrom: [ServerID] = []
    package var groupID: ServerGroupID?
    /// The hint `query`, where it counts.
    package var query: String?
    /// A server that lives already: it is no neighbour of itself.
    package var moving: ServerID?
    /// Hosts that it is to leave.
    package var excludedHosts: [String]?
    /// The one host that has its disks.
    package var disksOn: String?

    package init() {}
}

/// One host as the filters see it.
package struct HostView: Sendable {
    package var host: ComputeHost
    package var zone: String
    package var isUp: Bool
    package var aggregateMetadata: [[String: String]]
    package var servers: Set<ServerID>
    package var freeMemoryMiB: Int64
    package var groupMembers: Int

    package init(
        host: ComputeHost, zone: String, isUp: Bool, aggregateMetadata: [[String: String]] = [],
        servers: Set<ServerID> = [], freeMemoryMiB: Int64 = 0, groupMembers: Int = 0
    ) {
        self.host = host
        self.zone = zone
        self.isUp = isUp
        self.aggregateMetadata = aggregateMetadata
        self.servers = servers
        self.freeMemoryMiB = freeMemoryMiB
        self.groupMembers = groupMembers
    }
}

/// A rule that a host must meet. Pure, and it says why not.
package struct HostFilter: Sendable {
    package typealias Check = @Sendable (HostView, HostRequest, ServerGroup?) -> String?
    package let name: String
    /// Nil: passes. Otherwise the reason, without the host's name.
    package let refusal: Check

    package init(_ name: String, _ refusal: @escaping Check) {
        self.name = name
        self.refusal = refusal
    }

    /// In the order in which they are asked; the first refusal counts.
    package static let all: [HostFilter] = [
        requestedHost, excludedHosts, localDisks, computeService, availabilityZone, imageProperties,
        aggregateExtraSpecs, sameHost, differentHost, groupAffinity, groupAntiAffinity, query,
    ]

    static let requestedHost = HostFilter("RequestedHost") { view, request, _ in
        if let host = request.host, host != view.host.host { return "another host was asked for" }
        if let node = request.node, node != view.host.hypervisor.hostname { return "another hypervisor was asked for" }
        return nil
    }

    static let excludedHosts = HostFilter("ExcludedHosts") { view, request, _ in
        request.excludedHosts?.contains(view.host.host) == true ? "the server is to leave it" : nil
    }

    static let localDisks = HostFilter("LocalDisks") { view, request, _ in
        guard let host = request.disksOn, host != view.host.host else { return nil }
        return "the disks of the server are on another host"
    }

    static let computeService = HostFilter("ComputeService") { view, request, _ in
        if view.host.isForcedDown { return "its compute service is forced down" }
        if !view.isUp { return "its compute service is down" }
        if view.host.isDisabled && !request.isForced { return "its compute service is disabled" }
        return nil
    }

    static let availabilityZone = HostFilter("AvailabilityZone") { view, request, _ in
        guard let zone = request.zone, zone != view.zone else { return nil }
        return "it is in another availability zone than \(zone)"
    }

    static let imageProperties = HostFilter("ImageProperties") { view, request, _ in
        if let wanted = request.imageProperties["hw_architecture"] ?? request.imageProperties["architecture"],
            !hasArchitecture(wanted, view.host.hypervisor.cpuInfo)
        {
            return "it cannot run the image's architecture \(wanted)"
        }
        if let wanted = request.imageProperties["img_hv_type"] ?? request.imageProperties["hypervisor_type"] {
            let own = [view.host.hypervisor.type.lowercased(), view.host.hypervisor.virtualizationType.lowercased()]
            guard own.contains(wanted.lowercased()) || own.contains("fake") else {
                return "it has another hypervisor than the image's \(wanted)"
            }
        }
        return nil
    }

    /// `cpu_info` without an architecture says nothing against the image.
    private static func hasArchitecture(_ wanted: String, _ cpuInfo: String) -> Bool {
        let same = ["amd64": "x86_64", "x86-64": "x86_64", "arm64": "aarch64"]
        let wanted = same[wanted.lowercased()] ?? wanted.lowercased()
        let known = ["x86_64", "aarch64", "i686", "ppc64le", "s390x", "riscv64"].filter {
            cpuInfo.contains("\"\($0)\"")
        }
        return known.isEmpty || known.contains(wanted) || (wanted == "i686" && known.contains("x86_64"))
    }

    /// Flavors choose aggregates by `aggregate_instance_extra_specs:key=value`.
    static let aggregateExtraSpecs = HostFilter("AggregateInstanceExtraSpecs") { view, request, _ in
        let scope = "aggregate_instance_extra_specs:"
        for (name, value) in request.extraSpecs.sorted(by: { $0.key < $1.key }) where name.hasPrefix(scope) {
            let key = String(name.dropFirst(scope.count))
            let values = value.split(separator: ",").map(String.init)
            guard view.aggregateMetadata.contains(where: { $0[key].map(values.contains) ?? false }) else {
                return "no aggregate of it has \(key)=\(value)"
            }
        }
        return nil
    }

    static let query = HostFilter("Json") { view, request, _ in
        guard let text = request.query else { return nil }
        let isMet = (try? HostQuery.read(text)).map { HostQuery.isMet($0, by: view.variable) }  // read before: it is one
        return isMet ?? true ? nil : "it does not meet the query of the request"
    }

    static let sameHost = HostFilter("SameHost") { view, request, _ in
        request.sameHostAs.isEmpty || !view.servers.isDisjoint(with: request.sameHostAs)
            ? nil : "none of the servers of the hint same_host is on it"
    }

    static let differentHost = HostFilter("DifferentHost") { view, request, _ in
        view.servers.isDisjoint(with: request.differentHostFrom)
            ? nil : "a server of the hint different_host is on it"
    }

    static let groupAffinity = HostFilter("ServerGroupAffinity") { view, _, group in
        guard let group, group.policy == .affinity, !group.members.isEmpty else { return nil }
        return view.groupMembers > 0 ? nil : "the servers of the group are on another host"
    }

    static let groupAntiAffinity = HostFilter("ServerGroupAntiAffinity") { view, _, group in
        guard let group, group.policy == .antiAffinity else { return nil }
        return view.groupMembers < (group.maximumPerHost ?? 1) ? nil : "it has enough servers of the group"
    }
}

package enum HostWeigher {
    /// Best first: what the group would like, then most free memory; equal hosts in the order of their names.
    package static func sorted(_ views: [HostView], group: ServerGroup?) -> [HostView] {
        func wish(_ view: HostView) -> Int {
            switch group?.policy {
            case .softAffinity: view.groupMembers
            case .softAntiAffinity: -view.groupMembers
            default: 0
            }
        }
        return views.sorted { left, right in
            if wish(left) != wish(right) { return wish(left) > wish(right) }
            if left.freeMemoryMiB != right.freeMemoryMiB { return left.freeMemoryMiB > right.freeMemoryMiB }
            return left.host.host < right.host.host
        }
    }
}

/// Why no host was found: for administrators with names, for others with numbers.
package struct NoValidHost: Sendable, Equatable, Codable {
    package struct Refusal: Sendable, Equatable, Codable {
        package var host: String
        package var reasons: [String]
        package init(host: String, reasons: [String]) {
            self.host = host
            self.reasons = reasons
        }
    }
    package var refusals: [Refusal]

    package init(_ refusals: [Refusal]) { self.refusals = refusals }

    /// For the owner: how many hosts gave which kind of reason. Names no host and no capacity.
    package var message: String {
        guard !refusals.isEmpty else { return "No valid host was found. There are no hosts." }
        var counts: [String: Int] = [:]
        for refusal in refusals {
            for reason in Set(refusal.reasons.map(Self.publicReason)) { counts[reason, default: 0] += 1 }
        }
        let list = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { reason, count in
            "\(count) of \(refusals.count): \(reason)"
        }
        return "No valid host was found. " + list.joined(separator: "; ") + "."
    }

    /// For administrators.
    package var details: String {
        refusals.isEmpty
            ? "No compute host has reported yet."
            : refusals.map { "\($0.host): " + $0.reasons.joined(separator: ", ") }.joined(separator: "; ")
    }

    /// `VCPU: wants 4, 1 of 2 left` becomes `not enough VCPU`.
    private static func publicReason(_ reason: String) -> String {
        for resource in ["VCPU", "MEMORY_MB", "DISK_GB", "PCPU"] where reason.hasPrefix(resource) {
            return "not enough \(resource)"
        }
        return reason
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageContract
import NetworkContract
import PlacementContract
import Synchronization

/// Images that everybody may use.
final class FakeImages: ImageService, ImageUpload {
    private let uploads = Mutex<[ImageID: String]>([:])
    /// Where the bytes of uploaded images came from.
    var uploaded: [ImageID: String] { uploads.withLock { $0 } }

    private let images = Mutex<[ImageID: ImageInfo]>([:])
    private let order = Mutex<[ImageID]>([])

    init() {
        set(
            ImageInfo(
                id: ID(ComputeWorld.image), name: "small", status: "active", owner: nil, diskFormat: "qcow2",
                containerFormat: "bare", sizeBytes: 20 << 20, virtualSizeBytes: 112 << 20, minDiskGiB: 0, minRAMMiB: 0,
                checksum: nil, properties: ["hw_disk_bus": "virtio", "os_distro": "debian", "owner_note": "private"]))
    }

    var all: [ImageInfo] { images.withLock { Array($0.values) } }
    subscript(id: ImageID) -> ImageInfo? { images.withLock { $0[id] } }
    func set(_ image: ImageInfo) { images.withLock { $0[image.id] = image } }
    func ensureImage(
        _ id: ImageID, _ draft: ImageUploadDraft, for principal: Principal
    ) async throws -> ImageInfo {
        let image = ImageInfo(
            id: id, name: draft.name, status: "queued", owner: principal.projectID, diskFormat: draft.diskFormat,
            containerFormat: draft.containerFormat, sizeBytes: 0, virtualSizeBytes: 0, minDiskGiB: draft.minDiskGiB,
            minRAMMiB: draft.minRAMMiB, checksum: nil, properties: draft.properties)
        return images.withLock { all in
            if let known = all[id] { return known }
            all[id] = image
            order.withLock { $0.append(id) }
            return image
        }
    }

    func upload(_ id: ImageID, from path: String, limit: Duration, for principal: Principal) async throws {
        uploads.withLock { $0[id] = path }
        images.withLock { $0[id]?.status = "active" }
    }

    func discard(_ id: ImageID, for principal: Principal) async throws {
        images.withLock { images in
            if images[id]?.status != "active" { images[id] = nil }
        }
    }

    func remove(_ id: ImageID, for principal: Principal) async throws { images.withLock { $0[id] = nil } }

    func images(withProperties properties: [String: String], for principal: Principal) async throws -> [ImageID] {
        let order = order.withLock { $0 }
        return images.withLock { images in
            order.reversed().filter { id in
                properties.allSatisfy { images[id]?.properties[$0.key] == $0.value }
            }
        }
    }

    func image(_ id: ImageID, for principal: Principal) async throws -> ImageInfo? { images.withLock { $0[id] } }
    func images(_ ids: [ImageID], for principal: Principal) async throws -> [ImageID: ImageInfo] {
        images.withLock { all in all.filter { ids.contains($0.key) } }
    }
}

/// Counts what servers hold.
final class FakePlacement: PlacementService {
    private struct State {
        var providers: [ResourceProviderID: (name: String, inventory: [String: ResourceInventory])] = [:]
        var traits: [ResourceProviderID: Set<String>] = [:]
        var announcements = 0
        var claims: [String: (provider: ResourceProviderID, resources: [String: Int64])] = [:]
    }
    private let state = Mutex(State())

    /// How often a host was told of.
    var announcements: Int { state.withLock { $0.announcements } }
    /// Those of all hosts.
    var traits: Set<String> { state.withLock { $0.traits.values.reduce(into: []) { $0.formUnion($1) } } }
    /// As an operator does.
    func addTrait(_ trait: String) {
        state.withLock { state in
            for id in state.providers.keys { state.traits[id, default: []].insert(trait) }
        }
    }

    func resources(of consumer: String) -> [String: Int64] { state.withLock { $0.claims[consumer]?.resources ?? [:] } }

    var consumers: [String] { state.withLock { $0.claims.keys.sorted() } }

    private static func used(_ state: State, _ provider: ResourceProviderID, besides consumer: String? = nil)
        -> [String: Int64]
    {
        state.claims.filter { $0.value.provider == provider && $0.key != consumer }.values
            .reduce(into: [:]) { $0.merge($1.resources, uniquingKeysWith: +) }
    }

    private static func free(_ state: State, _ provider: ResourceProviderID, besides consumer: String? = nil)
        -> [String: Int64]
    {
        let used = used(state, provider, besides: consumer)
        return (state.providers[provider]?.inventory ?? [:]).reduce(into: [:]) { free, entry in
            let capacity = Int64(Double(entry.value.total - entry.value.reserved) * entry.value.allocationRatio)
            free[entry.key] = capacity - (used[entry.key] ?? 0)
        }
    }

    func ensureProvider(
        _ id: ResourceProviderID, name: String, inventory: [String: ResourceInventory], traits: ProviderTraits
    ) async throws {
        state.withLock { state in
            state.announcements += 1
            state.providers[id] = (name, inventory)
            state.traits[id] = traits.applied(to: state.traits[id] ?? [])
        }
    }

    func changeTraits(of provider: ResourceProviderID, _ traits: ProviderTraits) async throws {
        state.withLock { state in
            guard state.providers[provider] != nil else { return }
            state.traits[provider] = traits.applied(to: state.traits[provider] ?? [])
        }
    }

    func candidates(for request: ResourceRequest, limit: Int) async throws
        -> (candidates: [AllocationCandidate], refusals: [CandidateRefusal])
    {
        state.withLock { state in
            var candidates: [AllocationCandidate] = []
            var refusals: [CandidateRefusal] = []
            for (id, provider) in state.providers {
                let free = Self.free(state, id)
                let traits = state.traits[id] ?? []
                var reasons = request.resources.filter { $0.value > free[$0.key] ?? 0 }.map { name, amount in
                    "\(name): wants \(amount), \(free[name] ?? 0) left"
                }
                reasons += request.requiredTraits.filter { !traits.contains($0) }.map { "lacks trait \($0)" }
                reasons += request.forbiddenTraits.filter(traits.contains).map { "has trait \($0)" }
                if reasons.isEmpty {
                    candidates.append(.init(provider: id, name: provider.name, free: free))
                } else {
                    refusals.append(.init(provider: id, name: provider.name, reasons: reasons))
                }
            }
            return (candidates, refusals)
        }
    }

    func claim(
        consumer: String, provider: ResourceProviderID, resources: [String: Int64], project: ProjectID, user: UserID
    ) async throws {
        try state.withLock { state in
            let free = Self.free(state, provider, besides: consumer)
            guard resources.allSatisfy({ $0.value <= free[$0.key] ?? 0 }) else { throw CloudError.conflict("no room") }
            state.claims[consumer] = (provider, resources)
        }
    }

    func release(consumer: String) async throws { state.withLock { $0.claims[consumer] = nil } }
    func transfer(from consumer: String, to other: String, replacing: Bool) async throws {
        state.withLock { state in
            guard let held = state.claims[consumer], replacing || state.claims[other] == nil else { return }
            state.claims[other] = held
            state.claims[consumer] = nil
        }
    }
    func consumers(of provider: ResourceProviderID) async throws -> [String] {
        state.withLock { state in state.claims.filter { $0.value.provider == provider }.map(\.key) }
    }
    func usage(of provider: ResourceProviderID) async throws -> [String: Int64] {
        state.withLock { Self.used($0, provider) }
    }
}

/// One network, whose ports come up at once unless they are told not to.
final class FakeNetworks: NetworkService {
    private struct State {
        var isThere = true
        var hasDefaults = false
        var ports: [PortID: ServerPort] = [:]
        var order: [PortID] = []
        var nextAddress = 10
        var comesUp = true
        var hosts: [PortID: String] = [:]
    }
    private let state = Mutex(State())

    var ports: [PortID: ServerPort] { state.withLock { $0.ports } }
    /// Where ports are bound.
    var hosts: [PortID: String] { state.withLock { $0.hosts } }
    func setComesUp(_ comesUp: Bool) { state.withLock { $0.comesUp = comesUp } }
    /// The project has no network, and the cloud does, or does not, have what making one takes.
    func takeAway(hasDefaults: Bool) {
        state.withLock { ($0.isThere, $0.hasDefaults) = (false, hasDefaults) }
    }

    func networksForServers(of principal: Principal) async throws -> [(id: NetworkID, name: String)] {
        state.withLock { $0.isThere } ? [(ID(ComputeWorld.network), "private")] : []
    }

    func ensureNetwork(for principal: Principal) async throws -> NetworkID {
        guard state.withLock({ $0.hasDefaults }) else {
            throw CloudError.conflict(
                "Deployment error: No default subnetpools defined.", kind: "AutoAllocationFailure")
        }
        return ID(ComputeWorld.network)
    }

    func validate(networks: [ServerPortRequest], ports: [PortID], for principal: Principal) async throws {
        for request in networks where request.network.rawValue != ComputeWorld.network {
            throw CloudError.badRequest("Network \(request.network) could not be found.", kind: "NetworkNotFound")
        }
        for port in ports where self.ports[port] == nil {
            throw CloudError.badRequest("Port id \(port) could not be found.", kind: "PortNotFound")
        }
    }

    func securityGroups(named names: [String], for principal: Principal) async throws -> [SecurityGroupID] {
        names.map { ID($0) }
    }

    func ensureServerPort(
        _ id: PortID, _ request: ServerPortRequest, server: String, zone: String, for principal: Principal
    ) async throws -> ServerPort {
        state.withLock { state in
            if let port = state.ports[id] { return port }
            state.nextAddress += 1
            let port = ServerPort(
                id: id, network: request.network, networkName: "private", macAddress: "fa:16:3e:00:00:01", mtu: 1442,
                fixedAddresses: [
                    .init(
                        address: request.fixedAddress ?? "10.0.0.\(state.nextAddress)", subnet: "subnet",
                        prefixLength: 24,
                        gateway: "10.0.0.1", dnsServers: ["10.0.0.2"], hostRoutes: [], usesDHCP: true)
                ],
                floatingAddresses: [:], securityGroupNames: ["default"], deviceID: server, project: principal.projectID,
                isUp: false, isOwnedByCompute: true)
            state.ports[id] = port
            state.order.append(id)
            return port
        }
    }

    func claimPort(_ id: PortID, server: String, zone: String, for principal: Principal) async throws -> ServerPort {
        try state.withLock { state in
            guard var port = state.ports[id] else { throw CloudError.notFound("Port \(id) could not be found.") }
            port.deviceID = server
            state.ports[id] = port
            return port
        }
    }

    func bindPort(_ id: PortID, server: String, host: String) async throws { state.withLock { $0.hosts[id] = host } }

    func unbindPort(_ id: PortID, server: String) async throws { state.withLock { $0.hosts[id] = nil } }

    func releasePort(_ id: PortID, server: String) async throws {
        state.withLock { state in
            guard state.ports[id]?.deviceID == server else { return }
            state.ports[id] = nil
            state.hosts[id] = nil
            state.order.removeAll { $0 == id }
        }
    }

    func setSecurityGroup(
        _ id: SecurityGroupID, isMember: Bool, ofServer server: String, in project: ProjectID
    ) async throws {
        try state.withLock { state in
            for (key, port) in state.ports where port.deviceID == server {
                guard isMember || port.securityGroupNames.contains(id.rawValue) else {
                    throw CloudError.notFound("Security group \(id) not associated with the instance")
                }
                state.ports[key]?.securityGroupNames.removeAll { $0 == id.rawValue }
                if isMember { state.ports[key]?.securityGroupNames.append(id.rawValue) }
            }
        }
    }

    func ports(ofServers servers: [String: ProjectID]) async throws -> [String: [ServerPort]] {
        state.withLock { state in
            Dictionary(
                grouping: state.order.compactMap { state.ports[$0] }.filter { servers[$0.deviceID] == $0.project },
                by: \.deviceID)
        }
    }

    func serverAddresses(
        of project: ProjectID?
    ) async throws -> [(server: String, project: ProjectID, address: String)] {
        ports.values.flatMap { port -> [(server: String, project: ProjectID, address: String)] in
            guard let owner = port.project, project == nil || owner == project else { return [] }
            return port.fixedAddresses.map { (port.deviceID, owner, $0.address) }
        }
    }

    func port(on network: NetworkID, withAddress address: String) async throws -> ServerPort? {
        ports.values.first { $0.fixedAddresses.contains { $0.address == address } }
    }

    func serverDevices() async throws -> [PortID: String] { ports.mapValues(\.deviceID) }

    func waitUntilUp(_ id: PortID, limit: Duration) async throws -> Bool { state.withLock { $0.comesUp } }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract
import LogKit
import MessagingKit
import NetworkContract
import PlacementContract
import QuotaKit
import TaskKit

/// What engines and sagas of Compute are made of.
package struct ComputeParts: Sendable {
    package let database: any Database
    package let bus: any MessageBus
    package let images: any ImageService & ImageUpload
    package let placement: any PlacementService
    package let networks: any NetworkService
    package let volumes: any BlockStorageService
    package let config: ComputeConfig
    package let quotas: QuotaEngine
    package let clock: WallClock
    package let ids: IDSource
    package let stores = ComputeStores()
    let log = Logger("compute")

    package init(
        database: any Database, bus: any MessageBus, images: any ImageService & ImageUpload,
        placement: any PlacementService, networks: any NetworkService, volumes: any BlockStorageService,
        config: ComputeConfig, clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.bus = bus
        self.images = images
        self.placement = placement
        self.networks = networks
        self.volumes = volumes
        self.config = config
        quotas = QuotaEngine(service: "compute", defaults: config.quota.limits)
        self.clock = clock
        self.ids = ids
    }

    /// Asks the agent of `host`, and names the host in what the log hears of a failure, not in what the caller does.
    func call<M: BusMessage>(_ host: String, _ message: M, timeout: Duration) async throws -> M.Reply {
        do {
            return try await bus.call(host, message, timeout: timeout)
        } catch let error as CloudError {
            throw CloudError(
                error.code, error.message, kind: error.kind,
                cause: "host \(host)" + (error.cause.map { ": \($0)" } ?? ""))
        }
    }

    /// Whether the agent of `host` reports. False for a host that is not there.
    func isUp(_ host: String) async throws -> Bool { try await reach(host) == .up }

    /// What can be known of what runs on a host.
    enum HostReach: Sendable {
        /// It answers.
        case up
        /// It says nothing, and may still run its guests.
        case silent
        /// It runs none any more: an administrator has fenced it (`forced_down`), or removed it.
        case lost
    }

    func reach(_ host: String) async throws -> HostReach {
        let (stores, now, limit) = (stores, clock.now(), config.hostTimeout)
        return try await database.read { transaction in
            guard let host = try stores.hosts.host(host, transaction), !host.isForcedDown else { return .lost }
            return host.isUp(at: now, limit: limit) ? .up : .silent
        }
    }
}

extension NetworkService {
    /// Ports of each server, by its id.
    func ports(of servers: [Server]) async throws -> [String: [ServerPort]] {
        try await ports(ofServers: Dictionary(servers.map { ($0.id.rawValue, $0.projectID) }) { first, _ in first })
    }
}

/// The sagas of Compute, for the registry of the process.
package enum ComputeSagas {
    package static func register(on registry: SagaRegistry, _ parts: ComputeParts) {
        registry.register(CreateServerSaga.self, parts)
        registry.register(DeleteServerSaga.self, parts)
        registry.register(PowerActionSaga.self, parts)
        registry.register(AttachVolumeSaga.self, parts)
        registry.register(DetachVolumeSaga.self, parts)
        registry.register(AttachInterfaceSaga.self, parts)
        registry.register(DetachInterfaceSaga.self, parts)
        registry.register(CreateImageSaga.self, parts)
        registry.register(CreateVolumeImageSaga.self, parts)
        registry.register(RebuildServerSaga.self, parts)
        registry.register(RescueServerSaga.self, parts)
        registry.register(UnrescueServerSaga.self, parts)
        registry.register(ShelveServerSaga.self, parts)
        registry.register(UnshelveServerSaga.self, parts)
        registry.register(SoftDeleteServerSaga.self, parts)
        registry.register(ResizeServerSaga.self, parts)
        registry.register(ConfirmResizeSaga.self, parts)
        registry.register(RevertResizeSaga.self, parts)
        registry.register(EvacuateServerSaga.self, parts)
    }
}

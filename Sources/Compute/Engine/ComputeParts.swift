// SPDX-License-Identifier: Apache-2.0
import BaseKit
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
    package let images: any ImageService
    package let placement: any PlacementService
    package let networks: any NetworkService
    package let config: ComputeConfig
    package let quotas: QuotaEngine
    package let clock: WallClock
    package let ids: IDSource
    package let stores = ComputeStores()
    let log = Logger("compute")

    package init(
        database: any Database, bus: any MessageBus, images: any ImageService, placement: any PlacementService,
        networks: any NetworkService, config: ComputeConfig, clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.bus = bus
        self.images = images
        self.placement = placement
        self.networks = networks
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
    func isUp(_ host: String) async throws -> Bool {
        let (stores, now, limit) = (stores, clock.now(), config.hostTimeout)
        return try await database.read { try stores.hosts.host(host, $0)?.isUp(at: now, limit: limit) ?? false }
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
    }
}

/// On whose behalf a saga acts: what it needs of the principal that asked, saved with the run.
package struct Actor: Sendable, Codable, Equatable {
    package var userID: UserID
    package var userName: String
    package var userDomainID: String
    package var projectID: ProjectID
    package var projectName: String
    package var projectDomainID: String
    package var roles: [String]

    package init(_ principal: Principal, project: ProjectID) {
        userID = principal.userID
        userName = principal.userName
        userDomainID = principal.userDomain.id
        projectID = project
        roles = principal.roles.map(\.name)
        if case .project(_, let name, let domain) = principal.scope {
            projectName = name
            projectDomainID = domain.id
        } else {
            projectName = ""
            projectDomainID = ""
        }
    }

    package var principal: Principal {
        Principal(
            userID: userID, userName: userName, userDomain: .init(id: userDomainID, name: ""),
            scope: .project(projectID, name: projectName, domain: .init(id: projectDomainID, name: "")),
            roles: roles.map { .init(id: $0, name: $0) })
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import ComputeAPI
import ComputeAgent
import ComputeContract
import ComputeCore
import DatabaseKit
import DatabaseSQLite
import HTTPKit
import ImageContract
import LifecycleKit
import MessagingKit
import NetworkContract
import PlacementContract
import QuotaKit
import TaskKit
import TestKit
import Testing

/// Compute as a cloud has it, on a database in memory: the API behind the real router, the bus, an agent with the fake
/// hypervisor; the other services are fakes.
struct ComputeWorld: Sendable {
    static let origin = "http://cloud.test:8080"
    static let image = "11111111-1111-4111-8111-111111111111"
    static let network = "22222222-2222-4222-8222-222222222222"

    let database: SQLiteDatabase
    let hypervisor = FakeHypervisor(hostname: "node-1")
    let images = FakeImages()
    let placement = FakePlacement()
    let networks = FakeNetworks()
    let volumes = FakeBlockStorage()
    let neighbours = FakeNeighbours()
    let tasks = BackgroundTasks()
    let bus: InProcessBus
    let parts: ComputeParts
    let registry = SagaRegistry()
    let sagas: SagaRunner
    let hosts: ComputeHostEngine
    let api: ComputeAPI
    let router: APIRouter
    private let controller: BusServer
    private let agent: ComputeAgent

    init(config change: (inout ComputeConfig) -> Void = { _ in }) async throws {
        database = try await TestDatabase.make(SagaMigrations.all, QuotaMigrations.all, ComputeMigrations.all)
        bus = InProcessBus(tasks: tasks)
        var config = ComputeConfig()
        // The host reports once; on a busy machine a test takes its time.
        config.hostTimeout = .seconds(3600)
        config.portUpTimeout = .seconds(5)
        config.shutdownGrace = .zero
        config.quota.instances = 100
        config.quota.cores = 200
        config.quota.ram = 1_000_000
        change(&config)
        parts = ComputeParts(
            database: database, bus: bus, images: images, placement: placement, networks: networks, volumes: volumes,
            config: config, clock: .system, ids: .random)
        ComputeSagas.register(on: registry, parts)
        sagas = SagaRunner(database: database, registry: registry, holder: "test", limits: .test)
        hosts = ComputeHostEngine(parts, sagas: sagas)
        try await FlavorEngine(parts).bootstrap()
        api = try ComputeAPI(
            parts, sagas: sagas, hosts: hosts, origin: Self.origin, threads: BlockingPool("keys", threads: 1),
            identity: FakeProjects(), neighbours: neighbours)
        router = APIRouter(
            services: [api], origin: Self.origin, ids: .random, clock: .system,
            authenticate: { try TestCallers.authenticate($0) })
        controller = BusServer(bus, topic: "compute", host: "controller")
        hosts.listen(on: controller)
        agent = ComputeAgent(host: "node-1", bus: bus, driver: hypervisor, reportInterval: .seconds(3600))
    }

    /// Runs `body` with a host that has reported. `runsSagas` false: a walk brings its own runner.
    @discardableResult
    func run<T: Sendable>(runsSagas: Bool = true, _ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withController(
            controller, tasks, [agent] + (runsSagas ? [sagas] : []), until: { try await !hosts.hosts().isEmpty }, body)
    }

    // MARK: Calls

    typealias Answer = TestAnswer

    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ body: JSON? = nil, as token: String = "demo", version: String = "2.1",
        expecting status: Int? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws -> Answer {
        let headers: HTTPHeaders = ["X-Auth-Token": token, "OpenStack-API-Version": "compute \(version)"]
        let answer = try await router.call(method, "/compute/v2.1" + path, body, headers: headers)
        if let status {
            #expect(answer.status == status, "\(method) \(path): \(answer.body.text())", sourceLocation: location)
        }
        return answer
    }

    /// The body of a small server; `extra` overrides.
    static func server(_ name: String = "one", _ extra: [String: JSON] = [:]) -> JSON {
        var fields: [String: JSON] = [
            "name": .string(name), "imageRef": .string(image), "flavorRef": "1",
            "networks": [["uuid": .string(network)]],
        ]
        for (key, value) in extra { fields[key] = value }
        return ["server": .object(fields)]
    }

    /// What gives a server of `boot` a volume beside its image.
    func attached(_ volume: VolumeID) -> [String: JSON] {
        [
            "block_device_mapping_v2": [
                [
                    "boot_index": 0, "source_type": "image", "destination_type": "local",
                    "uuid": .string(Self.image),
                ],
                ["source_type": "volume", "destination_type": "volume", "uuid": .string(volume.rawValue)],
            ]
        ]
    }

    /// As if a host had said nothing for a while, or said something again.
    func setSilent(_ host: String, _ isSilent: Bool = true) async throws {
        let (age, now) = (parts.config.hostTimeout * 2, parts.clock.now())
        let seen = isSilent ? now - age : now
        try await database.write {
            try $0.execute("UPDATE compute_hosts SET last_seen_at = \(seen) WHERE host = \(host)")
        }
    }

    func boot(_ name: String = "one", _ extra: [String: JSON] = [:], as token: String = "demo") async throws -> String {
        let answer = try await call(.post, "/servers", Self.server(name, extra), as: token, expecting: 202)
        let id = try #require(answer["server", "id"]?.string)
        try await settled(id)
        return id
    }

    func status(_ id: String) async throws -> String? {
        try await call(.get, "/servers/\(id)", as: "admin")["server", "status"]?.string
    }

    /// Waits until nothing is being done to the server.
    func settled(_ id: String) async throws {
        try await eventually(within: .seconds(120), "server at rest") {
            let server = try await call(.get, "/servers/\(id)", as: "admin")
            return server.status == 404 || server["server", "OS-EXT-STS:task_state"]?.isNull == true
        }
    }

    /// Whether nothing of any server is left anywhere but in the database.
    var isClean: Bool { hypervisor.inventory.isEmpty && placement.consumers.isEmpty && networks.ports.isEmpty }
}

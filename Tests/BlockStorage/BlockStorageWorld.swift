// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageAPI
import BlockStorageAgent
import BlockStorageContract
import BlockStorageCore
import ComputeContract
import DatabaseKit
import DatabaseSQLite
import HTTPKit
import IdentityContract
import ImageContract
import LifecycleKit
import MessagingKit
import QuotaKit
import SecurityKit
import Synchronization
import TaskKit
import TestKit
import Testing

/// Block Storage as a cloud has it, on a database in memory: the API behind the real router, the bus, an agent with the
/// fake driver; the other services are fakes.
struct BlockStorageWorld: Sendable {
    static let origin = "http://cloud.test:8080"
    static let image = "11111111-1111-4111-8111-111111111111"
    static let server = "33333333-3333-4333-8333-333333333333"

    let database: SQLiteDatabase
    let driver: FakeVolumeDriver
    let other: FakeVolumeDriver
    let images = FakeVolumeImages()
    let compute = FakeVolumeCompute()
    let tasks = BackgroundTasks()
    let bus: InProcessBus
    let parts: BlockStorageParts
    let registry = SagaRegistry()
    let sagas: SagaRunner
    let router: APIRouter
    let storage: InProcessBlockStorage
    private let controller: BusServer
    private let agent: VolumeAgent

    init(
        movesOnSnapshot: Bool = false, mounter: any ShareMounter = NoMounter(),
        config change: (inout BlockStorageConfig) -> Void = { _ in }
    ) async throws {
        database = try await TestDatabase.make(SagaMigrations.all, QuotaMigrations.all, BlockStorageMigrations.all)
        bus = InProcessBus(tasks: tasks)
        driver = FakeVolumeDriver(pool: "node-1@one#pool", movesOnSnapshot: movesOnSnapshot)
        other = FakeVolumeDriver(
            pool: "node-1@two#pool", totalGiB: 40, movesOnSnapshot: movesOnSnapshot, folder: "/two")
        let (one, two) = (driver, other)
        compute.setCopier { volume, path in
            path.hasPrefix("/two/") ? two.copy(volume, from: one) : one.copy(volume, from: two)
        }
        var config = BlockStorageConfig()
        config.scratchDirectory = "/tmp"
        // The backend reports once; on a busy machine a test takes its time.
        config.backendTimeout = .seconds(3600)
        change(&config)
        let link = ComputeLink()
        link.set(compute)
        parts = BlockStorageParts(
            database: database, bus: bus, images: images, imageUpload: images, identity: FakeVolumeIdentity(),
            compute: link, keyring: VolumeKeyring([FernetKey()]), config: config, mounter: mounter, clock: .system,
            ids: .random)
        BlockStorageSagas.register(on: registry, parts)
        sagas = SagaRunner(database: database, registry: registry, holder: "test", limits: .test)
        try await VolumeTypeEngine(parts).bootstrap()
        let api = try BlockStorageAPI(parts, sagas: sagas)
        storage = InProcessBlockStorage(parts, sagas: sagas, enforcer: api.enforcer)
        router = APIRouter(
            services: [api], origin: Self.origin, ids: .random, clock: .system,
            authenticate: { try TestCallers.authenticate($0) })
        controller = BusServer(bus, topic: "volume", host: "controller")
        VolumeBackendEngine(parts).listen(on: controller)
        agent = VolumeAgent(
            bus: bus,
            backends: [
                .init(address: "node-1@one", driver: driver), .init(address: "node-1@two", driver: other),
            ], reportInterval: .seconds(3600))
    }

    /// Runs `body` with backends that have reported. `runsSagas` false: a walk brings its own runner.
    @discardableResult
    func run<T: Sendable>(runsSagas: Bool = true, _ body: @escaping @Sendable () async throws -> T) async throws -> T {
        try await withController(
            controller, tasks, [agent] + (runsSagas ? [sagas] : []),
            until: { try await VolumeBackendEngine(parts).backends().count == 2 }, body)
    }

    /// Runs `body` with a runner of its own, until all that it began has ended.
    func prepare<T: Sendable>(_ body: @escaping @Sendable (SagaRunner) async throws -> T) async throws -> T {
        let runner = SagaRunner(database: database, registry: registry, holder: "setup", limits: .test)
        return try await withServices([runner]) {
            let result = try await body(runner)
            await runner.idle()
            return result
        }
    }

    // MARK: Calls

    @discardableResult
    func call(
        _ method: HTTPMethod, _ path: String, _ body: JSON? = nil, as token: String = "demo", version: String = "3.71",
        expecting status: Int? = nil, at location: SourceLocation = #_sourceLocation
    ) async throws -> TestAnswer {
        let headers: HTTPHeaders = ["X-Auth-Token": token, "OpenStack-API-Version": "volume \(version)"]
        let answer = try await router.call(
            method, "/volume/v3/project-\(project(token))" + path, body, headers: headers)
        if let status {
            #expect(answer.status == status, "\(method) \(path): \(answer.body.text())", sourceLocation: location)
        }
        return answer
    }

    private func project(_ token: String) -> String { token == "reader" ? "demo" : token }

    @discardableResult
    func addType(
        _ name: String, _ specs: [String: String] = [:], isEncrypted: Bool = false
    ) async throws -> VolumeType {
        let (stores, now) = (parts.stores, parts.clock.now())
        let type = VolumeType(
            id: parts.ids.next(), name: name, extraSpecs: specs,
            encryption: isEncrypted ? .init(id: parts.ids.uuid(), provider: "luks", createdAt: now) : nil,
            createdAt: now)
        try await database.write { try stores.types.insert(type, $0) }
        return type
    }

    /// A volume at rest.
    func make(
        _ fields: [String: JSON] = ["size": 1], as token: String = "demo", status: String = "available",
        at location: SourceLocation = #_sourceLocation
    ) async throws -> VolumeID {
        let answer = try await call(
            .post, "/volumes", ["volume": .object(fields)], as: token, expecting: 202, at: location)
        let id = VolumeID(try #require(answer["volume", "id"]?.string, sourceLocation: location))
        try await settled(id)
        let volume = try #require(try await parts.volume(id))
        #expect(volume.status.rawValue == status, sourceLocation: location)
        return id
    }

    func makeSnapshot(of volume: VolumeID) async throws -> VolumeSnapshotID {
        let answer = try await call(
            .post, "/snapshots", ["snapshot": ["volume_id": .string(volume.rawValue), "name": "s"]], expecting: 202)
        let id = VolumeSnapshotID(try #require(answer["snapshot", "id"]?.string))
        try await settled(id)
        return id
    }

    func settled(_ id: VolumeID) async throws {
        try await eventually("volume \(id) at rest") { try await parts.volume(id)?.sagaRun == nil }
    }

    func settled(_ id: VolumeSnapshotID) async throws {
        try await eventually("snapshot \(id) at rest") { try await snapshot(id)?.sagaRun == nil }
    }

    func snapshot(_ id: VolumeSnapshotID) async throws -> VolumeSnapshot? {
        let stores = parts.stores
        return try await database.read { try stores.snapshots.snapshot(id, $0) }
    }

    func action(
        _ id: VolumeID, _ name: String, _ value: JSON = [:], as token: String = "demo", expecting status: Int = 202,
        at location: SourceLocation = #_sourceLocation
    ) async throws {
        try await call(
            .post, "/volumes/\(id)/action", .object([name: value]), as: token, expecting: status, at: location)
    }

    func status(_ id: VolumeID) async throws -> String? { try await parts.volume(id)?.status.rawValue }

    /// Attached as Compute does it.
    @discardableResult
    func attach(_ id: VolumeID, to server: String = server, host: String = "node-1") async throws -> VolumeAttachmentID
    {
        let attachment: VolumeAttachmentID = parts.ids.next()
        try await storage.reserve(attachment, volume: id, server: server, for: TestCallers.demo)
        compute.hold(attachment.rawValue)
        _ = try await storage.connect(attachment, to: HostConnector(host: host, ip: "10.0.0.1"))
        try await storage.complete(attachment, device: "/dev/vdb")
        return attachment
    }

    /// Rows that keep others from working.
    func locks() async throws -> Int {
        try await database.read { try $0.count("SELECT COUNT(*) FROM volume_locks") }
    }

    func messages() async throws -> Int {
        try await database.read { try $0.count("SELECT COUNT(*) FROM volume_messages") }
    }
}

// MARK: Other services

/// One image, which everybody may use, and those that volumes become.
final class FakeVolumeImages: ImageService, ImageUpload {
    private struct State {
        var images: [ImageID: ImageInfo] = [:]
        var uploads: [ImageID: String] = [:]
    }
    private let state = Mutex(State())

    init() {
        set(
            ImageInfo(
                id: ID(BlockStorageWorld.image), name: "small", status: "active", owner: nil, diskFormat: "qcow2",
                containerFormat: "bare", sizeBytes: 20 << 20, virtualSizeBytes: 112 << 20, minDiskGiB: 0, minRAMMiB: 0,
                checksum: "abc", properties: ["hw_disk_bus": "virtio", "os_distro": "debian"]))
    }

    func set(_ image: ImageInfo) { state.withLock { $0.images[image.id] = image } }
    subscript(id: ImageID) -> ImageInfo? { state.withLock { $0.images[id] } }

    func image(_ id: ImageID, for principal: Principal) async throws -> ImageInfo? { self[id] }
    func images(_ ids: [ImageID], for principal: Principal) async throws -> [ImageID: ImageInfo] {
        state.withLock { state in state.images.filter { ids.contains($0.key) } }
    }

    func ensureImage(_ id: ImageID, _ draft: ImageUploadDraft, for principal: Principal) async throws -> ImageInfo {
        let image = ImageInfo(
            id: id, name: draft.name, status: "queued", owner: principal.projectID, diskFormat: draft.diskFormat,
            containerFormat: draft.containerFormat, sizeBytes: 0, virtualSizeBytes: 0, minDiskGiB: draft.minDiskGiB,
            minRAMMiB: draft.minRAMMiB, checksum: nil, properties: draft.properties)
        return state.withLock { state in
            if let image = state.images[id] { return image }
            state.images[id] = image
            return image
        }
    }

    func upload(_ id: ImageID, from path: String, limit: Duration, for principal: Principal) async throws {
        state.withLock { state in
            state.images[id]?.status = "active"
            state.uploads[id] = path
        }
    }

    func discard(_ id: ImageID, for principal: Principal) async throws { state.withLock { $0.images[id] = nil } }
    func remove(_ id: ImageID, for principal: Principal) async throws { state.withLock { $0.images[id] = nil } }
    func images(withProperties properties: [String: String], for principal: Principal) async throws -> [ImageID] { [] }
}

/// Notes what guests were told.
final class FakeVolumeCompute: ComputeService {
    private struct State {
        var moves: [String] = []
        var sizes: [String: Int64] = [:]
        var leases: Set<String> = []
        var starting: Set<String> = []
        var copier: (@Sendable (VolumeID, String) -> Void)?
        /// Where guests have volumes, once these have been moved below them.
        var places: [VolumeID: VolumeConnection.Source] = [:]
        var copies: [VolumeID: VolumeConnection.Source] = [:]
        var isGuestOff = false
        var silences = 0
    }
    private let state = Mutex(State())

    /// Copies a volume's bytes to the backend with this path.
    func setCopier(_ copier: @escaping @Sendable (VolumeID, String) -> Void) { state.withLock { $0.copier = copier } }
    func setGuestOff(_ isOff: Bool) {
        state.withLock { state in
            state.isGuestOff = isOff
            if isOff { state.copies = [:] }
        }
    }
    /// The host answers none of the next `count` questions about moves.
    func silence(_ count: Int) { state.withLock { $0.silences = count } }
    func place(of volume: VolumeID) -> VolumeConnection.Source? { state.withLock { $0.places[volume] } }
    var copies: Int { state.withLock { $0.copies.count } }

    func relocateVolume(
        of server: ServerID, to connection: VolumeConnection, _ step: VolumeRelocation.Step, request: String
    ) async throws -> VolumeRelocation.State {
        let (id, wanted) = (connection.volume, connection.source)
        guard case .file(let path, _) = wanted else { throw CloudError(.bug, "no file") }
        return try state.withLock { state in
            if state.silences > 0 {
                state.silences -= 1
                throw CloudError(.unavailable, "The host of this server did not answer.")
            }
            if state.places[id] == wanted { return .moved }
            if state.isGuestOff { return .closed }
            switch step {
            case .copy where state.copies[id] == wanted:
                state.copier?(id, path)
                return .ready
            case .copy:
                state.copies[id] = wanted
                return .copying(doneBytes: 0)
            case .finish where state.copies[id] == wanted:
                state.copies[id] = nil
                state.places[id] = wanted
                return .moved
            case .finish: return .resting
            case .cancel:
                state.copies[id] = nil
                return .resting
            }
        }
    }

    func setStarting(_ servers: Set<String>) { state.withLock { $0.starting = servers } }
    var moves: [String] { state.withLock { $0.moves } }
    var sizes: [String: Int64] { state.withLock { $0.sizes } }
    func hold(_ attachment: String) { state.withLock { _ = $0.leases.insert(attachment) } }
    func forget(_ attachment: String) { state.withLock { _ = $0.leases.remove(attachment) } }

    func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer? { nil }
    func keepPassword(
        _ password: [UInt8], of server: ServerID, in project: ProjectID, path: String
    ) async throws -> Bool { false }
    func moveVolume(_ volume: String, of server: ServerID, toFile path: String, format: String) async throws {
        state.withLock { $0.moves.append(path) }
    }
    func resizeVolume(
        _ volume: String, of server: ServerID, toBytes sizeBytes: Int64, request: String
    ) async throws {
        state.withLock { $0.sizes[volume] = sizeBytes }
    }
    func isStarting(anyOf servers: [ServerID]) async throws -> Bool {
        state.withLock { !$0.starting.isDisjoint(with: servers.map(\.rawValue)) }
    }
    func leasesHeld(among attachments: [String]) async throws -> Set<String> {
        state.withLock { $0.leases.intersection(attachments) }
    }
}

struct FakeVolumeIdentity: IdentityService {
    func authenticate(token: String) async throws -> Principal { TestCallers.demo }
    func projectExists(_ id: ProjectID) async throws -> Bool { true }
    func ec2Secret(accessKey: String) async throws -> EC2Secret? { nil }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageAPI
import BlockStorageContract
import BlockStorageCore
import BlockStorageDriverKit
import ComputeAPI
import ComputeAgent
import ComputeContract
import ComputeCore
import DatabaseKit
import HTTPKit
import IdentityAPI
import IdentityContract
import IdentityCore
import IdentityDriverLDAP
import ImageAPI
import ImageContract
import ImageCore
import LifecycleKit
import MessagingKit
import NetworkAPI
import NetworkContract
import NetworkCore
import ObjectStorageAPI
import ObjectStorageCore
import PlacementAPI
import PlacementCore
import QuotaKit
import SecurityKit
import TaskKit

/// All services of one controller, wired. What it drives (hypervisor, data plane) is given, so the same wiring serves
/// a real host, fake hosts, and tests.
package struct Cloud: Sendable {
    /// What a cloud stands on.
    package struct Foundation: Sendable {
        package var database: any Database
        /// Seal what Identity's credentials hold; the first one seals, all open.
        package var credentialKeys: [FernetKey]
        package var network: any NetworkDriver
        package var objectDevices: ObjectStore.Devices
        package var imageDirectory: String
        /// `http://127.0.0.1:8088`: in every link and in the catalog.
        package var origin: String
        package var clock: WallClock
        package var ids: IDSource
        package var identity = IdentityConfig()
        /// Asked about users of domains whose configuration says so.
        package var directory: (any UserDirectory)? = LDAPDirectory()
        package var image = ImageConfig()
        /// Instead of the one that fetches images over HTTP.
        package var imageFetcher: (any ImageFetcher)?
        package var networkConfig = NetworkConfig()
        package var compute = ComputeConfig()
        package var blockStorage = BlockStorageConfig()
        package var objectStorage = ObjectStorageConfig()
        /// Seal the passphrases of encrypted volumes; the first one seals, all open.
        package var volumeKeys: [FernetKey] = []
        package var policies = OperatorPolicies()

        package init(
            database: any Database, credentialKeys: [FernetKey], network: any NetworkDriver,
            objectDevices: ObjectStore.Devices, imageDirectory: String, origin: String, clock: WallClock = .system,
            ids: IDSource = .random
        ) {
            self.database = database
            self.credentialKeys = credentialKeys
            self.network = network
            self.objectDevices = objectDevices
            self.imageDirectory = imageDirectory
            self.origin = origin
            self.clock = clock
            self.ids = ids
        }
    }

    package let identity: IdentityEngine
    package let images: ImageEngine
    package let placement: PlacementEngine
    package let network: NetworkEnvironment
    package let networks: NetworkEngine
    package let volumes: BlockStorageParts
    package let backups: BackupStoreWatch
    package let objects: ObjectStore
    package let compute: ComputeParts
    package let sagas: SagaRunner
    package let hosts: ComputeHostEngine
    package let bus: any MessageBus
    package let apis: [any ServiceAPI]
    private let foundation: Foundation
    private let background: BackgroundTasks
    private let wakes = ReconcilerWakes()

    package static let migrations: [Migration] =
        SagaMigrations.all + QuotaMigrations.all + IdentityMigrations.all + ImageMigrations.all
        + PlacementMigrations.all
        + NetworkMigrations.all + BlockStorageMigrations.all + ObjectStorageMigrations.all
        + ComputeMigrations.all

    /// Brings the schema up to date and wires everything. Nothing runs yet.
    package init(_ foundation: Foundation) async throws {
        let (database, clock, ids) = (foundation.database, foundation.clock, foundation.ids)
        try await Migrator.apply(Self.migrations, to: database, clock: clock)
        self.foundation = foundation
        let background = BackgroundTasks("bus")
        self.background = background
        let bus = InProcessBus(tasks: background)
        self.bus = bus

        identity = IdentityEngine(
            database: database, credentialKeys: foundation.credentialKeys, config: foundation.identity, clock: clock,
            ids: ids, directory: foundation.directory, issuers: try OpenIDKeys.read(foundation.identity))
        let files = FileImageStore(directory: foundation.imageDirectory)
        var imageConfig = foundation.image
        imageConfig.directory = foundation.imageDirectory
        images = ImageEngine(
            config: imageConfig, database: database, files: files,
            fetcher: foundation.imageFetcher ?? ImageDownloads(imageConfig),
            quotas: ImageLimits(limits: identity.limits), wakes: wakes, clock: clock, ids: ids)
        try await images.prepare()
        placement = PlacementEngine(database: database, clock: clock, ids: ids)
        network = NetworkEnvironment(
            database: database, driver: foundation.network, config: foundation.networkConfig, clock: clock, ids: ids)
        networks = NetworkEngine(network)
        let registry = SagaRegistry()
        sagas = SagaRunner(database: database, registry: registry, holder: ids.uuid(), clock: clock)
        let policies = foundation.policies
        let computeLink = ComputeLink()
        let imageAPI = try ImageAPI(engine: images, sagas: sagas, policyOverrides: policies["image"])
        let imageService = InProcessImages(images, enforcer: imageAPI.enforcer)
        volumes = BlockStorageParts(
            database: database, bus: bus, images: imageService, imageUpload: imageService, identity: identity,
            compute: computeLink,
            keyring: VolumeKeyring(foundation.volumeKeys), config: foundation.blockStorage,
            mounter: KernelShareMounter(), clock: clock, ids: ids)
        backups = BackupStoreWatch(volumes.backupStore)
        let volumeAPI = try BlockStorageAPI(volumes, sagas: sagas, policy: policies["block-storage"])
        objects = try await ObjectStore(
            foundation.objectDevices, database: database, identity: identity, config: foundation.objectStorage,
            origin: foundation.origin, clock: clock, ids: ids)
        compute = ComputeParts(
            database: database, bus: bus, images: imageService, placement: placement, networks: networks,
            volumes: InProcessBlockStorage(volumes, sagas: sagas, enforcer: volumeAPI.enforcer),
            config: foundation.compute, clock: clock, ids: ids)
        computeLink.set(InProcessCompute(compute))
        ImageSagas.register(on: registry, images)
        BlockStorageSagas.register(on: registry, volumes)
        ComputeSagas.register(on: registry, compute)
        hosts = ComputeHostEngine(compute, sagas: sagas)
        let networkAPI = try NetworkAPI(network, policyOverrides: policies["network"])
        // What Compute's proxies call, as their callers do.
        let neighbours = APIRouter(
            services: [imageAPI, networkAPI, volumeAPI], origin: foundation.origin, ids: ids, clock: clock
        ) { [identity] token in try await identity.authenticate(token: token) }
        apis = [
            try IdentityAPI(engine: identity, policyOverrides: policies["identity"]),
            imageAPI,
            try PlacementAPI(engine: placement, policyOverrides: policies["placement"]),
            networkAPI,
            try ComputeAPI(
                compute, sagas: sagas, hosts: hosts, origin: foundation.origin,
                threads: BlockingPool("consoles", threads: 32), identity: identity, neighbours: neighbours,
                policy: policies["compute"]),
            volumeAPI,
            try ConsoleAPI(compute, sagas: sagas, origin: foundation.origin),
            try RingAPI(
                objects.parts, host: foundation.objectDevices.host, policy: policies["object-storage"]),
        ]
    }

    /// Answers every API; `root` answers beside them.
    package func handler(root: (any ServiceAPI)? = nil) -> any HTTPHandler {
        CloudHandler(objects: objects, router: router(root: root))
    }

    private func router(root: (any ServiceAPI)?) -> APIRouter {
        APIRouter(
            services: apis + (root.map { [$0] } ?? []), origin: foundation.origin, ids: foundation.ids,
            clock: foundation.clock
        ) { [identity] token in try await identity.authenticate(token: token) }
    }

    /// What runs as long as the process does, in the order of starting.
    package var services: [any Service] {
        let networkServices = NetworkServices(network)
        let computeServer = BusServer(bus, topic: "compute", host: "controller")
        hosts.listen(on: computeServer)
        let volumeServer = BusServer(bus, topic: "volume", host: "controller")
        VolumeBackendEngine(volumes).listen(on: volumeServer)
        let metadata = MetadataResponder(networks: networks, servers: InProcessCompute(compute))
        let reconcilers = ReconcilerRunner(
            [
                networkServices.reconciler, ImageDataReconciler(images, sagas: sagas), ImageCacheReconciler(images),
                ComputeReconciler(compute, sagas: sagas),
                BlockStorageReconciler(volumes, sagas: sagas), BackupReconciler(volumes, sagas: sagas),
            ],
            wakes: wakes, clock: foundation.clock)
        return [background, identity.keeper] + objects.services + networkServices.services
            + [backups, computeServer, volumeServer, metadata.server(on: bus), sagas, reconcilers]
    }
}

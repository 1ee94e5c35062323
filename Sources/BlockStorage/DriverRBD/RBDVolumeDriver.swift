// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import ImageContract
import LifecycleKit
import LinuxKit
import LogKit
import Synchronization

/// Volumes as images of a Ceph pool. Clones and volumes from images share the bytes of a protected snapshot and copy
/// what is written.
///
///     volume-V                  a volume; `volume-V@snapshot-S` its snapshot; `volume-V@clone-W` what W was made from
///     image-I@base              an image's bytes
///     part-X                    not complete
///     deleted-V, @deleted-S     gone, but for clones that need it; the sweep removes it after them
///     unmanaged-V, @unmanaged-S  given back to the operator
///
/// An encrypted volume is a LUKS container that holds the volume's size; where nothing was written it reads as noise.
package struct RBDVolumeDriver: VolumeDriver {
    package let movesOnSnapshot = false

    static let base = "base"
    /// What a LUKS header takes: one object.
    static let headerBytes: Int64 = 4 << 20

    let config: RBDVolumeConfig
    let staging: ImageStaging
    let tool: DiskImageTool
    let clock: WallClock
    let log = Logger("volumes")
    private let images = KeyedSerialQueue<String>("images for volumes")
    private let current = Shared()

    package init(_ config: RBDVolumeConfig, images: any ImageSource, clock: WallClock = .system) {
        self.config = config
        self.clock = clock
        tool = DiskImageTool(config.copyLimits, namespace: config.namespace)
        staging = ImageStaging(images: images, tool: tool)
    }

    package func start() async throws {
        try tool.check()
        let scratch = config.scratchDirectory
        try await FileSystem.onThread { try FileSystem.makeDirectories(scratch, mode: 0o700) }
        if current.cluster.withLock({ $0 != nil }) { return }
        let cluster = try await RBDCluster.connect(config)
        current.cluster.withLock { $0 = cluster }
    }

    package func pool() async throws -> VolumePool {
        let report = try await cluster().command(#"{"prefix":"df","format":"json"}"#)
        guard let pool = report["pools"]?.array?.first(where: { $0["name"]?.string == config.pool }),
            let free = pool["stats"]?["max_avail"]?.int, let used = pool["stats"]?["stored"]?.int
        else { throw CloudError(.unavailable, "The storage failed.", cause: "no report of the pool \(config.pool)") }
        let promised = try await cluster().run { pool in
            try pool.names().filter { $0.hasPrefix("volume-") }.reduce(0) { sum, name in
                sum + ((try? pool.size(name)) ?? 0)  // removed since it was listed
            }
        }
        let gibibyte = Double(1 << 30)
        return VolumePool(
            name: "\(config.address)#\(config.backendName)", backendName: config.backendName,
            totalGiB: Double(free + used) / gibibyte, freeGiB: Double(free) / gibibyte,
            provisionedGiB: Double(promised) / gibibyte, storageProtocol: "ceph")
    }

    // MARK: Birth and death

    package func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        let name = try RBDName.volume(volume.id)
        let part = try RBDName.part(volume.id.rawValue)
        if try await cluster().run({ try $0.exists(name) }) { return name }
        try await cluster().run { try $0.remove(part) }
        switch source {
        case .blank: try await makeEmpty(part, volume)
        case .image(let id, let format, let virtualSize):
            try ImageStaging.checkFits(virtualSize, sizeGiB: volume.sizeGiB)
            let image = try await ensureImage(id, format: format)
            try await fill(part, volume, from: node(image, snapshot: Self.base, nil), image, Self.base, passphrase: nil)
        case .snapshot(let snapshot):
            let (image, name) = try RBDName.parts(snapshot)
            let source = node(image, snapshot: name, sizeGiB: snapshot.sizeGiB, snapshot.passphrase)
            try await fill(part, volume, from: source, image, name, passphrase: snapshot.passphrase)
        case .volume(let other):
            let (image, snapshot) = (try location(other), try RBDName.clone(volume.id))
            try await cluster().run { try $0.ensureSnapshot(snapshot, of: image) }
            let source = node(image, snapshot: snapshot, sizeGiB: other.sizeGiB, other.passphrase)
            try await fill(part, volume, from: source, image, snapshot, passphrase: other.passphrase)
        }
        try await cluster().run { try $0.rename(part, to: name) }
        return name
    }

    package func delete(_ volume: VolumeHandle) async throws {
        let name = try location(volume)
        let grave = try RBDName.deleted(volume.id.rawValue)
        let part = try RBDName.part(volume.id.rawValue)
        try await cluster().run { pool in
            try pool.remove(part)
            guard try pool.exists(name) else { return }
            let isFree = try Self.removeSnapshots(of: name, pool)
            if isFree { try pool.remove(name) } else { try pool.rename(name, to: grave) }
        }
    }

    package func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws {
        var larger = volume
        larger.sizeGiB = size
        let (name, bytes) = (try location(volume), Self.storedBytes(larger))
        try await cluster().run { try $0.grow(name, toBytes: bytes) }
    }

    // MARK: Snapshots

    package func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult {
        let (image, name) = (try location(volume), try RBDName.snapshot(snapshot.id))
        try await cluster().run { try $0.ensureSnapshot(name, of: image) }
        return VolumeSnapshotResult(snapshotLocation: "\(image)@\(name)", volumeLocation: image)
    }

    package func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        let (image, name) = try RBDName.parts(snapshot)
        let grave = try RBDName.deleted(snapshot.id.rawValue)
        try await cluster().run { pool in
            guard try pool.exists(image), try pool.snapshots(image).contains(name) else { return }
            if try pool.hasChildren(name, of: image) {
                try pool.renameSnapshot(name, of: image, to: grave)
            } else {
                try pool.removeSnapshot(name, of: image)
            }
        }
    }

    package func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String {
        let (image, name) = try RBDName.parts(snapshot)
        let bytes = Self.storedBytes(volume)
        try await cluster().run { pool in
            try pool.rollBack(image, to: name)
            try pool.grow(image, toBytes: bytes)
        }
        return image
    }

    // MARK: Export to hosts

    package func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        let (name, bytes) = (try location(volume), Self.storedBytes(volume))
        let cluster = try cluster()
        try await cluster.run { try $0.grow(name, toBytes: bytes) }
        return VolumeConnection(
            volume: volume.id,
            source: .rbd(
                .init(
                    pool: config.pool, image: name, monitors: cluster.monitors, user: config.user, key: cluster.key)),
            isReadOnly: isReadOnly, sizeBytes: Int64(volume.sizeGiB) << 30, passphrase: volume.passphrase)
    }

    /// The cluster gives every host the same access, so there is nothing to take back from one.
    package func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {}

    // MARK: Parts

    func cluster() throws -> RBDCluster {
        guard let cluster = current.cluster.withLock({ $0 }) else {
            throw CloudError(.unavailable, "The storage is not ready.", cause: "the Ceph backend was not started")
        }
        return cluster
    }

    func location(_ volume: VolumeHandle) throws -> String {
        let expected = try RBDName.volume(volume.id)
        guard volume.location.isEmpty || volume.location == expected else {
            throw CloudError(
                .notFound, "The volume's storage is not there.",
                cause: "'\(volume.location)' is no location of this backend")
        }
        return expected
    }

    func node(_ image: String, snapshot: String? = nil, sizeGiB: Int = 0, _ passphrase: String?) -> ImageNode {
        let source = RBDSource(
            pool: config.pool, image: image, snapshot: snapshot, configuration: config.configurationFile,
            user: config.user)
        return passphrase == nil ? .rbd(source) : .encryptedRBD(source, sizeBytes: Int64(sizeGiB) << 30)
    }

    static func storedBytes(_ volume: VolumeHandle) -> Int64 {
        Int64(volume.sizeGiB) << 30 + (volume.passphrase == nil ? 0 : headerBytes)
    }

    func makeEmpty(_ name: String, _ volume: VolumeHandle) async throws {
        let bytes = Self.storedBytes(volume)
        try await cluster().run { pool in
            try pool.make(name, bytes: bytes)
            if let passphrase = volume.passphrase { try pool.encrypt(name, passphrase: passphrase) }
        }
    }

    /// A clone where the passphrase is the same, a copy where it is not.
    private func fill(
        _ part: String, _ volume: VolumeHandle, from source: ImageNode, _ image: String, _ snapshot: String,
        passphrase: String?
    ) async throws {
        guard passphrase == volume.passphrase else {
            try await makeEmpty(part, volume)
            return try await tool.copy(
                source, passphrase: passphrase, to: node(part, sizeGiB: volume.sizeGiB, volume.passphrase),
                targetPassphrase: volume.passphrase,
                secretDirectory: config.scratchDirectory)
        }
        let (bytes, limit) = (Self.storedBytes(volume), config.maximumCloneDepth)
        try await cluster().run { pool in
            try pool.clone(image, snapshot: snapshot, as: part)
            try pool.grow(part, toBytes: bytes)
            var (depth, ancestor) = (0, image)
            while depth <= limit, let parent = try pool.parent(ancestor) { (depth, ancestor) = (depth + 1, parent) }
            if depth >= limit { try pool.flatten(part) }
        }
    }

    /// The image as an image of the pool with a protected snapshot, imported when no volume of it was made before.
    func ensureImage(_ id: String, format: String) async throws -> String {
        let name = try RBDName.image(id)
        return try await images.run(id) {
            let isThere = try await cluster().run { pool in
                guard try pool.exists(name) else { return false }
                try pool.ensureSnapshot(Self.base, of: name)
                return true
            }
            if isThere { return name }
            let part = try RBDName.part(id)
            let fetched = "\(config.scratchDirectory)/\(part)\(ScratchFolder.suffix)"
            do {
                let image = try await staging.fetch(id, format: format, to: fetched)
                let bytes = try await staging.virtualSize(image)
                try await cluster().run { pool in
                    try pool.remove(part)
                    try pool.make(part, bytes: bytes)
                }
                try await tool.copy(
                    image, passphrase: nil, to: node(part, nil), targetPassphrase: nil,
                    secretDirectory: config.scratchDirectory)
            } catch {
                try await FileSystem.onThread { try FileSystem.removeTree(fetched) }
                throw error
            }
            try await FileSystem.onThread { try FileSystem.removeTree(fetched) }
            try await cluster().run { pool in
                try pool.rename(part, to: name)
                try pool.ensureSnapshot(Self.base, of: name)
            }
            return name
        }
    }

    /// Removes the snapshots of an image that goes. False: clones need one of them, or one was given back to
    /// the operator.
    static func removeSnapshots(of name: String, _ pool: RBDPool) throws -> Bool {
        var isFree = true
        for snapshot in try pool.snapshots(name) {
            if try RBDName.isUnmanaged(snapshot) || pool.hasChildren(snapshot, of: name) {
                isFree = false
            } else {
                try pool.removeSnapshot(snapshot, of: name)
            }
        }
        return isFree
    }

    /// Keeps the sweep off an image that is copied, which nothing in the cluster does.
    func reading<T: Sendable>(_ image: String, _ body: () async throws -> T) async throws -> T {
        current.readers.withLock { $0[image, default: 0] += 1 }
        defer { current.readers.withLock { $0[image] = $0[image].flatMap { $0 > 1 ? $0 - 1 : nil } } }
        return try await body()
    }

    func isRead(_ image: String) -> Bool { current.readers.withLock { $0[image] != nil } }

    private final class Shared: Sendable {
        let cluster = Mutex<RBDCluster?>(nil)
        let readers = Mutex<[String: Int]>([:])
    }
}

/// Names of images and snapshots, which follow from ids.
enum RBDName {
    static func volume(_ id: VolumeID) throws -> String { "volume-\(try checked(id.rawValue))" }
    static func snapshot(_ id: VolumeSnapshotID) throws -> String { "snapshot-\(try checked(id.rawValue))" }
    static func clone(_ id: VolumeID) throws -> String { "clone-\(try checked(id.rawValue))" }
    static func image(_ id: String) throws -> String { "image-\(try checked(id))" }
    static func part(_ id: String) throws -> String { "part-\(try checked(id))" }
    static func deleted(_ id: String) throws -> String { "deleted-\(try checked(id))" }
    static func unmanaged(_ id: VolumeID) throws -> String { "unmanaged-\(try checked(id.rawValue))" }
    static func unmanaged(_ id: VolumeSnapshotID) throws -> String { "unmanaged-\(try checked(id.rawValue))" }

    /// Image and snapshot of a snapshot's handle.
    static func parts(_ snapshot: VolumeSnapshotHandle) throws -> (image: String, snapshot: String) {
        (try volume(snapshot.volume), try self.snapshot(snapshot.id))
    }

    static func isOwn(_ name: String) -> Bool {
        ["volume-", "image-", "part-", "deleted-"].contains { name.hasPrefix($0) }
    }

    static func isUnmanaged(_ name: String) -> Bool { name.hasPrefix("unmanaged-") }

    static func isOwnSnapshot(_ name: String) -> Bool {
        name == RBDVolumeDriver.base || ["snapshot-", "clone-", "deleted-"].contains { name.hasPrefix($0) }
    }

    private static func checked(_ id: String) throws -> String {
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("'\(id)' is not an id.") }
        return id
    }
}

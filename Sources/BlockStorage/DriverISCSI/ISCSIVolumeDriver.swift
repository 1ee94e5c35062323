// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import ImageContract
import LifecycleKit
import LinuxKit
import LogKit

/// Volumes as block devices of this host, which others reach over iSCSI with CHAP.
///
/// The bytes of a volume are a guest's own, so nothing here ever looks for a format in them. An encrypted volume is a
/// LUKS container with four mebibytes of room for its header; where nothing was written it reads as noise, since only
/// what passed the encryption can be read back.
package struct ISCSIVolumeDriver: VolumeDriver {
    package let movesOnSnapshot = false

    /// What a LUKS header takes at most.
    static let headerBytes: Int64 = 4 << 20

    let store: any BlockStore
    let staging: ImageStaging
    let tool: DiskImageTool
    let exporter: ISCSIExporter
    let stateDirectory: String
    let clock: WallClock
    private let poolName: String
    private let backendName: String
    private let scratch: AsyncSlots

    package init(_ config: ISCSIVolumeConfig, images: any ImageSource, clock: WallClock = .system) {
        self.init(config, images: images, target: Self.target(config), clock: clock)
    }

    /// For another target than the one that the configuration names.
    init(
        _ config: ISCSIVolumeConfig, images: any ImageSource, target: any TargetService, clock: WallClock = .system
    ) {
        let tool = DiskImageTool(config.copyLimits)
        let store: any BlockStore =
            switch config.store {
            case .lvm: LVMBlockStore(group: config.volumeGroup, pool: config.thinPool)
            case .files: FileBlockStore(directory: config.filesDirectory, tool: tool)
            }
        self.tool = tool
        self.store = store
        staging = ImageStaging(images: images, tool: tool)
        exporter = ISCSIExporter(
            service: target, records: ISCSIExportRecords(directory: config.exportsDirectory),
            namePrefix: config.namePrefix, portal: config.portalAddress
        ) { store.path($0) }
        stateDirectory = config.exportsDirectory
        self.clock = clock
        poolName = "\(config.address)#\(config.backendName)"
        backendName = config.backendName
        scratch = AsyncSlots("images for volumes", slots: config.parallelCopies)
    }

    private static func target(_ config: ISCSIVolumeConfig) -> any TargetService {
        switch config.target {
        case .tgt:
            TgtdTargetService(
                socketPath: config.controlSocket, portal: config.portalAddress, startsDaemon: config.startsDaemon,
                logPath: "\(config.exportsDirectory)/tgtd.log")
        case .lio: LIOTargetService(portal: config.portalAddress)
        }
    }

    package func start() async throws {
        try tool.check()
        try await exporter.prepare()
        try await store.start()
        try await exporter.restore()
    }

    /// Also brings back the exports that a restarted target has forgotten.
    package func pool() async throws -> VolumePool {
        try await exporter.restore()
        let space = try await store.space()
        let promised = try await store.list().filter { BlockName($0.name) != nil }.reduce(0) { $0 + $1.sizeBytes }
        let gibibyte = Double(1 << 30)
        return VolumePool(
            name: poolName, backendName: backendName, totalGiB: Double(space.totalBytes) / gibibyte,
            freeGiB: Double(space.freeBytes) / gibibyte, provisionedGiB: Double(promised) / gibibyte,
            storageProtocol: "iSCSI")
    }

    // MARK: Birth and death

    package func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        let name = try BlockName.volume(volume.id)
        if try await store.object(name.text) != nil { return name.text }
        let part = try BlockName.part(volume.id.rawValue)
        switch source {
        case .blank: try await makeEmpty(part, volume)
        case .image(let id, let format, let virtualSize):
            try await fill(part, volume, from: VolumeImage(id: id, format: format, virtualSizeBytes: virtualSize))
        case .snapshot(let snapshot):
            try await fill(
                part, volume, from: try object(snapshot), sizeGiB: snapshot.sizeGiB, passphrase: snapshot.passphrase)
        case .volume(let other):
            let origin = try object(other)
            try await refuseIfTorn(origin, other.id)
            try await fill(part, volume, from: origin, sizeGiB: other.sizeGiB, passphrase: other.passphrase)
        }
        try await store.rename(part.text, to: name.text)
        return name.text
    }

    package func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        let part = try BlockName.part(volume.id.rawValue)
        try await refuseIfInUse(volume.id)
        try await fill(part, volume, from: image)
        return try await replace(volume, by: part)
    }

    package func delete(_ volume: VolumeHandle) async throws {
        try await exporter.remove(volume.id)
        try await store.remove(try object(volume))
        try await store.remove(try BlockName.part(volume.id.rawValue))
    }

    package func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws {
        var larger = volume
        larger.sizeGiB = size
        try await store.grow(try object(volume), toBytes: Self.storedBytes(larger))
        try await exporter.refreshSize(volume.id)
    }

    // MARK: Snapshots

    package func createSnapshot(
        _ snapshot: VolumeSnapshotHandle, of volume: VolumeHandle
    ) async throws -> VolumeSnapshotResult {
        let (name, origin) = (try BlockName.snapshot(snapshot.id), try object(volume))
        if try await store.object(name.text) == nil {
            try await refuseIfTorn(origin, volume.id)
            let part = try BlockName.part(snapshot.id.rawValue)
            try await store.clone(origin, as: part)
            try await store.rename(part.text, to: name.text)
        }
        return VolumeSnapshotResult(snapshotLocation: name.text, volumeLocation: origin.text)
    }

    package func deleteSnapshot(_ snapshot: VolumeSnapshotHandle) async throws {
        try await store.remove(try object(snapshot))
        try await store.remove(try BlockName.part(snapshot.id.rawValue))
    }

    package func revert(_ volume: VolumeHandle, to snapshot: VolumeSnapshotHandle) async throws -> String {
        let part = try BlockName.part(volume.id.rawValue)
        try await refuseIfInUse(volume.id)
        try await store.clone(try object(snapshot), as: part)
        try await store.grow(part, toBytes: Self.storedBytes(volume))
        return try await replace(volume, by: part)
    }

    // MARK: Export to hosts

    package func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        let name = try object(volume)
        guard try await store.object(name.text) != nil else { throw Self.missing(name.text) }
        try await store.grow(name, toBytes: Self.storedBytes(volume))
        let source = try await exporter.add(volume.id, object: name, connector, isReadOnly: isReadOnly)
        return VolumeConnection(
            volume: volume.id, source: .iscsi(source), isReadOnly: isReadOnly, sizeBytes: Int64(volume.sizeGiB) << 30,
            passphrase: volume.passphrase)
    }

    package func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {
        try await exporter.remove(volume.id, connector)
    }

    // MARK: Content

    package func export(
        _ content: VolumeContent, to path: String, format: VolumeConnection.Format
    ) async throws {
        let (name, sizeGiB, passphrase): (BlockName, Int, String?) =
            switch content {
            case .volume(let volume): (try object(volume), volume.sizeGiB, volume.passphrase)
            case .snapshot(let snapshot): (try object(snapshot), snapshot.sizeGiB, snapshot.passphrase)
            }
        if case .volume(let volume) = content { try await refuseIfTorn(name, volume.id) }
        guard try await store.object(name.text) != nil else { throw Self.missing(name.text) }
        try await tool.export(
            node(name, sizeGiB: sizeGiB, passphrase), sizeBytes: Int64(sizeGiB) << 30, passphrase: passphrase, to: path,
            format: format,
            secretDirectory: stateDirectory)
    }

    package func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String {
        let source = try await staging.check(path, driver: format.rawValue)
        try ImageStaging.checkFits(try await staging.virtualSize(source), sizeGiB: volume.sizeGiB)
        try await refuseIfInUse(volume.id)
        let part = try BlockName.part(volume.id.rawValue)
        try await makeEmpty(part, volume)
        try await tool.copy(
            source, passphrase: nil, to: node(part, sizeGiB: volume.sizeGiB, volume.passphrase),
            targetPassphrase: volume.passphrase,
            secretDirectory: stateDirectory)
        return try await replace(volume, by: part)
    }

    // MARK: Order

    package func sweep(
        keeping volumes: [VolumeHandle], _ snapshots: [VolumeSnapshotHandle], olderThan age: Duration
    ) async throws -> [String] {
        let kept = Set(
            try volumes.flatMap { [try BlockName.volume($0.id), try object($0)] }
                + snapshots.flatMap { [try BlockName.snapshot($0.id), try object($0)] })
        let latest = clock.now().microseconds / 1_000_000 - age.components.seconds
        var removed = try await ScratchFolder.sweep(stateDirectory, olderThan: age, now: clock.now())
        for object in try await store.list() where object.madeSeconds <= latest {
            guard let name = BlockName(object.name), !kept.contains(name) else { continue }
            let id = VolumeID(String(name.text.suffix(36)))
            if name == (try? BlockName.volume(id)) { try await exporter.remove(id) }  // not an id: not exported
            do {
                try await store.remove(name)
                removed.append(name.text)
            } catch let error as CloudError where error.code == .conflict {
                // Somebody has it open; a later sweep finds it closed.
                continue
            }
        }
        return removed.sorted()
    }

    // MARK: Parts

    func object(_ volume: VolumeHandle) throws -> BlockName {
        try volume.location.isEmpty ? .volume(volume.id) : name(volume.location)
    }

    func object(_ snapshot: VolumeSnapshotHandle) throws -> BlockName {
        try snapshot.location.isEmpty ? .snapshot(snapshot.id) : name(snapshot.location)
    }

    private func name(_ location: String) throws -> BlockName {
        guard let name = BlockName(location) else { throw Self.missing(location) }
        return name
    }

    private func node(_ name: BlockName, sizeGiB: Int, _ passphrase: String?) -> ImageNode {
        let path = store.path(name.text)
        return passphrase == nil ? .raw(path: path) : .luks(path: path, sizeBytes: Int64(sizeGiB) << 30)
    }

    /// Bytes in the store: what the volume holds, and the header of an encrypted one.
    static func storedBytes(_ volume: VolumeHandle) -> Int64 {
        Int64(volume.sizeGiB) << 30 + (volume.passphrase == nil ? 0 : headerBytes)
    }

    private func makeEmpty(_ part: BlockName, _ volume: VolumeHandle) async throws {
        try await store.make(part, sizeBytes: Self.storedBytes(volume))
        guard let passphrase = volume.passphrase else { return }
        try await tool.createLUKS(
            store.path(part.text), contentBytes: Int64(volume.sizeGiB) << 30, passphrase: passphrase)
        // A file is now as large as header and content; the rest is room that nobody sees.
        try await store.grow(part, toBytes: Self.storedBytes(volume))
    }

    private func fill(
        _ part: BlockName, _ volume: VolumeHandle, from origin: BlockName, sizeGiB: Int, passphrase: String?
    ) async throws {
        guard try await store.object(origin.text) != nil else { throw Self.missing(origin.text) }
        if passphrase == volume.passphrase {
            try await store.clone(origin, as: part)
            return try await store.grow(part, toBytes: Self.storedBytes(volume))
        }
        try await makeEmpty(part, volume)
        try await tool.copy(
            node(origin, sizeGiB: sizeGiB, passphrase), passphrase: passphrase,
            to: node(part, sizeGiB: volume.sizeGiB, volume.passphrase),
            targetPassphrase: volume.passphrase, secretDirectory: stateDirectory)
    }

    private func fill(_ part: BlockName, _ volume: VolumeHandle, from image: VolumeImage) async throws {
        try ImageStaging.checkFits(image.virtualSizeBytes, sizeGiB: volume.sizeGiB)
        try await scratch.run { try await fillNow(part, volume, from: image) }
    }

    private func fillNow(_ part: BlockName, _ volume: VolumeHandle, from image: VolumeImage) async throws {
        let fetched = "\(stateDirectory)/image-\(volume.id.rawValue)\(ScratchFolder.suffix)"
        do {
            let source = try await staging.fetch(image.id, format: image.format, to: fetched)
            try ImageStaging.checkFits(try await staging.virtualSize(source), sizeGiB: volume.sizeGiB)
            try await makeEmpty(part, volume)
            try await tool.copy(
                source, passphrase: nil, to: node(part, sizeGiB: volume.sizeGiB, volume.passphrase),
                targetPassphrase: volume.passphrase,
                secretDirectory: stateDirectory)
        } catch {
            try await FileSystem.onThread { try FileSystem.removeTree(fetched) }
            throw error
        }
        try await FileSystem.onThread { try FileSystem.removeTree(fetched) }
    }

    /// Puts a complete part in the place of the volume. Between the two steps of some stores there is no volume; a
    /// repeat makes the part again.
    private func replace(_ volume: VolumeHandle, by part: BlockName) async throws -> String {
        let name = try object(volume)
        try await exporter.withoutTarget(volume.id) { try await store.rename(part.text, to: name.text) }
        return name.text
    }

    private func refuseIfInUse(_ volume: VolumeID) async throws {
        guard try await exporter.isInUse(volume) else { return }
        throw CloudError(.conflict, "The volume is in use.", kind: "VolumeInUse", cause: "a host is logged in")
    }

    /// A copy that takes its time, of something that is written to meanwhile, is worth nothing.
    private func refuseIfTorn(_ origin: BlockName, _ volume: VolumeID) async throws {
        guard !store.clonesAtOnce, try await exporter.isInUse(volume) else { return }
        throw CloudError(
            .conflict, "This storage cannot copy a volume that is in use. Detach it first.", kind: "VolumeInUse",
            cause: "\(origin): the file system does not share extents")
    }

    private static func missing(_ name: String) -> CloudError {
        CloudError(.notFound, "The volume's storage is not there.", cause: "'\(name)' is not in the store")
    }
}

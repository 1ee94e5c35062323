// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import ImageContract
import LifecycleKit
import LinuxKit
import LogKit

/// Volumes as chains of qcow2 layers in a folder.
///
/// Each volume writes into one layer of its own, its head. A snapshot freezes the head and puts a new one above it; a
/// clone is a new head above a frozen layer; an image is a frozen layer that every volume made from it shares. No call
/// removes a frozen layer: `sweep` does, when nothing rests on it any more.
///
/// A guest writes only inside the container of a head, so it cannot reach a header. Raw files, whose every byte may be
/// a guest's, are opened as raw, always.
package struct FilesVolumeDriver: VolumeDriver {
    package let movesOnSnapshot = true

    let store: LayerStore
    let staging: ImageStaging
    let tool: DiskImageTool
    let gate = MergeGate()
    /// Each image is fetched once, however many ask for it.
    private let fetches = KeyedSerialQueue<String>("images for volumes")
    let maximumLayers: Int
    let log = Logger("volumes")
    private let poolName: String
    private let backendName: String
    private let storageProtocol: String
    private let clock: WallClock

    package init(_ config: FilesVolumeConfig, images: any ImageSource, clock: WallClock = .system) {
        self.init(config, images: images, storageProtocol: "file", clock: clock)
    }

    /// For drivers whose folder is more than a folder.
    package init(
        _ config: FilesVolumeConfig, images: any ImageSource, storageProtocol: String, clock: WallClock = .system
    ) {
        tool = DiskImageTool(config.copyLimits)
        store = LayerStore(directory: config.layersDirectory, tool: tool)
        staging = ImageStaging(images: images, tool: tool)
        maximumLayers = config.maximumLayers
        poolName = "\(config.address)#\(config.backendName)"
        backendName = config.backendName
        self.storageProtocol = storageProtocol
        self.clock = clock
    }

    var now: Timestamp { clock.now() }

    package func start() async throws {
        do {
            try await store.prepare()
        } catch let error as SystemError {
            throw CloudError(
                .unavailable, "The volumes' folder cannot be used.",
                cause: "\(error); set volume-files-directory to a folder that this program may write")
        }
    }

    package func pool() async throws -> VolumePool {
        let (space, promised) = try await FileSystem.onThread {
            (try FileSystem.space(store.directory), Double(try store.promisedBytes(now: now)))
        }
        let gibibyte = Double(1 << 30)
        return VolumePool(
            name: poolName, backendName: backendName, totalGiB: Double(space.totalBytes) / gibibyte,
            freeGiB: Double(space.freeBytes) / gibibyte, provisionedGiB: promised / gibibyte,
            // Two guests on one qcow2 file would each keep its tables in memory, and ruin it.
            storageProtocol: storageProtocol, supportsMultiattach: false)
    }

    // MARK: Birth and death

    package func create(_ volume: VolumeHandle, from source: VolumeSource) async throws -> String {
        let head = try LayerName.first(of: volume.id)
        if try await FileSystem.onThread({ store.exists(head) }) { return head.text }
        switch source {
        case .blank:
            try await store.make(head, on: nil, sizeBytes: volume.sizeBytes, passphrase: volume.passphrase)
        case .image(let id, let format, let virtualSize):
            let base = try await ensure(
                VolumeImage(id: id, format: format, virtualSizeBytes: virtualSize), fits: volume)
            try await store.make(
                head, on: base.name, sizeBytes: volume.sizeBytes, passphrase: volume.passphrase)
        case .snapshot(let snapshot):
            try await gate.use([snapshot.id.rawValue]) {
                let frozen = try name(snapshot.location)
                try await make(head, of: volume, above: frozen, passphrase: snapshot.passphrase)
            }
        case .volume(let other):
            try await gate.use([other.id.rawValue]) {
                let frozen = try await freeze(other, for: volume.id)
                try await make(head, of: volume, above: frozen, passphrase: other.passphrase)
            }
        }
        return head.text
    }

    /// Puts an empty head above the image in the place of the old one.
    package func reimage(_ volume: VolumeHandle, from image: VolumeImage) async throws -> String {
        let head = try head(volume)
        let base = try await ensure(image, fits: volume)
        return try await gate.use([volume.id.rawValue]) {
            try await refuseIfOpen(head)
            return try await replace(head, of: volume) { target, replaces in
                try await store.make(
                    target, on: base.name, sizeBytes: volume.sizeBytes, passphrase: volume.passphrase,
                    replaces: replaces)
            }
        }
    }

    package func delete(_ volume: VolumeHandle) async throws {
        let head = try head(volume)
        try await gate.use([volume.id.rawValue]) {
            try await store.layout.run {
                try await FileSystem.onThread {
                    // What another layer rests on is nobody's head; the sweep knows when it may go.
                    let isBelow = try store.inventory(now: now).children[head] != nil
                    if !isBelow { try DurableFiles.remove(store.path(head)) }
                }
            }
        }
        gate.setConnected(volume.id.rawValue, false)
    }

    package func extend(_ volume: VolumeHandle, toGiB size: Int, isOpen: Bool) async throws {
        // QEMU grows the file that it has open, and nobody else may touch it.
        guard !isOpen else { return }
        try await gate.use([volume.id.rawValue]) {
            try await grow(try head(volume), toBytes: Int64(size) << 30, passphrase: volume.passphrase)
        }
    }

    // MARK: Export to hosts

    package func connect(
        _ volume: VolumeHandle, to connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection {
        let head = try head(volume)
        gate.setConnected(volume.id.rawValue, true)
        return try await gate.use([volume.id.rawValue]) {
            var chain = try await FileSystem.onThread { try store.chain(head) }
            let isOpen = try await FileSystem.onThread { try ImageLocks.isOpen(store.path(head)) }
            if chain[0].sizeBytes < volume.sizeBytes, !isOpen {
                // It was to grow while a guest had it open, and the guest went away before.
                try await grow(head, toBytes: volume.sizeBytes, passphrase: volume.passphrase)
                chain[0].sizeBytes = volume.sizeBytes
            }
            return VolumeConnection(
                volume: volume.id, source: .file(path: store.path(head), format: .qcow2), isReadOnly: isReadOnly,
                sizeBytes: chain[0].sizeBytes, passphrase: volume.passphrase,
                layers: chain.dropFirst().map {
                    .init(path: store.path($0.name), format: $0.name.isRaw ? .raw : .qcow2, isEncrypted: $0.isEncrypted)
                })
        }
    }

    package func disconnect(_ volume: VolumeHandle, from connector: HostConnector) async throws {
        gate.setConnected(volume.id.rawValue, false)
    }

    // MARK: Parts

    /// The layer that a volume's bytes go to.
    func head(_ volume: VolumeHandle) throws -> LayerName {
        volume.location.isEmpty ? try LayerName.first(of: volume.id) : try name(volume.location)
    }

    func name(_ location: String) throws -> LayerName {
        guard let name = LayerName(location) else {
            throw CloudError(
                .notFound, "The volume's storage is not there.", cause: "'\(location)' is no location of this backend")
        }
        return name
    }

    /// A new head above a frozen layer; a copy where the passphrase differs or the chain would become too long.
    private func make(
        _ head: LayerName, of volume: VolumeHandle, above frozen: LayerName, passphrase: String?
    ) async throws {
        let chain = try await FileSystem.onThread { try lowestEqual(try store.chain(frozen)) }
        guard passphrase == volume.passphrase, chain.count < maximumLayers else {
            let temporary = store.temporary(head.text)
            try await tool.createLayer(
                .init(path: temporary, sizeBytes: volume.sizeBytes, passphrase: volume.passphrase))
            try await tool.copy(
                store.node(chain), passphrase: passphrase,
                to: .qcow2(path: temporary, isEncrypted: volume.passphrase != nil, backing: nil),
                targetPassphrase: volume.passphrase, secretDirectory: store.directory)
            return try await store.publish(temporary, as: head, on: nil, replaces: false)
        }
        try await store.make(
            head, on: chain[0].name, sizeBytes: max(volume.sizeBytes, chain[0].sizeBytes),
            passphrase: volume.passphrase)
    }

    /// The chain without the layers on its top that hold nothing.
    func lowestEqual(_ chain: [Layer]) throws -> [Layer] {
        var chain = chain[...]
        while chain.count > 1, let top = chain.first, !top.name.isRaw {
            let below = chain[chain.startIndex + 1]
            let path = store.path(top.name)
            // A smaller layer hides the end of what is below it.
            guard top.sizeBytes >= below.sizeBytes, try QCOW2Header(path: path).isEmpty(path: path) else { break }
            chain = chain.dropFirst()
        }
        return Array(chain)
    }

    private func grow(_ head: LayerName, toBytes size: Int64, passphrase: String?) async throws {
        let chain = try await FileSystem.onThread { try store.chain(head) }
        guard chain[0].sizeBytes < size else { return }
        try await tool.grow(store.node(chain), toBytes: size, passphrase: passphrase)
    }

    /// The image as a layer of the folder, fetched when no volume of it was made before.
    private func ensure(_ image: VolumeImage, fits volume: VolumeHandle) async throws -> Layer {
        try ImageStaging.checkFits(image.virtualSizeBytes, sizeGiB: volume.sizeGiB)
        let layer = try await fetches.run(image.id) { try await fetchImage(image.id, format: image.format) }
        try ImageStaging.checkFits(layer.sizeBytes, sizeGiB: volume.sizeGiB)
        return layer
    }

    private func fetchImage(_ id: String, format: String) async throws -> Layer {
        let driver = try ImageStaging.driver(ofFormat: format)
        let name = try LayerName.image(id, isRaw: driver == "raw")
        if try await FileSystem.onThread({ store.exists(name) }) {
            return try await FileSystem.onThread { try store.layer(name) }
        }
        let fetched = store.temporary(name.text)
        let node = try await staging.fetch(id, format: format, to: fetched)
        if case .foreign = node {
            let size = try await staging.virtualSize(node)
            let converted = store.temporary(name.text)
            try await tool.createLayer(.init(path: converted, sizeBytes: size))
            try await tool.copy(
                node, passphrase: nil, to: .qcow2(path: converted, isEncrypted: false, backing: nil),
                targetPassphrase: nil, secretDirectory: store.directory)
            try await FileSystem.onThread { try FileSystem.removeTree(fetched) }
            try await store.publish(converted, as: name, on: nil, replaces: false)
        } else {
            try await store.publish(fetched, as: name, on: nil, replaces: false)
        }
        return try await FileSystem.onThread { try store.layer(name) }
    }
}

extension VolumeHandle {
    var sizeBytes: Int64 { Int64(sizeGiB) << 30 }
}

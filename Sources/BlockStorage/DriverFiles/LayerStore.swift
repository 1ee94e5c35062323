// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LifecycleKit
import LinuxKit

/// One file of the folder, as its own header describes it.
struct Layer: Sendable, Equatable {
    var name: LayerName
    var sizeBytes: Int64
    var isEncrypted: Bool
    /// The layer below. Nil: it stands alone.
    var backing: LayerName?
}

/// The folder of layers: what is in it, and how a new layer gets in.
struct LayerStore: Sendable {
    let directory: String
    let tool: DiskImageTool
    let cache = LayerCache()
    /// Held while a layer is put above another one, and while layers are removed, so that nothing is removed from below
    /// a new one. Never held during a copy.
    let layout = AsyncSlots("layout of the volumes' folder", slots: 1)

    func path(_ name: LayerName) -> String { "\(directory)/\(name.text)" }

    /// Opens the folder. Others may pass through it to the files that they own.
    func prepare() async throws {
        let directory = directory
        try tool.check()
        try await FileSystem.onThread {
            try FileSystem.makeDirectories(directory, mode: 0o711)
            let probe = "\(directory)/probe\(LayerName.temporarySuffix)"
            try FileSystem.writeAtomically(probe, "", mode: 0o600, durably: false)
            try DurableFiles.remove(probe)
        }
    }

    // MARK: Reading (these block)

    func exists(_ name: LayerName) -> Bool { FileSystem.exists(path(name)) }

    func layer(_ name: LayerName) throws -> Layer {
        if name.isRaw {
            guard let status = try FileSystem.status(path(name)), status.isRegularFile else {
                throw CloudError(.notFound, "The volume's storage is not there.", cause: "\(path(name)) is missing")
            }
            return Layer(name: name, sizeBytes: status.size, isEncrypted: false, backing: nil)
        }
        let header = try QCOW2Header(path: path(name))
        guard !header.hasDataFile else { throw foreign(name, "a data file") }
        var backing: LayerName?
        if let text = header.backingName {
            backing = LayerName(text)
            guard backing != nil, backing != name else { throw foreign(name, text) }
        }
        return Layer(
            name: name, sizeBytes: header.virtualSizeBytes, isEncrypted: header.isEncrypted, backing: backing)
    }

    /// A layer and those below it, topmost first.
    func chain(_ name: LayerName) throws -> [Layer] {
        var layers = [try layer(name)]
        while let below = layers.last?.backing {
            guard !layers.contains(where: { $0.name == below }) else { throw foreign(name, "itself") }
            layers.append(try layer(below))
        }
        return layers
    }

    /// A chain as QEMU is told to open it.
    func node(_ chain: [Layer]) -> ImageNode {
        var node: ImageNode?
        for layer in chain.reversed() {
            let path = path(layer.name)
            node =
                layer.name.isRaw
                ? .raw(path: path) : .qcow2(path: path, isEncrypted: layer.isEncrypted, backing: node)
        }
        guard let node else { preconditionFailure("an empty chain") }
        return node
    }

    /// Every layer of the folder with its age in seconds. What cannot be read is left out, and kept.
    func inventory(now: Timestamp) throws -> LayerInventory {
        var inventory = LayerInventory()
        for file in try FileSystem.list(directory) {
            guard let status = try FileSystem.status("\(directory)/\(file)"), status.isRegularFile else { continue }
            let changed = max(status.modifiedSeconds, status.changedSeconds)
            let age = now.microseconds / 1_000_000 - changed
            if file.hasSuffix(LayerName.temporarySuffix) {
                inventory.temporary[file] = age
                // What a layer in the making will rest on.
                if let header = try? QCOW2Header(path: "\(directory)/\(file)"),  // not qcow2, or not yet: rests on none
                    let backing = header.backingName.flatMap(LayerName.init)
                {
                    inventory.heldByOthers.insert(backing)
                }
            } else if let name = LayerName(file) {
                do {
                    inventory.layers[name] = try layer(name)
                    inventory.ages[name] = age
                } catch {
                    inventory.unreadable.append(file)
                }
            } else {
                inventory.foreign.append(file)
                if let header = try? QCOW2Header(path: "\(directory)/\(file)"),  // not qcow2: rests on none
                    let backing = header.backingName.flatMap(LayerName.init)
                {
                    inventory.heldByOthers.insert(backing)
                }
            }
        }
        return inventory
    }

    // MARK: Making

    /// A path for something that is not complete, unlike any other.
    func temporary(_ stem: String) -> String {
        "\(directory)/\(stem).\(UInt64.random(in: 0...UInt64.max))\(LayerName.temporarySuffix)"
    }

    /// Makes a layer under its final name, above `base` or alone. `replaces`: whether it may take the place of another
    /// file; else one that is there is found again and stays.
    func make(
        _ name: LayerName, on base: LayerName?, sizeBytes: Int64, passphrase: String?, replaces: Bool = false
    ) async throws {
        let temporary = temporary(name.text)
        try await tool.createLayer(
            .init(
                path: temporary, sizeBytes: sizeBytes, backing: base.map { ($0.text, $0.format) },
                passphrase: passphrase))
        try await publish(temporary, as: name, on: base, replaces: replaces)
    }

    /// Gives a complete file its name, unless what it rests on has gone meanwhile.
    func publish(_ temporary: String, as name: LayerName, on base: LayerName?, replaces: Bool) async throws {
        try await publish(temporary, at: path(name), on: base, replaces: replaces)
    }

    /// The same with a path of this folder.
    func publish(_ temporary: String, at path: String, on base: LayerName?, replaces: Bool) async throws {
        try await layout.run {
            try await FileSystem.onThread {
                do {
                    if let base, !exists(base) {
                        throw CloudError(
                            .unavailable, "The storage is busy. Please retry later.",
                            cause: "\(base) was removed meanwhile")
                    }
                    if !replaces, FileSystem.exists(path) { return try FileSystem.removeTree(temporary) }
                    try DurableFiles.publish(temporary, as: path)
                } catch {
                    try? FileSystem.removeTree(temporary)  // the sweep takes what stays
                    throw error
                }
            }
        }
    }

    private func foreign(_ name: LayerName, _ what: String) -> CloudError {
        CloudError(.unavailable, "The volume's storage is damaged.", cause: "\(path(name)) rests on \(what)")
    }
}

/// What is in the folder.
struct LayerInventory: Sendable {
    var layers: [LayerName: Layer] = [:]
    var ages: [LayerName: Int64] = [:]
    /// Unfinished files and their ages.
    var temporary: [String: Int64] = [:]
    /// Files that are no layers: the operator's.
    var foreign: [String] = []
    var unreadable: [String] = []
    /// Layers that foreign or unfinished files rest on.
    var heldByOthers: Set<LayerName> = []

    /// How many layers rest on each.
    var children: [LayerName: [LayerName]] {
        var children: [LayerName: [LayerName]] = [:]
        for layer in layers.values {
            if let backing = layer.backing { children[backing, default: []].append(layer.name) }
        }
        return children
    }

    /// The names given and all that they rest on. Nil when a chain leads to a file that cannot be read: then nobody
    /// knows what lies below it.
    func closure(_ names: some Sequence<LayerName>) -> Set<LayerName>? {
        var reached: Set<LayerName> = []
        for name in names {
            var next: LayerName? = name
            while let current = next, reached.insert(current).inserted {
                guard let layer = layers[current] else {
                    if unreadable.contains(current.text) { return nil }
                    break
                }
                next = layer.backing
            }
        }
        return reached
    }
}

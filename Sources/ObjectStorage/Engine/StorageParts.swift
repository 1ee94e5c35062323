// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract

/// The store of one process, wired: rings from the database, devices of this host, what keeps them whole.
package struct StorageParts: Sendable {
    /// Makes what `RingDevice` names, when it can be reached from this host; nil when it cannot, or not yet.
    package typealias OpenDevice = @Sendable (RingDevice) async throws -> (any StorageDevice)?
    /// Lets go of what `OpenDevice` made, when it has left the rings.
    package typealias CloseDevice = @Sendable (any StorageDevice) async -> Void

    package let rings: RingEngine
    package let cluster: StorageCluster
    package let replicator: Replicator
    package let auditor: Auditor
    package let state: StorageStateReader
    private let watch: RingWatch
    private let updater: IndexUpdateService
    private let background: BackgroundTasks

    /// `directories` of `host` become devices where they are none yet. Throws `.unavailable` without any device.
    package static func make(
        database: any Database, config: ObjectStorageConfig, host: String, directories: [String],
        clock: WallClock, ids: IDSource, close: @escaping CloseDevice = { _ in }, open: @escaping OpenDevice
    ) async throws -> StorageParts {
        let rings = RingEngine(database: database, config: config, clock: clock, ids: ids)
        try await rings.prepare(host: host, directories: directories)
        let devices = DeviceDirectory(clock: clock, awayTime: config.awayTime)
        let background = BackgroundTasks("object-storage")
        let cluster = StorageCluster(
            layout: try await rings.layout(), devices: devices, hash: try await rings.pathHash(),
            clock: WriteClock(clock), background: background, limits: config.cluster)
        let parts = StorageParts(host, rings, cluster, config, background, open, close)
        await parts.watch.attachDevices()
        return parts
    }

    private init(
        _ host: String, _ rings: RingEngine, _ cluster: StorageCluster, _ config: ObjectStorageConfig,
        _ background: BackgroundTasks, _ open: @escaping OpenDevice, _ close: @escaping CloseDevice
    ) {
        self.rings = rings
        self.cluster = cluster
        self.background = background
        replicator = Replicator(cluster, limits: config.replicator) { indexes, policy, version, partitions in
            cluster.adopt(
                try await rings.settle(indexes: indexes, policy: policy, version: version, partitions))
        }
        auditor = Auditor(cluster, limits: config.auditor)
        state = StorageStateReader(cluster: cluster, replicator: replicator, auditor: auditor)
        watch = RingWatch(host: host, rings: rings, cluster: cluster, open: open, close: close)
        updater = IndexUpdateService(cluster, interval: config.accountUpdateInterval)
    }

    /// After a change by `rings`: takes over the new rings and opens devices that came. It also happens by itself soon.
    package func refresh() async throws { try await watch.refresh() }

    /// Adds a device that answers. Throws `.badRequest`, and adds none, when it does not; `.conflict` when it is one.
    package func add(_ draft: RingDraft) async throws -> RingDevice {
        try draft.check()
        // Without a weight it has no share: nothing moves before it is known to answer.
        var empty = draft
        empty.weight = 0
        let device = try await rings.add(empty)
        cluster.adopt(try await rings.layout())
        do {
            try await watch.attach(device)
        } catch {
            try await rings.remove(device.number, isForced: true)
            try await refresh()
            let error = CloudError(describing: error)
            throw CloudError(
                .badRequest, "\(draft.path) on \(draft.host) was not added: \(error.cause ?? error.message).",
                cause: error.description)
        }
        let added = try await rings.change(device.number, RingChange(weight: draft.weight))
        try await refresh()
        return added
    }

    /// What runs as long as the process does, in the order of starting.
    package var services: [any Service] { [background, watch, replicator, auditor, updater, StorageGauges(state)] }
}

/// Takes over rings that another process has changed, and opens devices that come.
struct RingWatch: Service {
    let name = "object-storage-rings"
    private static let interval = Duration.seconds(5)

    let host: String
    let rings: RingEngine
    let cluster: StorageCluster
    let open: StorageParts.OpenDevice
    let close: StorageParts.CloseDevice
    /// To open a device twice is a mistake: it is locked.
    private let turn = AsyncSlots("object-storage-rings", slots: 1)
    private let log = Logger("object-storage")

    init(
        host: String, rings: RingEngine, cluster: StorageCluster, open: @escaping StorageParts.OpenDevice,
        close: @escaping StorageParts.CloseDevice
    ) {
        self.host = host
        self.rings = rings
        self.cluster = cluster
        self.open = open
        self.close = close
    }

    func run() async throws {
        while !Task.isCancelled {
            do {
                try await refresh()
            } catch {
                if !Task.isCancelled { log.warning("rings were not read", ["error": "\(error)"]) }
            }
            try? await Task.sleep(for: Self.interval)  // an early end means cancellation, which the loop sees
        }
    }

    func refresh() async throws {
        let layout = try await rings.layout()
        if !layout.isSame(as: cluster.layout) {
            cluster.adopt(layout)
            // What the change has left without replicas is found at once.
            cluster.devices.returned.wake()
        }
        await attachDevices()
    }

    /// Opens those that are in a ring and not open; forgets those that are in none.
    func attachDevices() async {
        do {
            try await turn.run { await self.attachAll() }
        } catch {
            if !Task.isCancelled { log.warning("devices were not opened", ["error": "\(error)"]) }
        }
    }

    /// Opens one, unless it is open. Throws why that cannot be.
    func attach(_ device: RingDevice) async throws {
        try await turn.run {
            guard cluster.devices[device.number] == nil else { return }
            guard let opened = try await open(device) else {
                throw CloudError(.unavailable, "this controller does not reach \(device.host)")
            }
            cluster.devices.attach(device.number, opened)
        }
    }

    private func attachAll() async {
        let layout = cluster.layout
        var known = layout.indexes.devices
        for ring in layout.objects.values { known.merge(ring.devices) { first, _ in first } }
        for device in known.values.sorted(by: { $0.number < $1.number }) where cluster.devices[device.number] == nil {
            await attachIfThere(device)
        }
        for device in known.values where cluster.devices[device.number] != nil { await look(device) }
        for number in cluster.devices.numbers where known[number] == nil {
            let left = cluster.devices[number]
            cluster.devices.detach(number)
            if let left { await close(left) }
        }
    }
}

extension RingWatch {
    private static let lookTime = Duration.seconds(3)

    private func attachIfThere(_ device: RingDevice) async {
        do {
            if let opened = try await open(device) { cluster.devices.attach(device.number, opened) }
        } catch {
            // Told once, not with every look.
            let reason = "\(error)"
            guard cluster.devices.isMissing(device.number, because: reason) else { return }
            log.error("a device was not opened", ["device": device.number, "error": reason])
        }
    }

    /// Asks a device whether it is there. One of this host that is not is opened anew: the disk may have been emptied,
    /// or another be mounted in its place.
    private func look(_ device: RingDevice) async {
        let number = device.number
        do {
            _ = try await withTimeout(Self.lookTime, "device \(number)") { [cluster] in
                try await cluster.devices.call(number) { try await $0.space() }
            }
        } catch let error as CloudError where error.code == .unavailable && device.host == host {
            guard !Task.isCancelled, let left = cluster.devices[number] else { return }
            cluster.devices.detach(number)
            _ = cluster.devices.isMissing(number, because: "\(error)")
            await close(left)
            await attachIfThere(device)
        } catch {
            // `call` has noted it.
        }
    }
}

extension StorageLayout {
    fileprivate func isSame(as other: StorageLayout) -> Bool {
        func signs(_ layout: StorageLayout) -> [[Int]] {
            [[-1, layout.indexes.version, layout.indexes.former.count]]
                + layout.objects.sorted { $0.key < $1.key }.map { [$0.key, $0.value.version, $0.value.former.count] }
        }
        return signs(self) == signs(other) && policies == other.policies
    }
}

/// Reads the devices' room for the metrics.
struct StorageGauges: Service {
    let name = "object-storage-gauges"
    private static let interval = Duration.seconds(30)
    private let state: StorageStateReader

    init(_ state: StorageStateReader) { self.state = state }

    func run() async throws {
        while !Task.isCancelled {
            _ = try? await state.state()  // what could not be read is read again soon
            try? await Task.sleep(for: Self.interval)  // an early end means cancellation, which the loop sees
        }
    }
}

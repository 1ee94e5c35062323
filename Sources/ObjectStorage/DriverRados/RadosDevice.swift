// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// A device that is a namespace of a Ceph pool. Ceph replicates, so a ring over it has this device alone and one
/// replica; several processes may use it at once. The pool must be a replicated one: coded ones have no keys.
///
///     h.<policy>.<hash>           an object's head: its record, and its bytes where they are few
///     o.<hash>.<upload>.<n>       the bytes, where they are many, in pieces of 4 MiB
///     c.<hash>, a.<hash>          the index of a container, of an account
///     q.<policy>.<hash>.<upload>  the head of an object whose bytes are damaged
///     p.<kind>.<partition>        what lies in a partition; `partitions`: which there are
///     j.<journal>                 what is under way in a process; `journals`: which there are
///
/// As a `Service` it says that the process lives, removes what was replaced, and cleans up after processes that ended.
package final class RadosDevice: StorageDevice, Service {
    package struct Options: Sendable {
        /// From one sign of life to the next, and from one sweep to the next.
        package var beatInterval = Duration.seconds(15)
        /// How long an index remembers that a row was deleted.
        package var reclaimAge = Duration.seconds(7 * 86_400)
        package var clock = WallClock.system
        /// Nil: this process.
        package var identity: ProcessIdentity?
        package init() {}
    }

    package let name: String
    let path: RadosPath
    let options: Options
    let cluster: RadosCluster
    let journal: UploadJournal
    let indexes: IndexWriter
    let cursor = Mutex<PartitionRegistry.Position?>(nil)
    let log = Logger("object-storage")
    private let room = Mutex<(space: DeviceSpace, at: ContinuousClock.Instant)?>(nil)

    /// Opens the device that a ring calls `path`; nil: it is none in Ceph. Throws `.unavailable` when the cluster does
    /// not answer.
    package static func open(
        path: String, config: RadosConfig, options: Options = Options()
    ) async throws -> RadosDevice? {
        guard let path = try RadosPath(path) else { return nil }
        let cluster = try await RadosCluster.connect(config, path)
        let identity = try options.identity ?? ProcessIdentity.current()
        let device = RadosDevice(path, cluster, config, identity, options)
        // Not only the name of the pool is looked up: it must take what comes.
        _ = try await device.space()
        if let lost = try await device.rowsLostSince() {
            device.log.warning("a process ended; rows are to be put again", ["device": device.name, "since": lost])
        }
        return device
    }

    private init(
        _ path: RadosPath, _ cluster: RadosCluster, _ config: RadosConfig, _ identity: ProcessIdentity,
        _ options: Options
    ) {
        name = "ceph \(path.pool)" + (path.namespace.isEmpty ? "" : "/\(path.namespace)")
        self.path = path
        self.options = options
        self.cluster = cluster
        journal = UploadJournal(
            cluster, identity: identity, keepReplaced: config.keepReplaced, clock: options.clock)
        indexes = IndexWriter(cluster, reclaimAge: options.reclaimAge, clock: options.clock)
    }

    // MARK: Life

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            // A sweep may take long; the signs of life go on meanwhile.
            group.addTask { await self.repeated("beat") { try await self.beat() } }
            group.addTask { await self.repeated("sweep") { try await self.sweep() } }
        }
        await shielded { await self.close() }
    }

    private func repeated(_ what: String, _ body: () async throws -> Void) async {
        let stop = Signal()
        while !Task.isCancelled {
            await stop.wait(atMost: options.beatInterval)
            do {
                if !Task.isCancelled { try await body() }
            } catch is CancellationError {
                return
            } catch {
                log.error("device not kept", ["device": name, "part": what, "error": "\(error)"])
            }
        }
    }

    /// Says that the process lives.
    private func beat() async throws {
        // With it go the entries that are done.
        let needsWrite = journal.state.withLock { $0.own != nil }
        if needsWrite { try await journal.write(UploadJournal.Change()) }
        try await cluster.run { [journal] pool in
            let held = journal.state.withLock { Array($0.adopted.keys) + ($0.own.map { [$0] } ?? []) }
            for id in held { try journal.register(id, pool) }
        }
    }

    /// Removes what no object needs any more, of this process and of those that have ended.
    package func sweep() async throws {
        try await beat()
        try await cluster.onSweepThread { [journal] in try JournalSweep(journal: journal, pool: $0).run() }
    }

    /// Leaves nothing that only this process could clean up.
    package func close() async {
        do {
            let needsWrite = journal.state.withLock { $0.own != nil }
            if needsWrite { try await journal.write(UploadJournal.Change()) }
            try await cluster.onSweepThread { [journal] pool in
                let held = journal.state.withLock { state in
                    defer { (state.own, state.adopted) = (nil, [:]) }
                    return Array(state.adopted.keys) + (state.own.map { [$0] } ?? [])
                }
                // What has entries yet is for whoever looks next.
                for id in held where try !journal.removeIfEmpty(id, pool) {
                    try journal.register(id, pool, holder: "")
                }
            }
        } catch {
            log.error("device not left clean", ["device": name, "error": "\(error)"])
        }
    }

    // MARK: Room

    package func space() async throws -> DeviceSpace {
        let space = try await cluster.read { [cluster, path] _ in
            let (total, free) = try cluster.space(of: path.pool)
            return DeviceSpace(totalBytes: total, freeBytes: free)
        }
        room.withLock { $0 = (space, .now) }
        return space
    }

    /// Throws `.insufficientStorage` when so much more is not free. What is known of the room may be some seconds old.
    func requireSpace(_ bytes: Int64) async throws {
        let (known, isOld) = room.withLock { room in
            guard let known = room else { return (DeviceSpace?.none, true) }
            let isOld = known.at + .seconds(10) < .now
            // One caller asks; the others take what is known.
            if isOld { room?.at = .now }
            return (known.space, isOld)
        }
        var space = known
        if isOld {
            do {
                space = try await self.space()
            } catch let error as CloudError where known != nil {
                // The stores may answer though the monitors do not.
                log.warning("room not known", ["device": name, "error": error])
            }
        }
        guard let space, bytes <= space.freeBytes else {
            throw RadosFailure.full(cause: "\(bytes) bytes for \(space?.freeBytes ?? 0) free in \(path.pool)")
        }
    }
}

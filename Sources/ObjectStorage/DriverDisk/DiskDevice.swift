// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseSQLite
import Glibc
import LifecycleKit
import LinuxKit
import LogKit
import ObjectStorageContract
import Synchronization

/// A device that is a directory: the root of a mounted file system, or any folder of one.
///
/// As a `Service` it notes now and then what is on the disk, and leaves the device clean when the process stops.
package final class DiskDevice: StorageDevice, Service {
    package struct Options: Sendable {
        /// Refuses objects that would leave less; nil: a hundredth of the device, at most 1 GiB. Rows and tombstones
        /// may take of it, so that a full device can be emptied.
        package var reserveBytes: Int64?
        package var writeThreads = 16
        package var readThreads = 8
        package var indexThreads = 4
        /// Databases of containers and accounts that stay open.
        package var openIndexes = 256
        /// How much of the rows a power failure may take, at most: so much is put again afterwards.
        package var syncInterval = Duration.seconds(5)
        /// A row may come so much later than its object.
        package var lookBack = Duration.seconds(600)
        /// How long an index remembers that a row was deleted: longer than any replica is away. Tombstones of objects
        /// stay until they are forgotten.
        package var reclaimAge = Duration.seconds(7 * 86_400)
        package var clock = WallClock.system
        /// Objects up to this size are compared with their checksums before they are sent, unless they have been before
        /// and nobody has touched their files since. Larger ones are left to the audit.
        package var checkedBytes: Int64 = 256 << 20
        package init() {}
    }

    package let name: String
    let options: Options
    let layout: DiskLayout
    let indexes: SQLiteDatabases
    let cursor = Mutex<ObjectWalk.Place?>(nil)
    let wholeFiles = WholeFiles()
    let log = Logger("object-storage")
    private let writers: BlockingPool
    private let readers: BlockingPool
    private let auditor = BlockingThread("disk-audit")
    /// Writers of the mark take turns.
    private let marker = BlockingThread("disk-mark")
    /// File systems that write a new name only with its folder.
    let syncsFolders: Bool
    private let reserveBytes: Int64
    private let lock: OwnedDescriptor
    private let mark: Mutex<DeviceMark>
    /// Set by each commit, taken by each `sync`.
    private let hasChanged = Atomic(false)
    private let isClosed = Atomic(false)

    /// Opens a device, or makes one of an empty folder. Throws `.unavailable` when the root is not there, `.conflict`
    /// when another process has it.
    package static func open(_ root: String, _ options: Options = Options()) async throws -> DiskDevice {
        let device = try await FileSystem.onThread { try DiskDevice(root, options) }
        if let lost = await device.lostSince() {
            device.log.warning("device was not left cleanly; rows are to be put again", ["device": root, "since": lost])
        }
        return device
    }

    private init(_ root: String, _ options: Options) throws {
        self.options = options
        let root = root.utf8.count > 1 ? String(root.removing(byteSuffix: "/") ?? root[...]) : root
        name = "disk \(root)"
        layout = DiskLayout(root: root)
        indexes = SQLiteDatabases("disk-index", threads: options.indexThreads, openLimit: options.openIndexes)
        writers = BlockingPool("disk-write", threads: options.writeThreads)
        readers = BlockingPool("disk-read", threads: options.readThreads)
        do {
            // Not even a lock is left in a folder that is something else.
            _ = try Self.existingMark(layout, options.clock.now())
            lock = try Self.lock(layout)
            let old = try Self.existingMark(layout, options.clock.now())
            let new = old.opened(lookBack: options.lookBack)
            try new.write(layout)
            mark = Mutex(new)
            try layout.make(layout.temporary)
            // What a process left that was ended while it wrote.
            for name in try FileSystem.list(layout.temporary) {
                try FileSystem.removeTree("\(layout.temporary)/\(name)")
            }
            syncsFolders = try !FileSystemKind.writesNamesWithFiles(root)
            let space = try FileSystem.space(root)
            reserveBytes = options.reserveBytes ?? min(1 << 30, space.totalBytes / 100)
        } catch {
            throw DiskFailure.describe(error)
        }
    }

    private static func lock(_ layout: DiskLayout) throws -> OwnedDescriptor {
        let number = Glibc.open(layout.lock, O_CREAT | O_RDWR | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("open", layout.lock) }
        let descriptor = OwnedDescriptor(number)
        guard flock(descriptor.number, LOCK_EX | LOCK_NB) == 0 else {
            throw CloudError(
                .conflict, "Another process uses the storage device.", cause: "flock \(layout.lock): errno \(errno)")
        }
        return descriptor
    }

    /// Of a folder with anything in it but this program's lock only a mark makes a device: another disk may be mounted
    /// here.
    private static func existingMark(_ layout: DiskLayout, _ now: Timestamp) throws -> DeviceMark {
        if let mark = try DeviceMark.read(layout) { return mark }
        let names = try FileSystem.list(layout.root).filter { ![".lock", "lost+found"].contains($0) }
        // A mark that was being written when the power failed.
        guard names.allSatisfy({ $0.hasBytePrefix(DiskLayout.markName) }) else {
            throw DiskFailure.away(cause: "\(layout.root) is neither empty nor a storage device")
        }
        var mark = DeviceMark()
        mark.syncedMicroseconds = now.microseconds
        return mark
    }

    // MARK: Life

    /// Ends by itself when the device is no longer there: whoever opens it again may find another disk.
    package func run() async throws {
        let stop = Signal()
        while !Task.isCancelled, await isThere() {
            await stop.wait(atMost: options.syncInterval)
            do {
                if !Task.isCancelled { try await sync() }
            } catch is CancellationError {
                break
            } catch {
                log.error("device not synced", ["device": name, "error": "\(error)"])
            }
        }
        await shielded { await self.close() }
    }

    private func isThere() async -> Bool {
        do {
            try await onReadThread { [layout] in try layout.requireDevice() }
            return true
        } catch {
            if !Task.isCancelled { log.error("device has gone", ["device": name, "error": "\(error)"]) }
            return false
        }
    }

    /// Returns when every row that has been put is on the disk, and notes so.
    package func sync() async throws {
        let isNeeded = hasChanged.exchange(false, ordering: .acquiringAndReleasing)
        guard isNeeded || indexes.hasUnsynced else { return }
        let start = options.clock.now()
        do {
            try await indexes.sync()
            try await change { $0.syncedMicroseconds = start.microseconds }
        } catch {
            hasChanged.store(true, ordering: .releasing)
            throw DiskFailure.describe(error)
        }
    }

    /// Leaves the device clean. Nothing may be asked of it afterwards.
    package func close() async {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        let now = options.clock.now()
        await indexes.close()
        do {
            try await change { mark in
                mark.isClean = true
                mark.syncedMicroseconds = now.microseconds
            }
            try await onWriteThread { [self] in _ = flock(lock.number, LOCK_UN) }
        } catch {
            log.error("device not left clean", ["device": name, "error": "\(error)"])
        }
    }

    /// Ends as a process does that is killed: nothing is noted. For tests.
    package func abandon() async throws {
        isClosed.store(true, ordering: .releasing)
        await indexes.close()
        try await onWriteThread { [self] in _ = flock(lock.number, LOCK_UN) }
    }

    func lostSince() async -> Timestamp? { mark.withLock { $0.lost } }

    /// Changes the mark, in memory and on the disk.
    func change(_ body: @escaping @Sendable (inout DeviceMark) -> Void) async throws {
        try await described { [self] in
            try await marker.run { [self] in
                var next = mark.withLock { $0 }
                body(&next)
                try layout.requireDevice()
                try next.write(layout)
                mark.withLock { $0 = next }
            }
        }
    }

    // MARK: Threads

    func onWriteThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await described { try await self.writers.run(body) }
    }

    /// For what changes nothing: who gives up waiting is not held by a disk that hangs.
    func onReadThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await described { try await self.readers.run(whenCancelled: .abandons, body) }
    }

    /// For what takes long and nobody waits for.
    func onAuditThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await described { try await self.auditor.run(body) }
    }

    private func described<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        do {
            return try await body()
        } catch {
            throw DiskFailure.describe(error)
        }
    }

    /// To close may free blocks, and block: a thread does it, unless they are all too busy.
    func dispose(descriptor: Int32) {
        if !readers.start({ Glibc.close(descriptor) }) { Glibc.close(descriptor) }
    }

    func dispose(_ file: UnnamedFile) {
        if !file.isClosed, !writers.start({ file.close() }) { file.close() }
    }

    // MARK: Files

    /// Names a finished file by what its record says, then removes what it replaces. Blocks.
    func publish(_ file: UnnamedFile, _ record: ObjectRecord, in folder: ObjectFolder) throws {
        var data = record
        data.metadataTime = nil
        try publish(file, data, .data, at: record.time, in: folder)
        // Headers that came after the bytes: a file of their own says so, here as on the replica they come from.
        if let time = record.metadataTime, time > record.time {
            var record = record
            record.sizeBytes = 0
            let metadata = try UnnamedFile(near: folder.path, layout)
            defer { metadata.close() }
            try publish(metadata, record, .meta, at: time, in: folder)
        }
        try folder.removeObsolete()
    }

    func publish(
        _ file: UnnamedFile, _ record: ObjectRecord, _ kind: ObjectFileName.Kind, at time: WriteTime,
        in folder: ObjectFolder
    ) throws {
        // Before the name is there: a sync that runs meanwhile must not miss it.
        hasChanged.store(true, ordering: .releasing)
        try file.publish(record, as: ObjectFileName(time, kind), in: folder.path, syncsFolders: syncsFolders)
        // The checksum was made of these very bytes.
        if kind == .data, let mark = file.mark() { wholeFiles.insert(mark) }
        file.close()
    }

    /// Throws `.insufficientStorage` when `bytes` more would touch the reserve. Blocks.
    func requireSpace(_ bytes: Int64) throws {
        let free = try FileSystem.space(layout.root).freeBytes
        guard free - bytes >= reserveBytes else {
            throw DiskFailure.full(cause: "\(bytes) bytes for \(free) free on \(layout.root)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverDisk

/// Goal: after a power failure every object that was acknowledged is there and can be listed again, and nothing that
/// was half written is.
/// Method: the files of a device are set back to what a disk would have of them, and the device is opened
/// anew.
@Suite("Disk device after a crash")
struct DiskCrashTests {
    private let box = StorageSample.location(StorageSample.container)

    private func options(_ clock: TestClock? = nil) -> DiskDevice.Options {
        var options = StorageSample.options
        if let clock { options.clock = clock.clock }
        return options
    }

    /// The files of the container's database, and their bytes.
    private func database(_ root: String) throws -> [(String, [UInt8])] {
        let folder = try DiskLayout(root: root).folder(box, .containers)
        return try FileSystem.list(folder).compactMap { name in
            try FileSystem.read("\(folder)/\(name)", limit: 1 << 26).map { ("\(folder)/\(name)", $0) }
        }
    }

    private func restore(_ root: String, _ files: [(String, [UInt8])]) throws {
        let folder = try DiskLayout(root: root).folder(box, .containers)
        for name in try FileSystem.list(folder) { try FileSystem.removeTree("\(folder)/\(name)") }
        for (path, bytes) in files { try FileSystem.writeAtomically(path, bytes, mode: 0o600) }
    }

    @Test("rows that were lost come back from the objects")
    func lostRows() async throws {
        try await withTemporaryDirectory { root in
            var device = try await DiskDevice.open(root, options())
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            for index in 0..<5 {
                try await device.put(StorageSample.object("old-\(index)"), [1], at: 1)
                try await device.putObjectRows(box, [StorageSample.row("old-\(index)", at: 1)])
            }
            try await device.sync()
            let synced = try database(root)
            let gone = StorageSample.object("old-0")
            try await device.deleteObject(gone, at: StorageSample.time(9))
            try await device.putObjectRows(box, [StorageSample.row("old-0", at: 9, isDeleted: true)])
            for index in 0..<5 {
                let record = try await device.put(StorageSample.object("new-\(index)"), [1, 2], at: 5)
                try await device.putObjectRows(box, [record.row])
            }
            #expect(try await device.index(box)?.objectCount == 9)
            try await device.abandon()
            try restore(root, synced)

            device = try await DiskDevice.open(root, options())
            #expect(try await device.index(box)?.objectCount == 5)
            let since = try #require(try await device.rowsLostSince())
            var position: String?
            repeat {
                let page = try await device.objectChanges(since: since, after: position, limit: 4)
                for entry in page.entries {
                    switch entry.change {
                    case .present(let record): try await device.putObjectRows(box, [record.row])
                    case .deleted(let path, let time):
                        let row = ObjectRow(
                            name: path.object ?? "", time: time, sizeBytes: 0, contentType: "", etag: "",
                            isDeleted: true)
                        try await device.putObjectRows(box, [row])
                    }
                }
                position = page.position
            } while position != nil
            #expect(try await device.index(box)?.objectCount == 9)
            #expect(try await device.index(box)?.bytesUsed == 14)

            // It is not forgotten that they were lost until someone says that they are back.
            try await device.abandon()
            device = try await DiskDevice.open(root, options())
            #expect(try await device.rowsLostSince().map { $0 <= since } == true)
            try await device.rowsRestored()
            await device.close()
            device = try await DiskDevice.open(root, options())
            #expect(try await device.rowsLostSince() == nil)
            #expect(try await device.index(box)?.objectCount == 9)
            await device.close()
        }
    }

    @Test("what is told to be durable is in the log when the call returns")
    func durableCalls() async throws {
        try await withTemporaryDirectory { root in
            let device = try await DiskDevice.open(root, options())
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            try await device.setHeaders(box, ["x-container-read": .init(".r:*", StorageSample.time(1))])
            try await device.deleteIndex(box, at: StorageSample.time(2))
            // The files as they are, without what a clean end would add.
            let files = try database(root).filter { !$0.0.hasSuffix("-shm") }
            try await device.abandon()
            try restore(root, files)
            let again = try await DiskDevice.open(root, options())
            #expect(try await again.index(box)?.isDeleted == true)
            await again.close()
        }
    }

    @Test("a process that is killed between an object and its row has its row put again")
    func killed() async throws {
        try await withTemporaryDirectory { root in
            var device = try await DiskDevice.open(root, options())
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            try await device.putObjectRows(box, [StorageSample.row("a", at: 1)])
            try await device.put(StorageSample.object("late"), [1], at: 1)
            try await device.abandon()
            device = try await DiskDevice.open(root, options())
            let since = try #require(try await device.rowsLostSince())
            let page = try await device.objectChanges(since: since, after: nil, limit: 10)
            #expect(page.entries.count == 1)
            #expect(try await device.index(box)?.objectCount == 1)
            await device.close()
        }
    }

    @Test("a device whose folder is emptied has gone, and can be opened anew")
    func emptied() async throws {
        try await withTemporaryDirectory { root in
            var options = options()
            options.syncInterval = .milliseconds(20)
            let device = try await DiskDevice.open(root, options)
            try await device.put(StorageSample.object("a"), [1], at: 1)
            for name in try FileSystem.list(root) { try FileSystem.removeTree("\(root)/\(name)") }
            // It ends by itself.
            try await device.run()
            await #expect(throws: CloudError.self) { try await device.put(StorageSample.object("b"), [1], at: 1) }
            let again = try await DiskDevice.open(root, options)
            #expect(try await again.openObject(StorageSample.object("a")) == nil)
            try await again.put(StorageSample.object("a"), [1], at: 1)
            await again.close()
        }
    }

    @Test("damaged bytes are not served, though they were whole before")
    func damagedBytes() async throws {
        try await withTemporaryDirectory { root in
            let device = try await DiskDevice.open(root, options())
            let location = StorageSample.object("a")
            try await device.put(location, StorageSample.bytes(50_000), at: 1)
            #expect(try await device.get(location)?.bytes.count == 50_000)
            let path = try DiskLayout(root: root).object(location) + "/"
                + ObjectFileName(StorageSample.time(1), .data).text
            let file = open(path, O_WRONLY)
            #expect(pwrite(file, [0xFF, 0, 0xFF], 3, 20_000) == 3)
            close(file)
            #expect(try await device.openObject(location) == nil)
            #expect(try await device.replica(location) == .absent)
            await device.close()
        }
    }

    @Test("the time since when rows may be missing follows the syncs")
    func syncedTime() async throws {
        try await withTemporaryDirectory { root in
            let clock = TestClock()
            let start = clock.clock.now()
            var device = try await DiskDevice.open(root, options(clock))
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            try await device.putObjectRows(box, [StorageSample.row("a", at: 1)])
            clock.advance(by: .seconds(3600))
            try await device.sync()
            clock.advance(by: .seconds(3600))
            // Nothing was written since: nothing is to be noted.
            try await device.sync()
            try await device.abandon()
            device = try await DiskDevice.open(root, options(clock))
            let lost = try #require(try await device.rowsLostSince())
            #expect(lost == start + .seconds(3600) - device.options.lookBack)
            await device.close()
        }
    }

    @Test("objects whose bytes did not reach the disk are put aside before they are listed")
    func bytesLost() async throws {
        try await withTemporaryDirectory { root in
            var device = try await DiskDevice.open(root, options())
            let (whole, holed) = (StorageSample.object("whole"), StorageSample.object("holed"))
            for location in [whole, holed] { try await device.put(location, StorageSample.bytes(50_000), at: 1) }
            let name = ObjectFileName(StorageSample.time(1), .data).text
            let path = try DiskLayout(root: root).object(holed) + "/" + name
            var bytes = try #require(try FileSystem.read(path, limit: 1 << 20))
            for index in 8192..<16_384 { bytes[index] = 0 }
            try FileSystem.writeAtomically(path, bytes)
            try await device.abandon()
            device = try await DiskDevice.open(root, options())
            let since = try #require(try await device.rowsLostSince())
            let page = try await device.objectChanges(since: since, after: nil, limit: 100)
            #expect(page.entries.count == 1 && page.position == nil)
            #expect(try await device.openObject(holed) == nil)
            #expect(try await device.get(whole)?.bytes.count == 50_000)
            await device.close()
        }
    }

    @Test("what was being written is swept")
    func temporaries() async throws {
        try await withTemporaryDirectory { root in
            var device = try await DiskDevice.open(root, options())
            try FileSystem.writeAtomically("\(root)/tmp/1-abc", "half an object")
            try FileSystem.writeAtomically("\(root)/device.json.1.2.tmp", "half a mark")
            try await device.abandon()
            device = try await DiskDevice.open(root, options())
            #expect(try FileSystem.list("\(root)/tmp") == [])
            await device.close()
        }
    }

    @Test("as a service it leaves the device clean")
    func service() async throws {
        try await withTemporaryDirectory { root in
            let device = try await DiskDevice.open(root, options())
            let (box, location) = (box, StorageSample.object("a"))
            try await withServices([device]) {
                try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
                try await device.putObjectRows(box, [StorageSample.row("a", at: 1)])
                try await device.put(location, [1], at: 1)
            }
            let again = try await DiskDevice.open(root, options())
            #expect(try await again.rowsLostSince() == nil)
            #expect(try await again.index(box)?.objectCount == 1)
            await again.close()
        }
    }
}

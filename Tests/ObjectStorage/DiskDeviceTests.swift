// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverDisk

/// Goal: a directory keeps the promises of `StorageDevice`, and loses nothing but time when things go wrong below it.
/// Method: the real driver in a folder of its own; files are spoiled as a crash or a bad disk would.
@Suite("Disk device")
struct DiskDeviceTests {
    private func with(
        _ options: DiskDevice.Options = StorageSample.options, _ body: (DiskDevice, String) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory { root in
            let device = try await DiskDevice.open(root, options)
            try await body(device, root)
            await device.close()
        }
    }

    /// The files of an object, by their names.
    private func files(_ root: String, _ location: StorageLocation) throws -> [String] {
        try FileSystem.list(DiskLayout(root: root).object(location))
    }

    private func path(_ root: String, _ location: StorageLocation, _ kind: ObjectFileName.Kind, _ ticks: Int64) throws
        -> String
    {
        try DiskLayout(root: root).object(location) + "/" + ObjectFileName(StorageSample.time(ticks), kind).text
    }

    private func quarantined(_ root: String, _ kind: StorageKind) throws -> Int {
        try FileSystem.list("\(root)/quarantined/\(DiskLayout.name(kind))").count
    }

    /// Descriptors of this process on files below `root`.
    private func descriptors(_ root: String) throws -> [String] {
        try FileSystem.list("/proc/self/fd").compactMap { name in
            var buffer = [CChar](repeating: 0, count: 4096)
            let count = readlink("/proc/self/fd/\(name)", &buffer, buffer.count)
            guard count > 0 else { return nil }
            let target = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return target.hasPrefix(root + "/objects") ? target : nil
        }
    }

    // MARK: Promises

    @Test("passes the conformance checks of storage devices", arguments: StorageDeviceConformance.checks.indices)
    func conformance(check: Int) async throws {
        try await with { device, _ in
            try await StorageDeviceConformance.checks[check].1(StorageDeviceConformance(device: device))
        }
    }

    @Test("so does one with a single thread of each kind and a single open database")
    func smallest() async throws {
        var options = StorageSample.options
        (options.writeThreads, options.readThreads, options.indexThreads, options.openIndexes) = (1, 1, 1, 1)
        for check in StorageDeviceConformance.checks {
            try await with(options) { device, _ in try await check.1(StorageDeviceConformance(device: device)) }
        }
    }

    @Test("everything is there after a restart")
    func restart() async throws {
        try await withTemporaryDirectory { root in
            let location = StorageSample.object("a")
            let box = StorageSample.location(StorageSample.container)
            let device = try await DiskDevice.open(root)
            try await device.put(location, [1, 2], at: 1)
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(1)))
            try await device.putObjectRows(box, [StorageSample.row("a", at: 1)])
            let conflict = await #expect(throws: CloudError.self) { _ = try await DiskDevice.open(root) }
            #expect(conflict?.code == .conflict)
            await device.close()
            // A closed database is one file.
            #expect(try FileSystem.list(DiskLayout(root: root).folder(box, .containers)) == ["\(box.hash).db"])
            let again = try await DiskDevice.open(root)
            #expect(try await again.get(location)?.bytes == [1, 2])
            #expect(try await again.index(box)?.objectCount == 1)
            #expect(try await again.rowsLostSince() == nil)
            await again.close()
        }
    }

    @Test("two listings of the same rows are the same, whatever is asked for")
    func listingsAgree() async throws {
        try await with { device, _ in
            let fake = FakeStorageDevice()
            let box = StorageSample.location(StorageSample.container)
            var generator = SplitMix(state: 7)
            let letters = ["a", "b", "/", "//", "é", "😀", "-"]
            func name() -> String {
                (0..<Int.random(in: 1...5, using: &generator)).map { _ in
                    letters.randomElement(using: &generator) ?? "a"
                }
                .joined()
            }
            let rows = (0..<400).map {
                StorageSample.row(name(), at: $0, isDeleted: Int.random(in: 0..<4, using: &generator) == 0)
            }
            for device in [device as any StorageDevice, fake] {
                try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
                try await device.putObjectRows(box, rows)
            }
            for _ in 0..<600 {
                func maybe() -> String? { Bool.random(using: &generator) ? name() : nil }
                var query = ListingQuery(limit: Int.random(in: 1...20, using: &generator))
                (query.marker, query.endMarker, query.prefix) = (maybe(), maybe(), maybe())
                query.delimiter = ["/", "//", "b", nil].randomElement(using: &generator) ?? nil
                query.isReversed = Bool.random(using: &generator)
                let (real, expected) = (
                    try await device.listObjects(box, query), try await fake.listObjects(box, query)
                )
                #expect(real == expected, "\(query)")
            }
        }
    }

    // MARK: Damage

    @Test("a file without its end was never there", arguments: [0, 1, 19, 20, 100, 4_000])
    func halfWritten(kept: Int64) async throws {
        try await with { device, root in
            let location = StorageSample.object("half")
            try await device.put(location, StorageSample.bytes(5_000), at: 1)
            try FileSystem.truncate(path(root, location, .data, 1), to: kept)
            #expect(try await device.get(location) == nil)
            #expect(try await device.replica(location) == .absent)
            #expect(try quarantined(root, .objects(policy: 0)) == 1)
            try await device.put(location, [1], at: 1)
            #expect(try await device.get(location)?.bytes == [1])
        }
    }

    @Test("a spoiled record is found by whoever reads, spoiled bytes of a large object by the audit")
    func spoiled() async throws {
        var options = StorageSample.options
        options.checkedBytes = 0
        try await with(options) { device, root in
            let (record, bytes) = (StorageSample.object("record"), StorageSample.object("bytes", policy: 2))
            for location in [record, bytes] { try await device.put(location, StorageSample.bytes(5_000), at: 1) }
            try spoil(path(root, record, .data, 1), at: 5_010)
            #expect(try await device.openObject(record) == nil)
            try spoil(path(root, bytes, .data, 1), at: 2_500)
            #expect(try await device.openObject(bytes) != nil)
            let report = try await device.audit(limitBytes: .max)
            #expect(report.damaged == [bytes] && report.objects == 1)
            #expect(try await device.replica(bytes) == .absent)
            #expect(try quarantined(root, .objects(policy: 2)) == 1)
        }
    }

    private func spoil(_ path: String, at offset: Int) throws {
        var bytes = try #require(try FileSystem.read(path, limit: 1 << 20))
        bytes[offset] ^= 0xFF
        try FileSystem.writeAtomically(path, bytes)
    }

    @Test("spoiled headers leave those of the bytes; another object's file is nobody's")
    func strayFiles() async throws {
        try await with { device, root in
            let (one, two) = (StorageSample.object("one"), StorageSample.object("two"))
            var record = try await device.put(one, [1], at: 1, headers: ["x-object-meta-a": "1"])
            record.metadataTime = StorageSample.time(5)
            record.headers = ["x-object-meta-b": "2"]
            #expect(try await device.setHeaders(one, record))
            try FileSystem.truncate(path(root, one, .meta, 5), to: 30)
            #expect(try await device.get(one)?.record.headers == ["x-object-meta-a": "1"])

            try await device.put(two, [2], at: 2)
            try FileSystem.rename(path(root, one, .data, 1), to: path(root, two, .data, 9))
            #expect(try await device.get(two)?.bytes == [2])
            // What is none of the program's is left alone.
            let stray = try DiskLayout(root: root).object(two) + "/notes.txt"
            try FileSystem.writeAtomically(stray, "hello")
            try await device.put(two, [3], at: 10)
            #expect(try files(root, two) == [ObjectFileName(StorageSample.time(10), .data).text, "notes.txt"])
        }
    }

    @Test("a damaged database is put aside, and made anew", arguments: [0, 100, 8_000])
    func damagedDatabase(offset: Int) async throws {
        try await withTemporaryDirectory { root in
            let box = StorageSample.location(StorageSample.container)
            var device = try await DiskDevice.open(root)
            let record = IndexRecord(path: box.path, time: StorageSample.time(1))
            try await device.createIndex(box, record)
            try await device.putObjectRows(box, (0..<500).map { StorageSample.row("object-\($0)", at: 1) })
            await device.close()
            let file = try DiskLayout(root: root).index(box)
            var bytes = try #require(try FileSystem.read(file, limit: 1 << 24))
            for index in offset..<bytes.count { bytes[index] = UInt8(truncatingIfNeeded: index &* 31) }
            try FileSystem.writeAtomically(file, bytes)
            device = try await DiskDevice.open(root)
            await #expect(throws: CloudError.self) {
                _ = try await device.listObjects(box, ListingQuery(limit: 1000))
            }
            #expect(try await device.index(box) == nil)
            #expect(try quarantined(root, .containers) == 1)
            try await device.createIndex(box, record)
            #expect(try await device.index(box)?.objectCount == 0)
            await device.close()
        }
    }

    // MARK: The disk

    @Test("what is replaced does not stay")
    func replaced() async throws {
        try await with { device, root in
            let location = StorageSample.object("often")
            for ticks in 1...5 {
                var record = try await device.put(location, [UInt8(ticks)], at: Int64(ticks * 10))
                record.metadataTime = StorageSample.time(Int64(ticks * 10 + 1))
                #expect(try await device.setHeaders(location, record))
            }
            #expect(
                try files(root, location)
                    == [
                        ObjectFileName(StorageSample.time(50), .data).text,
                        ObjectFileName(StorageSample.time(51), .meta).text,
                    ])
            try await device.deleteObject(location, at: StorageSample.time(60))
            #expect(try files(root, location) == [ObjectFileName(StorageSample.time(60), .deleted).text])
        }
    }

    @Test("an index forgets rows that were deleted long ago, a few at a time")
    func reclaims() async throws {
        let clock = TestClock(Timestamp(seconds: 1_700_000_000))
        var options = DiskDevice.Options()
        options.clock = clock.clock
        try await with(options) { device, _ in
            let box = StorageSample.location(StorageSample.container)
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            try await device.putObjectRows(box, (0..<50).map { StorageSample.row("o-\($0)", at: 0, isDeleted: true) })
            clock.advance(by: .seconds(6 * 86_400))
            for ticks in 1...500 { try await device.putObjectRows(box, [StorageSample.row("new", at: Int64(ticks))]) }
            #expect(try await device.indexRows(box, after: 0, limit: 100).objects.count == 51)
            clock.advance(by: .seconds(2 * 86_400))
            try await eventually {
                let ticks = Int64.random(in: 1_000...1_000_000)
                try await device.putObjectRows(box, [StorageSample.row("new", at: ticks)])
                return try await device.indexRows(box, after: 0, limit: 100).objects.count == 1
            }
            let page = try await device.indexRows(box, after: 0, limit: 100)
            #expect(page.isLast && page.objects.first?.name == "new")
        }
    }

    @Test("a full device says so before the bytes are sent, and can be emptied")
    func full() async throws {
        try await withTemporaryDirectory { root in
            let (location, box) = (StorageSample.object("a"), StorageSample.location(StorageSample.container))
            var device = try await DiskDevice.open(root)
            try await device.put(location, [1], at: 1)
            await device.close()
            var options = StorageSample.options
            options.reserveBytes = .max / 2
            device = try await DiskDevice.open(root, options)
            let error = await #expect(throws: CloudError.self) {
                _ = try await device.beginObject(location, expecting: nil)
            }
            #expect(error?.code == .insufficientStorage)
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(1)))
            try await device.putObjectRows(box, [StorageSample.row("a", at: 1)])
            try await device.deleteObject(location, at: StorageSample.time(2))
            #expect(try await device.get(location) == nil)
            await device.close()
        }
    }

    @Test("a disk that is not mounted is away, not empty")
    func away() async throws {
        try await withTemporaryDirectory { above in
            let root = "\(above)/disk"
            try FileSystem.makeDirectories(root)
            let device = try await DiskDevice.open(root)
            let (location, box) = (StorageSample.object("a"), StorageSample.location(StorageSample.container))
            try await device.put(location, [1], at: 1)
            try FileSystem.rename(root, to: "\(above)/elsewhere")
            try FileSystem.makeDirectories(root)
            func expectAway(_ body: () async throws -> Void) async {
                let error = await #expect(throws: CloudError.self) { try await body() }
                #expect(error?.code == .unavailable)
            }
            await expectAway { _ = try await device.openObject(location) }
            await expectAway { _ = try await device.replica(location) }
            await expectAway { try await device.put(location, [2], at: 2) }
            await expectAway { try await device.deleteObject(location, at: StorageSample.time(3)) }
            await expectAway { _ = try await device.index(box) }
            await expectAway {
                try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(1)))
            }
            await expectAway { _ = try await device.partitions(.containers) }
            await expectAway { _ = try await device.space() }
            #expect(try FileSystem.list(root) == [])
            try FileSystem.removeTree(root)
            try FileSystem.rename("\(above)/elsewhere", to: root)
            #expect(try await device.get(location)?.bytes == [1])
            await device.close()
            // A folder with other things in it is no device, and is not made one.
            let other = "\(above)/other"
            try FileSystem.makeDirectories(other)
            try FileSystem.writeAtomically("\(other)/letter.txt", "mine")
            await expectAway { _ = try await DiskDevice.open(other) }
            #expect(try FileSystem.list(other) == ["letter.txt"])
            await expectAway { _ = try await DiskDevice.open("\(above)/nothing") }
        }
    }

    @Test("descriptors end with those who left without a word")
    func descriptorsEnd() async throws {
        try await with { device, root in
            let location = StorageSample.object("a")
            try await device.put(location, StorageSample.bytes(600_000), at: 1)
            for _ in 1...20 {
                let sink = try await device.beginObject(location, expecting: 600_000)
                try await sink.write(StorageSample.bytes(300_000))
                let object = try #require(try await device.openObject(location))
                if case .file(let descriptor, _, _) = try await object.body(0..<10) { close(descriptor) }
            }
            // Cancelled in the middle of it.
            await withThrowingTaskGroup(of: Void.self) { group in
                for ticks in 2...21 {
                    group.addTask { try await device.put(location, StorageSample.bytes(600_000), at: Int64(ticks)) }
                    group.addTask { _ = try await device.openObject(location) }
                }
                group.cancelAll()
            }
            try await eventually("The end of descriptors") { try descriptors(root).isEmpty }
            #expect(try FileSystem.list("\(root)/tmp") == [])
        }
    }
}

/// A generator that gives the same numbers in every run.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverRados

/// Goal: a namespace of a Ceph pool keeps the promises of `StorageDevice`, also when several processes use it and when
/// one of them ends at any point.
/// Method: one monitor and one store in namespaces of their own; processes are devices with connections of their own,
/// of which some say that their process has ended.
@Suite("Ceph device", .serialized)
struct RadosDeviceHostTests {
    typealias Check = @Sendable (RadosTestWorld) async throws -> Void

    static let checks: [(String, Check)] = [
        ("stripes", stripes), ("replaced bytes go late", replacedBytes), ("cut off", cutOff),
        ("dropped and aborted", dropped), ("commit against take-over", commitAgainstTakeover),
        ("take-over within a commit", takeoverWithinCommit), ("commits race", commitsRace),
        ("deletes race", deletesRace), ("rows owed", rowsOwed), ("rows elsewhere", rowsElsewhere),
        ("rows of two processes", rowsOfTwo), ("listings", listings), ("backwards", backwards),
        ("damage", damage), ("old deletions", oldDeletions), ("left clean", leftClean),
    ]

    /// One cluster for all checks: it takes its time to start.
    @Test(
        "keeps its promises", .enabled(if: CephTestHost.isPossible, Comment(rawValue: CephTestHost.needs)))
    func promises() async throws {
        try await withTemporaryDirectory { folder in
            try await CephTestHost.with(folder: folder) { host in
                for (number, check) in StorageDeviceConformance.checks.enumerated() {
                    await Self.run(check.0) {
                        let device = try await RadosTestWorld(host, namespace: "conformance-\(number)").open()
                        try await check.1(StorageDeviceConformance(device: device))
                        await device.close()
                    }
                }
                for (number, check) in Self.checks.enumerated() {
                    await Self.run(check.0) { try await check.1(RadosTestWorld(host, namespace: "own-\(number)")) }
                }
            }
        }
    }

    /// One that fails does not keep the others from running.
    private static func run(_ name: String, _ body: () async throws -> Void) async {
        do { try await body() } catch { Issue.record("\(name): \(error)") }
    }

    // MARK: Bytes

    @Sendable private static func stripes(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        for count in [65_536, 65_537, 1 << 20, 4 << 20, (4 << 20) + 1, 9_500_000] {
            let location = StorageSample.object("size-\(count)")
            let bytes = StorageSample.bytes(count)
            try await device.put(location, bytes, at: 1, pieceBytes: 333_333)
            #expect(try await device.get(location)?.bytes == bytes)
            let isInline = try await device.stripes(location) == nil
            #expect(isInline == (count <= 65_536))
            let object = try #require(try await device.openObject(location))
            let middle = Int64(count / 2 - 1_000)..<Int64(count / 2 + 1_000)
            #expect(try await object.bytes(middle) == Array(bytes[Int(middle.lowerBound)..<Int(middle.upperBound)]))
            #expect(try await object.bytes(Int64(count)..<Int64(count)) == [])
        }
        #expect(try await device.audit(limitBytes: .max).damaged == [])
        await device.close()
    }

    @Sendable private static func replacedBytes(_ world: RadosTestWorld) async throws {
        let device = try await world.open(clock: world.clock.clock)
        let (location, bytes) = (StorageSample.object("often"), StorageSample.bytes(5_000_000))
        try await device.put(location, bytes, at: 1)
        let first = try #require(try await device.stripes(location))
        let open = try #require(try await device.openObject(location))
        try await device.put(location, StorageSample.bytes(4_500_000, seed: 2), at: 2)
        let second = try #require(try await device.stripes(location))
        try await device.sweep()
        #expect(try await open.bytes(0..<5_000_000) == bytes)
        world.clock.advance(by: .seconds(3601))
        try await device.sweep()
        #expect(try await device.anyExists(first.name(0), first.name(1)) == false)
        #expect(try await device.get(location)?.bytes.count == 4_500_000)
        await #expect(throws: CloudError.self) { _ = try await open.bytes(0..<10) }
        // Headers change, bytes stay; what is deleted goes.
        var record = try #require(try await device.get(location)).record
        record.metadataTime = StorageSample.time(3)
        #expect(try await device.setHeaders(location, record))
        world.clock.advance(by: .seconds(3601))
        try await device.sweep()
        #expect(try await device.get(location)?.bytes.count == 4_500_000)
        try await device.deleteObject(location, at: StorageSample.time(4))
        world.clock.advance(by: .seconds(3601))
        try await device.sweep()
        #expect(try await device.anyExists(second.name(0), second.name(1)) == false)
        #expect(try await device.journalKeys(JournalKey.replaced) == [])
        await device.close()
    }

    // MARK: Crashes

    @Sendable private static func cutOff(_ world: RadosTestWorld) async throws {
        let (gone, location) = (try await world.open(hasEnded: true), StorageSample.object("half"))
        try await gone.put(location, [7], at: 1)
        let bytes = StorageSample.bytes(6_000_000)
        let sink = try await gone.beginObject(location, expecting: nil)
        try await sink.write(bytes)
        let key = try #require(try await gone.journalKeys(JournalKey.begun).first)
        let stripes = Stripes(hash: location.hash, upload: String(key.dropFirst(JournalKey.begun.count)))
        #expect(try await gone.exists(stripes.name(0)))

        let device = try await world.open()
        try await device.sweep()
        #expect(try await device.anyExists(stripes.name(0), stripes.name(1)) == false)
        #expect(try await device.journalKeys(JournalKey.begun) == [])
        // It had not ended after all: it must not name bytes that are gone.
        let error = await #expect(throws: CloudError.self) {
            try await sink.commit(StorageSample.record(location, bytes, at: 9))
        }
        #expect(error?.code == .unavailable)
        await sink.abort()
        #expect(try await device.get(location)?.bytes == [7])
        // And it goes on with a new journal.
        try await gone.put(location, bytes, at: 10)
        #expect(try await device.get(location)?.bytes == bytes)
        await gone.close()
        await device.close()
    }

    @Sendable private static func dropped(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        let location = StorageSample.object("dropped")
        do {
            let sink = try await device.beginObject(location, expecting: nil)
            try await sink.write(StorageSample.bytes(5_000_000))
        }
        let aborted = try await device.beginObject(location, expecting: nil)
        try await aborted.write(StorageSample.bytes(5_000_000))
        let names = try await device.journalKeys(JournalKey.begun).map {
            Stripes(hash: location.hash, upload: String($0.dropFirst(JournalKey.begun.count))).name(0)
        }
        await aborted.abort()
        try await eventually {
            try await device.sweep()
            return try await device.journalKeys(JournalKey.begun) == []
        }
        for name in names { #expect(try await device.exists(name) == false) }
        await device.close()
    }

    /// Whoever is first, an acknowledged object is whole and one that was refused is not there.
    @Sendable private static func commitAgainstTakeover(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        for round in 0..<12 {
            let (gone, location) = (try await world.open(hasEnded: true), StorageSample.object("race-\(round)"))
            let bytes = StorageSample.bytes(300_000, seed: UInt8(round))
            let sink = try await gone.beginObject(location, expecting: nil)
            try await sink.write(bytes)
            async let swept: Void = device.sweep()
            // Later in each round.
            for _ in 0..<round { _ = try await gone.replica(location) }
            let isTaken: Bool
            do {
                try await sink.commit(StorageSample.record(location, bytes, at: 1))
                isTaken = true
            } catch {
                isTaken = false
            }
            try await swept
            for _ in 1...2 { try await device.sweep() }
            #expect(try await device.get(location)?.bytes == (isTaken ? bytes : nil), "round \(round)")
        }
        await device.close()
    }

    /// The journal was written, then its keeper changed, then the head is to name the upload: it must not.
    @Sendable private static func takeoverWithinCommit(_ world: RadosTestWorld) async throws {
        let (gone, device) = (try await world.open(hasEnded: true), try await world.open())
        for (number, isThere) in [false, true].enumerated() {
            let location = StorageSample.object("within-\(number)")
            if isThere { try await device.put(location, [1], at: 1) }
            let head = ObjectHead(location)
            let entry = UploadEntry(head: head, upload: "upload-\(number)")
            var change = UploadJournal.Change()
            change.values[JournalKey.begun(entry.upload)] = entry.text()
            change.journal = try await gone.journal.write(change)
            let old = try await gone.cluster.run { try head.read($0) }
            try await gone.journal.write(change)
            try await device.sweep()
            let record = HeadRecord(
                path: location.path, state: .present(StorageSample.record(location, [1, 2], at: 9)),
                upload: StoredUpload(id: entry.upload, stripes: 1), changed: Timestamp(seconds: 1))
            #expect(try await gone.cluster.run { try head.write($0, .write(record, bytes: []), over: old) } == false)
            #expect(try await device.get(location)?.bytes == (isThere ? [1] : nil))
        }
        await gone.close()
        await device.close()
    }

    // MARK: Several processes

    @Sendable private static func commitsRace(_ world: RadosTestWorld) async throws {
        let devices = [try await world.open(), try await world.open()]
        let location = StorageSample.object("crowd")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for ticks in 1...40 {
                group.addTask {
                    let count = ticks % 2 == 0 ? 100_000 : 10
                    let bytes = [UInt8](repeating: UInt8(ticks), count: count)
                    try await devices[ticks % 2].put(location, bytes, at: Int64(ticks))
                }
                group.addTask {
                    guard let found = try await devices[ticks % 2].get(location) else { return }
                    #expect(Set(found.bytes).count == 1 && found.bytes.count == Int(found.record.sizeBytes))
                }
            }
            try await group.waitForAll()
        }
        for device in devices {
            #expect(try await device.get(location)?.bytes == [UInt8](repeating: 40, count: 100_000))
            #expect(try await device.replica(location) == .present(StorageSample.time(40), metadata: nil))
            try await device.sweep()
        }
        #expect(try await devices[0].journalKeys(JournalKey.begun) == [])
        for device in devices { await device.close() }
    }

    @Sendable private static func deletesRace(_ world: RadosTestWorld) async throws {
        let devices = [try await world.open(), try await world.open()]
        for round in 0..<10 {
            let location = StorageSample.object("race-\(round)")
            try await devices[0].put(location, StorageSample.bytes(100_000), at: 1)
            let isLater = round % 2 == 0
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await devices[0].put(location, StorageSample.bytes(200_000), at: isLater ? 20 : 10)
                }
                group.addTask { try await devices[1].deleteObject(location, at: StorageSample.time(15)) }
                group.addTask { try await devices[1].put(location, [1], at: 5) }
                try await group.waitForAll()
            }
            #expect(
                try await devices[1].replica(location)
                    == (isLater ? .present(StorageSample.time(20), metadata: nil) : .deleted(StorageSample.time(15))))
            #expect(try await devices[1].get(location)?.bytes.count == (isLater ? 200_000 : nil))
        }
        for device in devices { await device.close() }
    }

    // MARK: Rows

    private static let box = StorageSample.location(StorageSample.container)

    private static func makeBox(_ device: RadosDevice) async throws {
        try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
    }

    @Sendable private static func rowsOwed(_ world: RadosTestWorld) async throws {
        let gone = try await world.open(hasEnded: true)
        try await makeBox(gone)
        for index in 0..<3 {
            let record = try await gone.put(StorageSample.object("listed-\(index)"), [1], at: 1)
            try await gone.putObjectRows(box, [record.row])
        }
        // As its run would: then nothing is owed.
        try await gone.sweep()
        #expect(try await gone.journalKeys(JournalKey.changed) == [])
        for index in 0..<5 { try await gone.put(StorageSample.object("owed-\(index)"), [1], at: 1) }
        try await gone.deleteObject(StorageSample.object("listed-0"), at: StorageSample.time(5))

        let device = try await world.open()
        let since = try #require(try await device.rowsLostSince())
        try await device.sweep()
        #expect(try await device.rowsLostSince() == since)
        var (position, found): (String?, [String]) = (nil, [])
        repeat {
            let page = try await device.objectChanges(since: since, after: position, limit: 2)
            for entry in page.entries {
                switch entry.change {
                case .present(let record):
                    found.append(record.path.object ?? "")
                    try await device.putObjectRows(box, [record.row])
                case .deleted(let path, let time):
                    found.append("no " + (path.object ?? ""))
                    let row = ObjectRow(
                        name: path.object ?? "", time: time, sizeBytes: 0, contentType: "", etag: "", isDeleted: true)
                    try await device.putObjectRows(box, [row])
                }
            }
            position = page.position
        } while position != nil
        #expect(found.sorted() == ["no listed-0"] + (0..<5).map { "owed-\($0)" })
        #expect(try await device.index(box)?.objectCount == 7)
        try await device.rowsRestored()
        #expect(try await device.rowsLostSince() == nil)
        try await device.sweep()
        #expect(try await device.journalKeys("") == [])
        await device.close()
    }

    /// A container on another device: its rows are never seen here, and not waited for without end.
    @Sendable private static func rowsElsewhere(_ world: RadosTestWorld) async throws {
        let device = try await world.open(clock: world.clock.clock)
        try await device.put(StorageSample.object("a"), [1], at: 1)
        try await device.sweep()
        #expect(try await device.journalKeys(JournalKey.changed).count == 1)
        // What is older than its row changes nothing, and owes none.
        try await device.put(StorageSample.object("a"), [1], at: 0)
        try await device.deleteObject(StorageSample.object("a"), at: StorageSample.time(0))
        try await device.sweep()
        #expect(try await device.journalKeys(JournalKey.changed).count == 1)
        world.clock.advance(by: .seconds(601))
        for _ in 1...2 { try await device.sweep() }
        #expect(try await device.journalKeys(JournalKey.changed) == [])
        await device.close()
    }

    @Sendable private static func rowsOfTwo(_ world: RadosTestWorld) async throws {
        let devices = [try await world.open(), try await world.open()]
        try await makeBox(devices[0])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                group.addTask {
                    try await devices[index % 2].putObjectRows(
                        box, [StorageSample.row("o-\(index / 2)", at: Int64(index), size: Int64(index))])
                }
            }
            try await group.waitForAll()
        }
        let record = try #require(try await devices[0].index(box))
        // Of the two rows of each name the later one.
        let total = (0..<100).reduce(Int64(0)) { $0 + 2 * Int64($1) + 1 }
        #expect(record.objectCount == 100 && record.bytesUsed == total)
        #expect(try await devices[1].listObjects(box, ListingQuery(limit: 1000)).count == 100)
        for device in devices { await device.close() }
    }

    @Sendable private static func listings(_ world: RadosTestWorld) async throws {
        let (device, fake) = (try await world.open(), FakeStorageDevice())
        var generator = SplitMix(state: 7)
        let letters = ["a", "b", "/", "//", "é", "😀", "-", "\u{1}", "\u{7F}"]
        func name() -> String {
            (0..<Int.random(in: 1...5, using: &generator)).map { _ in letters.randomElement(using: &generator) ?? "a" }
                .joined()
        }
        let rows = (0..<600).map {
            StorageSample.row(name(), at: $0, isDeleted: Int.random(in: 0..<4, using: &generator) == 0)
        }
        for device in [device as any StorageDevice, fake] {
            try await device.createIndex(box, IndexRecord(path: box.path, time: StorageSample.time(0)))
            try await device.putObjectRows(box, rows)
        }
        for _ in 0..<400 {
            func maybe() -> String? { Bool.random(using: &generator) ? name() : nil }
            var query = ListingQuery(limit: Int.random(in: 1...20, using: &generator))
            (query.marker, query.endMarker, query.prefix) = (maybe(), maybe(), maybe())
            query.delimiter = ["/", "//", "b", nil].randomElement(using: &generator) ?? nil
            query.isReversed = Bool.random(using: &generator)
            let (real, expected) = (try await device.listObjects(box, query), try await fake.listObjects(box, query))
            #expect(real == expected, "\(query)")
        }
        await device.close()
    }

    /// Pages of a long listing that goes backwards join without a gap, whatever their size.
    @Sendable private static func backwards(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        try await makeBox(device)
        let names = (0..<4_000).map { "a/long/prefix/that/all/share/\($0 % 7)/\(10_000 + $0)" }
        for start in stride(from: 0, to: names.count, by: 1000) {
            try await device.putObjectRows(box, names[start..<start + 1000].map { StorageSample.row($0, at: 1) })
        }
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for (limit, delimiter) in [(10_000, nil), (700, nil), (3, "/")] {
            var query = ListingQuery(limit: limit)
            query.isReversed = true
            if delimiter != nil { (query.prefix, query.delimiter) = ("a/long/prefix/that/all/share/", delimiter) }
            var found: [String] = []
            while found.count < 10_000 {
                let page = try await device.listObjects(box, query)
                found += page.map { entry in
                    switch entry {
                    case .row(let row): row.name
                    case .subdirectory(let name): name
                    }
                }
                guard page.count == limit else { break }
                query.marker = found.last
            }
            let expected =
                delimiter == nil ? sorted.reversed() : (0..<7).reversed().map { "a/long/prefix/that/all/share/\($0)/" }
            #expect(found == expected, "\(limit)")
        }
        await device.close()
    }

    // MARK: Damage

    @Sendable private static func damage(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        let (small, large, short) = (
            StorageSample.object("small"), StorageSample.object("large", policy: 1), StorageSample.object("short")
        )
        try await device.put(small, [1, 2, 3], at: 1)
        try await device.put(large, StorageSample.bytes(5_000_000), at: 1)
        try await device.put(short, StorageSample.bytes(5_000_000), at: 1)
        let (spoiled, missing) = (
            try #require(try await device.stripes(large)), try #require(try await device.stripes(short))
        )
        try await device.cluster.run { pool in
            var write = RadosWrite()
            write.bytes = [UInt8](repeating: 9, count: 4 << 20)
            try pool.write(spoiled.name(0), write)
            try pool.remove(missing.name(1))
            write.condition = .exists
            write.bytes = [1, 2, 4]
            try pool.write(ObjectHead(small).name, write)
        }
        let report = try await device.audit(limitBytes: .max)
        #expect(Set(report.damaged) == [small, large, short] && report.objects == 3)
        for location in [small, large, short] {
            #expect(try await device.openObject(location) == nil)
            #expect(try await device.replica(location) == .absent)
            try await device.put(location, [5], at: 1)
            #expect(try await device.get(location)?.bytes == [5])
        }
        #expect(try await device.exists("q.1.\(large.hash).\(spoiled.upload)"))
        await device.close()
    }

    @Sendable private static func oldDeletions(_ world: RadosTestWorld) async throws {
        let device = try await world.open(clock: world.clock.clock)
        try await makeBox(device)
        try await device.putObjectRows(box, (0..<50).map { StorageSample.row("o-\($0)", at: 0, isDeleted: true) })
        world.clock.advance(by: .seconds(8 * 86_400))
        var ticks: Int64 = 1_000_000
        var isGone = false
        while !isGone, ticks < 1_002_000 {
            ticks += 1
            try await device.putObjectRows(box, [StorageSample.row("new", at: ticks)])
            isGone = try await device.indexRows(box, after: 0, limit: 100).objects.count == 1
        }
        #expect(isGone)
        #expect(try await device.index(box)?.objectCount == 1)
        await device.close()
    }

    @Sendable private static func leftClean(_ world: RadosTestWorld) async throws {
        let device = try await world.open()
        try await makeBox(device)
        let record = try await device.put(StorageSample.object("a"), StorageSample.bytes(200_000), at: 1)
        try await device.putObjectRows(box, [record.row])
        #expect(try await device.journalKeys("") != [])
        await device.close()
        let next = try await world.open()
        #expect(try await next.rowsLostSince() == nil)
        #expect(try await next.journals() == [])
        #expect(try await next.get(StorageSample.object("a"))?.bytes.count == 200_000)
        await next.close()
    }
}

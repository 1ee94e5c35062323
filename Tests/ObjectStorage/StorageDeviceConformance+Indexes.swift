// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import Testing

/// What every storage device promises of the indexes of accounts and containers.
extension StorageDeviceConformance {
    private var container: StorageLocation { StorageSample.location(StorageSample.container) }
    private var account: StorageLocation { StorageSample.location(StorageSample.account) }

    private func time(_ ticks: Int64) -> WriteTime { StorageSample.time(ticks) }

    private func makeContainer() async throws {
        try await device.createIndex(container, IndexRecord(path: container.path, time: time(0), policy: 2))
    }

    private func names(_ entries: [ListingEntry<ObjectRow>]) -> [String] {
        entries.map { entry in
            switch entry {
            case .row(let row): row.name
            case .subdirectory(let name): "dir " + name
            }
        }
    }

    /// An index is made, described, deleted, and made anew.
    func indexes() async throws {
        #expect(try await device.index(container) == nil)
        var record = IndexRecord(path: container.path, time: time(10), policy: 2)
        record.headers = ["x-container-meta-a": .init("1", time(10))]
        record.objectCount = 99
        for _ in 1...2 { try await device.createIndex(container, record) }
        var found = try #require(try await device.index(container))
        #expect(found.path == container.path && found.policy == 2 && found.putTime == time(10))
        #expect(found.objectCount == 0 && found.header("x-container-meta-a") == "1" && !found.isDeleted)

        for _ in 1...2 {
            try await device.setHeaders(
                container,
                [
                    "x-container-meta-a": .init("", time(12)), "x-container-meta-b": .init("2", time(12)),
                    "x-container-read": .init(".r:*", time(12)),
                ])
        }
        try await device.setHeaders(container, ["x-container-meta-b": .init("old", time(11))])
        found = try #require(try await device.index(container))
        #expect(found.header("x-container-meta-a") == nil && found.header("x-container-meta-b") == "2")

        // A second PUT moves the time and keeps the rest; its policy does not count.
        try await device.createIndex(container, IndexRecord(path: container.path, time: time(15), policy: 5))
        found = try #require(try await device.index(container))
        #expect(found.putTime == time(15) && found.createdTime == time(10) && found.policy == 2)
        #expect(found.header("x-container-read") == ".r:*")

        for _ in 1...2 { try await device.deleteIndex(container, at: time(20)) }
        found = try #require(try await device.index(container))
        #expect(found.isDeleted && found.header("x-container-read") == nil)
        try await device.createIndex(container, IndexRecord(path: container.path, time: time(18), policy: 5))
        #expect(try await device.index(container)?.isDeleted == true)
        try await device.createIndex(container, IndexRecord(path: container.path, time: time(30), policy: 5))
        found = try #require(try await device.index(container))
        #expect(!found.isDeleted && found.policy == 5 && found.header("x-container-meta-b") == nil)

        #expect(try await device.index(account) == nil)
        try await device.createIndex(account, IndexRecord(path: account.path, time: time(1)))
        #expect(try await device.index(account)?.path == account.path)
        #expect(try await device.partitions(.containers) == [container.partition])
        #expect(try await device.contents(.containers, partition: container.partition).keys.first == container)
        for _ in 1...2 { try await device.forget(container, .containers) }
        #expect(try await device.index(container) == nil)
        #expect(try await device.partitions(.containers) == [])
        #expect(try await device.partitions(.accounts) == [account.partition])
    }

    /// The later of two rows of a name stays, and the totals are those of the rows.
    func objectRows() async throws {
        try await makeContainer()
        for _ in 1...2 {
            try await device.putObjectRows(
                container,
                [
                    StorageSample.row("a", at: 10, size: 5), StorageSample.row("b", at: 10, size: 7),
                    StorageSample.row("c", at: 10, isDeleted: true),
                ])
        }
        func expect(_ count: Int64, _ bytes: Int64, _ names: [String], line: Int = #line) async throws {
            let record = try #require(try await device.index(container))
            #expect(record.objectCount == count && record.bytesUsed == bytes, "line \(line)")
            let listed = try await device.listObjects(container, ListingQuery(limit: 100))
            #expect(self.names(listed) == names, "line \(line)")
        }
        try await expect(2, 12, ["a", "b"])
        try await device.putObjectRows(container, [StorageSample.row("a", at: 9, size: 500)])
        try await device.putObjectRows(container, [StorageSample.row("c", at: 9, size: 500)])
        try await expect(2, 12, ["a", "b"])
        try await device.putObjectRows(
            container, [StorageSample.row("a", at: 20, size: 50), StorageSample.row("c", at: 20, size: 1)])
        try await expect(3, 58, ["a", "b", "c"])
        // Of one time, the one that deletes; twice in one call, the later.
        try await device.putObjectRows(
            container,
            [
                StorageSample.row("b", at: 10, isDeleted: true), StorageSample.row("c", at: 40, isDeleted: true),
                StorageSample.row("c", at: 30, size: 3),
            ])
        try await expect(1, 50, ["a"])
        try await device.putObjectRows(container, [StorageSample.row("a", at: 21, isDeleted: true)])
        try await expect(0, 0, [])
        try await device.putObjectRows(container, [])
        try await expect(0, 0, [])
    }

    func containerRows() async throws {
        try await device.createIndex(account, IndexRecord(path: account.path, time: time(0)))
        func row(
            _ name: String, put: Int64, deleted: Int64? = nil, objects: Int64 = 0, bytes: Int64 = 0,
            totals: Int64? = nil
        ) -> ContainerRow {
            ContainerRow(
                name: name, putTime: time(put), deleteTime: deleted.map(time), objectCount: objects, bytesUsed: bytes,
                policy: 1, totalsTime: totals.map(time))
        }
        func expect(_ containers: Int64, _ objects: Int64, _ bytes: Int64, line: Int = #line) async throws {
            let record = try #require(try await device.index(account))
            #expect(
                record.containerCount == containers && record.objectCount == objects && record.bytesUsed == bytes,
                "line \(line)")
        }
        for _ in 1...2 { try await device.putContainerRows(account, [row("a", put: 1), row("b", put: 1)]) }
        try await expect(2, 0, 0)
        try await device.putContainerRows(account, [row("a", put: 1, objects: 3, bytes: 30, totals: 9)])
        try await device.putContainerRows(account, [row("a", put: 1, objects: 2, bytes: 20, totals: 8)])
        try await expect(2, 3, 30)
        try await device.putContainerRows(account, [row("a", put: 1, deleted: 20, totals: 20)])
        try await expect(1, 0, 0)
        try await device.putContainerRows(account, [row("a", put: 15, objects: 1, bytes: 1, totals: 15)])
        try await expect(1, 0, 0)
        try await device.putContainerRows(account, [row("a", put: 30)])
        try await expect(2, 0, 0)
        var query = ListingQuery(limit: 10)
        query.marker = "a"
        guard case .row(let listed)? = try await device.listContainers(account, query).first else {
            Issue.record("no row")
            return
        }
        #expect(listed.name == "b" && listed.policy == 1)
    }

    /// Pages with prefix, delimiter, markers, forwards and backwards, as upstream gives them.
    func listings() async throws {
        try await makeContainer()
        let all = ["a", "a/", "a/b", "a/b/c", "a/b/d", "a/c", "aa", "b", "b/1", "b/2", "c", "한/글", "한국"]
        try await device.putObjectRows(container, all.map { StorageSample.row($0, at: 1) })
        try await device.putObjectRows(container, [StorageSample.row("a/bb", at: 1, isDeleted: true)])
        func list(
            limit: Int = 100, marker: String? = nil, end: String? = nil, prefix: String? = nil,
            delimiter: String? = nil, reverse: Bool = false
        ) async throws -> [String] {
            var query = ListingQuery(limit: limit)
            (query.marker, query.endMarker, query.prefix) = (marker, end, prefix)
            (query.delimiter, query.isReversed) = (delimiter, reverse)
            return try await names(device.listObjects(container, query))
        }
        #expect(try await list() == all)
        #expect(try await list(reverse: true) == all.reversed())
        #expect(try await list(limit: 0) == [])
        #expect(try await list(limit: 2, marker: "a/b") == ["a/b/c", "a/b/d"])
        #expect(try await list(limit: 2, marker: "a/b/c", reverse: true) == ["a/b", "a/"])
        #expect(try await list(marker: "b", end: "b/2") == ["b/1"])
        #expect(try await list(marker: "b/2", end: "b", reverse: true) == ["b/1"])
        #expect(try await list(marker: "z", end: "a") == [])
        #expect(try await list(prefix: "a/b") == ["a/b", "a/b/c", "a/b/d"])
        #expect(try await list(prefix: "한") == ["한/글", "한국"])
        #expect(try await list(prefix: "\u{10FFFF}") == [])
        #expect(try await list(delimiter: "/") == ["a", "dir a/", "aa", "b", "dir b/", "c", "dir 한/", "한국"])
        #expect(
            try await list(delimiter: "/", reverse: true)
                == ["한국", "dir 한/", "c", "dir b/", "b", "aa", "dir a/", "a"])
        #expect(try await list(prefix: "a/", delimiter: "/") == ["a/", "a/b", "dir a/b/", "a/c"])
        #expect(try await list(prefix: "a", delimiter: "/") == ["a", "dir a/", "aa"])
        #expect(try await list(prefix: "a/", delimiter: "/", reverse: true) == ["a/c", "dir a/b/", "a/b", "a/"])
        // A page that begins behind a subdirectory does not show it again.
        #expect(try await list(marker: "a/", delimiter: "/") == ["aa", "b", "dir b/", "c", "dir 한/", "한국"])
        #expect(try await list(end: "b/", delimiter: "/", reverse: true) == ["한국", "dir 한/", "c"])
        #expect(try await list(limit: 2, delimiter: "/") == ["a", "dir a/"])
        #expect(try await list(delimiter: "/b/") == ["a", "a/", "a/b", "dir a/b/", "a/c"] + all.dropFirst(6))
        #expect(try await list(marker: "", end: "", prefix: "", delimiter: "") == all)
    }

    func hostileRows() async throws {
        try await makeContainer()
        let names = StorageSample.hostileNames
        try await device.putObjectRows(container, names.map { StorageSample.row($0, at: 1) })
        #expect(try await device.index(container)?.objectCount == Int64(names.count))
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        func expect(_ query: ListingQuery, _ expected: [String]) async throws {
            let listed = try await self.names(device.listObjects(container, query))
            #expect(listed.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
        }
        try await expect(ListingQuery(limit: 1000), sorted)
        for name in names {
            var query = ListingQuery(limit: 1000)
            query.prefix = name
            try await expect(query, sorted.filter { $0.utf8.starts(with: name.utf8) })
            query = ListingQuery(limit: 1000)
            query.marker = name
            try await expect(query, sorted.filter { name.utf8.lexicographicallyPrecedes($0.utf8) })
        }
        let box = StorageSample.location(ObjectPath(account: "AUTH_'\"..", container: "..\n😀"))
        try await device.createIndex(box, IndexRecord(path: box.path, time: time(1)))
        #expect(try await device.index(box)?.path == box.path)
    }

    /// Calls that need an index say that there is none, and make none.
    func noIndex() async throws {
        for _ in 1...2 {
            await expectCode(.notFound) { try await device.putObjectRows(container, [StorageSample.row("a", at: 1)]) }
            await expectCode(.notFound) { _ = try await device.listObjects(container, ListingQuery(limit: 1)) }
            await expectCode(.notFound) { _ = try await device.listContainers(account, ListingQuery(limit: 1)) }
            await expectCode(.notFound) { try await device.setHeaders(container, [:]) }
            await expectCode(.notFound) { try await device.deleteIndex(container, at: time(1)) }
            await expectCode(.notFound) { _ = try await device.indexRows(account, after: 0, limit: 1) }
            #expect(try await device.index(container) == nil)
        }
        #expect(try await device.partitions(.containers) == [])
        try await device.forget(container, .containers)
    }

    /// Rows come in the order in which they were put, deleted ones too, and make an equal replica.
    func indexReplication() async throws {
        try await makeContainer()
        for index in 0..<25 {
            try await device.putObjectRows(
                container, [StorageSample.row("o-\(index % 20)", at: Int64(index), isDeleted: index % 5 == 0)])
        }
        let copy = StorageSample.location(ObjectPath(account: "AUTH_test", container: "copy"))
        var record = try #require(try await device.index(container))
        record.path = copy.path
        record.headers = ["x-container-meta-a": .init("1", time(1))]
        var position: Int64 = 0
        var pages = 0
        while pages < 20 {
            let page = try await device.indexRows(container, after: position, limit: 6)
            #expect(page.objects.count <= 6)
            for _ in 1...2 { try await device.mergeIndex(copy, record, page) }
            position = page.position
            pages += 1
            if page.isLast { break }
        }
        // Deleted rows may have been cleared meanwhile: 16 are left for certain.
        #expect(pages >= 3)
        let (original, merged) = (
            try #require(try await device.index(container)), try #require(try await device.index(copy))
        )
        #expect(merged.objectCount == original.objectCount && merged.bytesUsed == original.bytesUsed)
        #expect(merged.policy == 2 && merged.header("x-container-meta-a") == "1")
        let query = ListingQuery(limit: 100)
        #expect(try await device.listObjects(copy, query) == device.listObjects(container, query))
        // Nothing is new: nothing comes, and nothing is told again.
        let end = try await device.indexRows(container, after: position, limit: 6)
        #expect(end.objects.isEmpty && end.isLast && end.position == position)
        try await device.putObjectRows(container, [StorageSample.row("o-1", at: 1)])
        #expect(try await device.indexRows(container, after: position, limit: 6).objects.isEmpty)
        try await device.putObjectRows(container, [StorageSample.row("o-1", at: 999, isDeleted: true)])
        let news = try await device.indexRows(container, after: position, limit: 6)
        #expect(news.objects == [StorageSample.row("o-1", at: 999, isDeleted: true)])

        // The later deletion and the later headers win.
        record.deleteTime = time(2000)
        try await device.mergeIndex(copy, record, IndexRows())
        #expect(try await device.index(copy)?.isDeleted == true)
    }

    func concurrentRows() async throws {
        try await makeContainer()
        let (device, container) = (device, container)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<100 {
                group.addTask {
                    try await device.putObjectRows(
                        container, [StorageSample.row("o-\(index)", at: Int64(index), size: 2)])
                }
                if index % 10 == 0 {
                    group.addTask {
                        let record = try await device.index(container)
                        #expect(record.map { $0.bytesUsed == 2 * $0.objectCount } == true)
                    }
                }
            }
            try await group.waitForAll()
        }
        let record = try #require(try await device.index(container))
        #expect(record.objectCount == 100 && record.bytesUsed == 200)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// What lies in which partition. Ceph lists a pool in no order that helps; so each thing is written down where it can
/// be found: before it is made, and removed from here after it has gone.
///
///     partitions         omap: `<kind>.<partition>`
///     p.<kind>.<partition>   omap: hash to the path of an index, or to nothing of an object, whose head says it
struct PartitionRegistry {
    private static let list = "partitions"
    private static let attempts = 50

    let pool: RadosPool

    static func tag(_ kind: StorageKind) -> String {
        switch kind {
        case .objects(let policy): "o\(policy)"
        case .containers: "c"
        case .accounts: "a"
        }
    }

    static func kind(ofIndex location: StorageLocation) -> StorageKind {
        location.path.container == nil ? .accounts : .containers
    }

    /// A partition by its key in the list.
    struct Place: Sendable, Hashable {
        var tag: String
        var partition: Int
        var key: [UInt8] { Array("\(tag).\(RadosNames.number(Int64(partition), digits: 10))".utf8) }
        var name: String { "p.\(tag).\(partition)" }
        /// Of one of objects.
        var policy: Int? { tag.hasPrefix("o") ? Int(tag.dropFirst()) : nil }

        init(_ kind: StorageKind, _ partition: Int) { (tag, self.partition) = (PartitionRegistry.tag(kind), partition) }

        init?(_ key: [UInt8]) {
            let parts = String(decoding: key, as: UTF8.self).split(separator: ".")
            guard parts.count == 2, let partition = Int(parts[1]) else { return nil }
            (tag, self.partition) = (String(parts[0]), partition)
        }
    }

    // MARK: Changing

    func add(_ place: Place, _ hash: String, _ value: [UInt8] = []) throws {
        var write = RadosWrite()
        write.condition = .exists
        write.attributes = [(ObjectHead.markName, Array(RadosNames.random().utf8))]
        write.values[Array(hash.utf8)] = value
        if try pool.attempt(place.name, write) { return }
        try list(place)
        write.condition = .none
        try pool.write(place.name, write)
    }

    private func list(_ place: Place) throws {
        var write = RadosWrite()
        write.values[place.key] = []
        try pool.write(Self.list, write)
    }

    /// `isThere` looks whether what was removed has come back meanwhile.
    func remove(_ place: Place, _ hash: String, unless isThere: () throws -> Bool) throws {
        guard let old = try pool.read(place.name, attributes: false, keys: [Array(hash.utf8)]),
            let value = old.values[Array(hash.utf8)]
        else { return }
        var write = RadosWrite()
        write.condition = .exists
        write.removedKeys = [Array(hash.utf8)]
        guard try pool.attempt(place.name, write) else { return }
        if try isThere() { return try add(place, hash, value) }
        try removeIfEmpty(place)
    }

    private func removeIfEmpty(_ place: Place) throws {
        for attempt in 0..<Self.attempts {
            guard let mark = try pool.read(place.name)?.attributes[ObjectHead.markName],
                let page = try pool.values(place.name, after: [], limit: 1), page.entries.isEmpty
            else { return }
            var write = RadosWrite()
            write.condition = .attribute(ObjectHead.markName, mark)
            write.removesObject = true
            guard try pool.attempt(place.name, write) else {
                RadosPause.take(attempt)
                continue
            }
            write = RadosWrite()
            write.removedKeys = [place.key]
            try pool.write(Self.list, write)
            // Another process may have filled it again between the two.
            if try pool.exists(place.name) { try list(place) }
            return
        }
    }

    // MARK: Reading

    func partitions(_ kind: StorageKind) throws -> [Int] {
        var partitions: [Int] = []
        var position = Array((Self.tag(kind) + ".").utf8)
        while let page = try pool.values(Self.list, after: position, limit: RadosPool.pageLimit) {
            let places = page.entries.compactMap { Place($0.key) }.prefix { $0.tag == Self.tag(kind) }
            partitions += places.map(\.partition)
            guard !page.isLast, places.count == page.entries.count, let last = page.entries.last else { break }
            position = last.key
        }
        return partitions
    }

    /// Each entry of a partition in the order of the hashes, after `position`. `body` returns whether to go on. False:
    /// it did not want to.
    @discardableResult
    func forEach(
        _ place: Place, after position: String? = nil, _ body: (_ hash: String, _ value: [UInt8]) throws -> Bool
    ) throws -> Bool {
        var position = Array((position ?? "").utf8)
        while let page = try pool.values(place.name, after: position, limit: RadosPool.pageLimit) {
            for entry in page.entries {
                guard try body(String(decoding: entry.key, as: UTF8.self), entry.value) else { return false }
            }
            guard !page.isLast, let last = page.entries.last else { break }
            position = last.key
        }
        return true
    }

    /// Where in a walk over all objects.
    struct Position: Sendable, Hashable {
        var place: Place
        var hash: String
        var text: String { "\(String(decoding: place.key, as: UTF8.self))/\(hash)" }

        init(place: Place, hash: String) { (self.place, self.hash) = (place, hash) }

        init?(_ text: String) {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.count == 2, let place = Place(Array(parts[0].utf8)) else { return nil }
            self.init(place: place, hash: String(parts[1]))
        }
    }

    /// Every object of all policies in a fixed order, after `position`. False: `body` did not want to go on.
    func forEachObject(after position: Position?, _ body: (Position) throws -> Bool) throws -> Bool {
        if let position {
            let isWhole = try forEach(position.place, after: position.hash) { hash, _ in
                try body(Position(place: position.place, hash: hash))
            }
            guard isWhole else { return false }
        }
        var key = position?.place.key ?? Array("o".utf8)
        while let page = try pool.values(Self.list, after: key, limit: RadosPool.pageLimit) {
            for place in page.entries.compactMap({ Place($0.key) }) {
                guard place.policy != nil else { return true }
                let isWhole = try forEach(place) { hash, _ in try body(Position(place: place, hash: hash)) }
                guard isWhole else { return false }
            }
            guard !page.isLast, let last = page.entries.last else { break }
            key = last.key
        }
        return true
    }
}

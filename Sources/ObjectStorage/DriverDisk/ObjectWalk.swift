// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import ObjectStorageContract

/// Goes through the objects of a device in a fixed order, from any place on. Its calls block.
struct ObjectWalk: Sendable {
    struct Place: Sendable, Comparable {
        var policy: Int
        var partition: Int
        var suffix: String
        var hash: String

        static func < (left: Place, right: Place) -> Bool {
            (left.policy, left.partition, left.suffix, left.hash)
                < (right.policy, right.partition, right.suffix, right.hash)
        }

        var text: String { "\(policy)/\(partition)/\(suffix)/\(hash)" }

        init(policy: Int, partition: Int, suffix: String, hash: String) {
            self.policy = policy
            self.partition = partition
            self.suffix = suffix
            self.hash = hash
        }

        init?(_ text: String) {
            let parts = text.split(byte: "/").map(String.init)
            guard parts.count == 4, let policy = Int(parts[0]), let partition = Int(parts[1]) else { return nil }
            self.init(policy: policy, partition: partition, suffix: parts[2], hash: parts[3])
        }
    }

    let layout: DiskLayout

    /// Calls `body` for each object's folder after `place`, until it answers false.
    func forEach(after place: Place?, _ body: (Place, ObjectFolder) throws -> Bool) throws {
        for policy in try policies() where policy >= place?.policy ?? 0 {
            let kind = StorageKind.objects(policy: policy)
            for partition in try partitions(kind) {
                // Whole partitions that lie before it are not even listed.
                if let place, (policy, partition) < (place.policy, place.partition) { continue }
                guard try forEach(policy, partition, after: place, body) else { return }
            }
        }
    }

    /// The folders of one partition. False: `body` has seen enough.
    @discardableResult
    func forEach(
        _ policy: Int, _ partition: Int, after place: Place? = nil, _ body: (Place, ObjectFolder) throws -> Bool
    ) throws -> Bool {
        try forEachFolder(.objects(policy: policy), partition) { suffix, hash, path in
            let here = Place(policy: policy, partition: partition, suffix: suffix, hash: hash)
            if let place, here <= place { return true }
            return try body(here, ObjectFolder(path: path, policy: policy, layout: layout))
        }
    }

    /// The folders of one partition of any kind.
    @discardableResult
    func forEachFolder(
        _ kind: StorageKind, _ partition: Int, _ body: (_ suffix: String, _ hash: String, _ path: String) throws -> Bool
    ) throws -> Bool {
        let folder = layout.partition(kind, partition)
        for suffix in try layout.names(in: folder)?.sorted() ?? [] {
            for hash in try layout.names(in: "\(folder)/\(suffix)")?.sorted() ?? [] {
                guard try body(suffix, hash, "\(folder)/\(suffix)/\(hash)") else { return false }
            }
        }
        return true
    }

    func partitions(_ kind: StorageKind) throws -> [Int] {
        try (layout.names(in: layout.directory(kind)) ?? []).compactMap { Int($0) }.sorted()
    }

    private func policies() throws -> [Int] {
        try (layout.names(in: layout.root) ?? []).compactMap(DiskLayout.policy).sorted()
    }
}

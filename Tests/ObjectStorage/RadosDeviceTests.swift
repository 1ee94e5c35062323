// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverRados

/// Goal: what the device in Ceph reckons with is right without a cluster, and a cluster that is away is said to be.
/// Method: pure functions, and monitors that nobody is.
@Suite("Ceph device, without Ceph")
struct RadosDeviceTests {
    @Test("a ring's path names a pool and a namespace")
    func paths() throws {
        #expect(try RadosPath("/srv/disk") == nil)
        let plain = try #require(try RadosPath("rados:objects"))
        #expect(plain.pool == "objects" && plain.namespace == "")
        let named = try #require(try RadosPath("rados:objects/cloud-1"))
        #expect(named.pool == "objects" && named.namespace == "cloud-1")
        for text in ["rados:", "rados:/a", "rados:a/", "rados:a/b/c", "rados:a b", "rados:\u{E9}"] {
            #expect(throws: CloudError.self) { _ = try RadosPath(text) }
        }
    }

    @Test("a cluster that does not answer is said to be unavailable, in time")
    func unreachable() async throws {
        var config = RadosConfig()
        (config.configurationFile, config.monitors) = ("/nonexistent", "127.0.0.1:1")
        config.connectTimeout = .seconds(1)
        await #expect {
            _ = try await RadosDevice.open(path: "rados:objects", config: config)
        } throws: { ($0 as? CloudError)?.code == .unavailable }
        #expect(try await RadosDevice.open(path: "/srv/disk", config: config) == nil)
    }

    @Test("keys sort as names do, have no zero, and give the name back")
    func keys() {
        let names = StorageSample.hostileNames + ["", "\u{0}", "a\u{0}", "a\u{0}b", "a\u{1}", "a\u{2}", "a"]
        let sorted = names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        let keys = sorted.map { IndexKey.row($0, isDeleted: false) }
        #expect(keys == keys.sorted { $0.lexicographicallyPrecedes($1) })
        for (name, key) in zip(sorted, keys) {
            #expect(!key.contains(0) && OmapKey.name(key) == Array(name.utf8))
            let before = OmapKey.before(key)
            #expect(before.lexicographicallyPrecedes(key))
            // What begins after it begins with the key itself.
            #expect(keys.filter { before.lexicographicallyPrecedes($0) }.first == key)
            let after = OmapKey.successor(of: key)
            let within = keys.filter { !$0.lexicographicallyPrecedes(key) && $0.lexicographicallyPrecedes(after) }
            #expect(within == keys.filter { $0.starts(with: key) })
        }
    }

    @Test("half way between two keys lies between them, and comes to an end")
    func between() {
        var generator = SplitMix(state: 3)
        for _ in 0..<200 {
            func key() -> [UInt8] {
                (0..<Int.random(in: 1...6, using: &generator)).map { _ in UInt8.random(in: 1...0xF4, using: &generator)
                }
            }
            var (low, high) = (key(), key())
            if high.lexicographicallyPrecedes(low) { swap(&low, &high) }
            guard low != high else { continue }
            var steps = 0
            while let middle = OmapKey.between(low, high), steps < 1_000, middle.count < 20 {
                #expect(low.lexicographicallyPrecedes(middle) && middle.lexicographicallyPrecedes(high))
                #expect(!middle.contains(0))
                if Bool.random(using: &generator) { low = middle } else { high = middle }
                steps += 1
            }
            #expect(steps < 1_000)
        }
    }

    @Test("records come back as they were written")
    func records() throws {
        let location = StorageSample.object("a\u{301} \"")
        var record = StorageSample.record(location, [1], at: 1, headers: ["x-object-meta-a": "é"])
        record.metadataTime = StorageSample.time(2)
        for state in [HeadRecord.State.void, .present(record), .deleted(StorageSample.time(7))] {
            let head = HeadRecord(
                path: location.path, state: state, upload: StoredUpload(id: "u", stripes: 3),
                changed: Timestamp(seconds: 9))
            let again = try #require(HeadRecord(head.text()))
            #expect(again.state == state && again.path == location.path && again.upload == head.upload)
            #expect(again.changedMicroseconds == 9_000_000)
        }
        #expect(HeadRecord(Array("{}".utf8)) == nil && HeadRecord([0xFF]) == nil)
        var index = StoredIndex(IndexRecord(path: StorageSample.container, time: StorageSample.time(1), policy: 3))
        index.setHeaders(["x-container-meta-a": .init("1", StorageSample.time(2))])
        index.sequence = 77
        index.reclaimed = [100, 0xC3]
        #expect(StoredIndex(index.text()) == index)
    }

    /// A child that has ended.
    private static func unreaped() -> pid_t? {
        var child: pid_t = 0
        guard posix_spawn(&child, "/bin/true", nil, nil, [nil], nil) == 0 else { return nil }
        var status = siginfo_t()
        guard waitid(P_PID, id_t(child), &status, WEXITED | WNOWAIT) == 0 else { return nil }
        return child
    }

    @Test("a process that runs is known from one that has ended, on this host alone")
    func processes() throws {
        let current = try ProcessIdentity.current()
        #expect(ProcessIdentity(current.text) == current)
        #expect(try current.hasEnded(seenFrom: current) == false)
        var other = current
        other.started = "0"
        #expect(try other.hasEnded(seenFrom: current) == true)
        // It has ended, and nobody has asked how.
        let child = try #require(Self.unreaped())
        other = current
        other.number = child
        #expect(try other.hasEnded(seenFrom: current) == true)
        _ = waitpid(child, nil, 0)
        other.place = "elsewhere"
        #expect(try other.hasEnded(seenFrom: current) == nil)
    }
}

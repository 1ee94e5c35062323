// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import TestKit
import Testing

@testable import ObjectStorageDriverRados

/// Devices of a cluster that a test has started. Each check has a namespace of its own.
struct RadosTestWorld: Sendable {
    let host: CephTestHost
    var namespace: String
    var keepReplaced = Duration.seconds(3600)
    let clock = TestClock()

    init(_ host: CephTestHost, namespace: String) {
        self.host = host
        self.namespace = namespace
    }

    /// A process of this host that has ended.
    static func ended() throws -> ProcessIdentity {
        var identity = try ProcessIdentity.current()
        // No process began before the kernel.
        identity.started = "0"
        return identity
    }

    /// `hasEnded`: other devices see that its process is gone.
    func open(hasEnded: Bool = false, clock: WallClock? = nil) async throws -> RadosDevice {
        var config = RadosConfig()
        config.configurationFile = host.configurationFile
        config.network = host.namespace
        config.keepReplaced = keepReplaced
        var options = RadosDevice.Options()
        if hasEnded { options.identity = try Self.ended() }
        if let clock { options.clock = clock }
        let device = try await RadosDevice.open(path: "rados:objects/\(namespace)", config: config, options: options)
        return try #require(device)
    }
}

extension RadosDevice {
    /// The upload that the head of an object names.
    func stripes(_ location: StorageLocation) async throws -> Stripes? {
        let upload = try await cluster.run { try ObjectHead(location).read($0)?.record.upload }
        return upload.map { Stripes(hash: location.hash, upload: $0.id) }
    }

    func exists(_ name: String) async throws -> Bool { try await cluster.run { try $0.exists(name) } }

    func anyExists(_ names: String...) async throws -> Bool {
        try await cluster.run { pool in try names.contains { try pool.exists($0) } }
    }

    func journals() async throws -> [String] {
        try await cluster.run { [journal] pool in try journal.allJournals(pool) }
    }

    /// Keys of all journals that begin so.
    func journalKeys(_ kind: String) async throws -> [String] {
        try await cluster.run { [journal] pool in
            var keys: [String] = []
            for id in try journal.allJournals(pool) {
                let page = try pool.values("j.\(id)", after: Array(kind.utf8), limit: 1000)
                keys += (page?.entries ?? []).map { String(decoding: $0.key, as: UTF8.self) }
            }
            return keys.filter { $0.hasPrefix(kind) }
        }
    }
}

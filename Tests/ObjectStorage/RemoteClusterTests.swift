// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore
import TestKit
import Testing

@testable import ObjectStorageDriverRemote

/// Goal: a cluster whose devices are on other hosts takes objects while one of them is away, and becomes whole again.
/// Method: the cluster of other tests, each of whose devices is reached through a storage host.
@Suite("Cluster of remote devices", .timeLimit(.minutes(10)))
struct RemoteClusterTests {
    @Test("objects are there before, while and after a device is away")
    func away() async throws {
        let world = try StorageWorld(devices: 4, replicas: 3)
        let first = try world.fake(DeviceNumber(1))
        try await RemoteWorld.with(first) { remote in
            for number in world.numbers {
                remote.handler.attach(try world.fake(number), path: "/d\(number)")
                world.directory.attach(number, remote.device(path: "/d\(number)"))
            }
            try await world.makeContainer()
            try await world.heal()
            let large = String(repeating: "a long song, ", count: 20_000)
            for index in 0..<10 { try await world.put("before-\(index)", "before-\(index)") }
            try await world.put("large", large)

            remote.handler.detach(path: "/d2")
            for index in 0..<10 { #expect(try await world.read("before-\(index)") == "before-\(index)") }
            for index in 0..<10 { try await world.put("while-\(index)", "while-\(index)") }
            try await world.delete("before-0")
            #expect(try await world.read("large") == large)
            #expect(try await world.read("before-0") == nil)
            #expect(try await world.names().count == 20)

            remote.handler.attach(try world.fake(DeviceNumber(2)), path: "/d2")
            try await world.heal()
            for name in ["large"] + (1..<10).map({ "before-\($0)" }) + (0..<10).map({ "while-\($0)" }) {
                let path = StorageWorld.path(name)
                #expect(try world.holders(path) == world.cluster.place(path).primaries.sorted(), "\(name)")
                #expect(try await world.read(name) == (name == "large" ? large : name))
            }
            #expect(try await world.names().count == 20)
        }
    }
}

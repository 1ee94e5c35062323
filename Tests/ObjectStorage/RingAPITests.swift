// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ObjectStorageAPI
import ObjectStorageContract
import ObjectStorageCore
import Synchronization
import TestKit
import Testing

/// Goal: an administrator, and nobody else, sees the store's devices and changes them; a mistake changes nothing.
/// Method: the API behind a router, over a database and devices in memory; passes are started by hand.
@Suite("Ring API")
struct RingAPITests {
    private static let admin = "root:admin:admin"
    private static let ring = "/object-store/ring"

    /// Makes devices, and knows which were given back.
    private final class Shelf: Sendable {
        private struct State {
            var devices: [DeviceNumber: FakeStorageDevice] = [:]
            var closed = 0
        }
        private let state = Mutex(State())

        var closed: Int { state.withLock { $0.closed } }
        func close() { state.withLock { $0.closed += 1 } }

        func device(_ number: Int) throws -> FakeStorageDevice {
            try #require(state.withLock { $0.devices[DeviceNumber(UInt16(number))] })
        }

        func open(_ device: RingDevice) throws -> FakeStorageDevice? {
            guard device.host == "here" else { return nil }
            guard device.path != "/broken" else {
                throw CloudError(.unavailable, "The storage device is not available.", cause: "/broken is not mounted")
            }
            return state.withLock { state in
                let made = state.devices[device.number] ?? FakeStorageDevice()
                state.devices[device.number] = made
                return made
            }
        }
    }

    private struct World: Sendable {
        let clock = TestClock()
        let shelf = Shelf()
        let parts: StorageParts
        let router: APIRouter

        init(directories: [String] = ["/a"], replicas: Int = 1) async throws {
            let shelf = shelf
            var config = ObjectStorageConfig()
            config.partitionPower = 4
            config.replicas = replicas
            config.replicationPause = .zero
            parts = try await StorageParts.make(
                database: try await TestDatabase.make(ObjectStorageMigrations.all), config: config, host: "here",
                directories: directories, clock: clock.clock, ids: .random, close: { _ in shelf.close() }
            ) { try shelf.open($0) }
            router = APIRouter(
                services: [try RingAPI(parts, host: "here")], origin: "http://cloud.test", ids: .random,
                clock: clock.clock
            ) { try await SwiftWorld.Users().authenticate(token: $0) }
        }

        @discardableResult
        func call(
            _ method: HTTPMethod, _ path: String = "", _ body: JSON? = nil, as token: String? = RingAPITests.admin,
            expecting status: Int, at location: SourceLocation = #_sourceLocation
        ) async throws -> TestAnswer {
            var headers = HTTPHeaders()
            if let token { headers.set("X-Auth-Token", token) }
            let answer = try await router.call(method, RingAPITests.ring + path, body, headers: headers)
            #expect(answer.status == status, "\(method) \(path): \(answer.body.text())", sourceLocation: location)
            return answer
        }

        /// Passes until everything is where it belongs.
        func settle() async throws {
            try await parts.replicator.pass()
            clock.advance(by: .seconds(61))
            try await parts.replicator.pass()
        }
    }

    private static let calls: [(HTTPMethod, String, JSON?)] = [
        (.get, "", nil), (.post, "/devices", ["path": "/b"]), (.patch, "/devices/0", ["weight": 1]),
        (.delete, "/devices/0", nil), (.post, "/repair", nil),
    ]

    @Test("administrators alone may", arguments: calls.indices)
    func authorization(_ index: Int) async throws {
        let (world, call) = (try await World(), Self.calls[index])
        try await world.call(call.0, call.1, call.2, as: nil, expecting: 401)
        for role in ["member", "reader", "ResellerAdmin", "swiftoperator"] {
            try await world.call(call.0, call.1, call.2, as: "ann:test:\(role)", expecting: 403)
        }
        #expect(try await world.parts.rings.all().map(\.path) == ["/a"])
        #expect(try await world.parts.rings.all().map(\.weight) == [100])
    }

    @Test("a device comes, changes and goes")
    func roundTrip() async throws {
        let world = try await World()
        let added = try await world.call(
            .post, "/devices", ["path": "/b/", "zone": "2", "weight": 50, "class": "ssd"], expecting: 201)
        #expect(added["number"] == 1)
        #expect(added["host"] == "here" && added["path"] == "/b" && added["zone"] == "2" && added["class"] == "ssd")
        try await world.call(.post, "/devices", ["path": "/b", "host": "here"], expecting: 409)

        var state = try await world.call(.get, expecting: 200)
        #expect(state["devices"]?.array?.count == 2)
        #expect(state["devices", "1", "weight"] == .double(50))
        #expect(state["devices", "1", "up"] == true)
        #expect(state["devices", "1", "space", "total_bytes"]?.int ?? 0 > 0)
        #expect(state["devices", "1", "replicas", "objects"]?.int ?? 0 > 0)
        #expect(state["rings"]?.array?.compactMap { $0["name"]?.string } == ["indexes", "objects"])
        #expect(state["rings", "1", "moving"]?.int ?? 0 > 0)
        #expect(state["whole"] == false)
        #expect(state["last_pass"] == .null)
        try await world.settle()
        state = try await world.call(.get, expecting: 200)
        #expect(state["whole"] == true)
        #expect(state["rings", "1", "moving"] == 0)
        #expect(state["last_pass", "whole"] == true)

        try await world.call(.delete, "/devices/1", expecting: 409)
        let changed = try await world.call(
            .patch, "/devices/1", ["weight": 0, "zone": "3", "class": .null], expecting: 200)
        #expect(changed["weight"] == .double(0))
        #expect(changed["zone"] == "3")
        #expect(changed["class"] == .null)
        try await world.settle()
        try await world.call(.delete, "/devices/1", expecting: 204)
        state = try await world.call(.get, expecting: 200)
        #expect(state["devices"]?.array?.compactMap { $0["number"]?.int } == [0])
        #expect(state["whole"] == true)
        #expect(world.shelf.closed == 1)
        // The configuration that made it a device once does so no more.
        #expect(try await world.parts.rings.prepare(host: "here", directories: ["/a", "/b"]).map(\.path) == ["/a"])
        // Its number is never another's.
        let again = try await world.call(.post, "/devices", ["path": "/b"], expecting: 201)
        #expect(again["number"] == 2)
        try await world.call(.delete, "/devices/2?force=true", expecting: 204)
    }

    @Test("the last device stays")
    func last() async throws {
        let world = try await World()
        try await world.call(.delete, "/devices/0", expecting: 409)
        try await world.call(.delete, "/devices/0?force=true", expecting: 409)
        #expect(try await world.parts.rings.all().count == 1)
    }

    @Test("what is no device, or no change of one, is refused")
    func badInput() async throws {
        let world = try await World()
        let bad: [JSON] = [
            [:], ["zone": "2"], ["path": ""], ["path": "b"], ["path": 1], ["path": "/b\n"], ["path": "/b", "zone": ""],
            ["path": "/b", "weight": "heavy"], ["path": "/b", "weight": -1], ["path": "/b", "weight": .double(1e300)],
            ["path": "/b", "weight": []], ["path": "/b", "class": 1], ["path": "/b", "host": ""],
            ["path": "/b", "size": 1], ["path": .string("/" + String(repeating: "é", count: 200))],
        ]
        for body in bad {
            let answer = try await world.call(.post, "/devices", body, expecting: 400)
            #expect(answer["error", "code"] == 400)
            #expect(answer["error", "message"]?.string?.isEmpty == false)
        }
        let nothing: [JSON] = [
            [:], ["weight": .null], ["weight": -1], ["weight": "1"], ["zone": ""], ["zone": .null], ["path": "/b"],
        ]
        for body in nothing { try await world.call(.patch, "/devices/0", body, expecting: 400) }
        for number in ["5", "x", "-1", "70000"] {
            try await world.call(.patch, "/devices/\(number)", ["weight": 1], expecting: 404)
            try await world.call(.delete, "/devices/\(number)", expecting: 404)
        }
        try await world.call(.delete, "/devices/0?force=perhaps", expecting: 400)
        #expect(try await world.parts.rings.all().count == 1)
        #expect(try await world.parts.rings.layout().objects[0]?.version == 1)
    }

    @Test("what does not answer becomes no device, and nothing moves")
    func unreachable() async throws {
        let world = try await World()
        let broken = try await world.call(.post, "/devices", ["path": "/broken"], expecting: 400)
        #expect(broken["error", "message"]?.string?.contains("/broken is not mounted") == true)
        let far = try await world.call(.post, "/devices", ["path": "/b", "host": "far:6200"], expecting: 400)
        #expect(far["error", "message"]?.string?.contains("does not reach far:6200") == true)
        #expect(try await world.parts.rings.all().map(\.path) == ["/a"])
        #expect(try await world.parts.rings.layout().objects[0]?.former.isEmpty == true)
        try await world.call(.get, expecting: 200)
        #expect(try await world.parts.state.state().isWhole)
    }

    @Test("a device that is away makes the store less than whole, and useless only where no other stands in")
    func away() async throws {
        let pair = try await World(directories: ["/a", "/b", "/c"], replicas: 2)
        #expect(try await pair.parts.state.state().summary == "3 of 3 devices up, replicas not compared yet")
        try await pair.parts.replicator.pass()
        #expect(try await pair.parts.state.state().summary == "3 of 3 devices up, whole")
        try pair.shelf.device(2).faults.setAway(true)
        var state = try await pair.parts.state.state()
        #expect(!state.isWhole)
        #expect(state.isServing)
        #expect(state.summary.hasPrefix("2 of 3 devices up, "))
        let shown = try await pair.call(.get, expecting: 200)
        #expect(shown["whole"] == false)
        #expect(shown["devices", "2", "up"] == false)
        #expect(shown["devices", "2", "space"] == .null)
        #expect(shown["devices", "2", "error"]?.string?.contains("not available") == true)
        #expect(shown["rings", "1", "missing"]?.int ?? 0 > 0)
        #expect(shown["rings", "1", "unserved"] == 0)
        try pair.shelf.device(1).faults.setAway(true)
        state = try await pair.parts.state.state()
        #expect(!state.isServing)
        #expect(state.summary.contains("out of reach"))

        let single = try await World(directories: ["/a", "/b"])
        try single.shelf.device(1).faults.setAway(true)
        state = try await single.parts.state.state()
        #expect(state.rings.allSatisfy { $0.unserved > 0 && $0.unserved < $0.partitions })
    }

    @Test("a device that hangs is shown as one that does not answer, and holds up nobody")
    func hanging() async throws {
        let world = try await World(directories: ["/a", "/b"])
        try world.shelf.device(1).faults.hang(100)
        let state = try await world.call(.get, expecting: 200)
        #expect(state["devices", "0", "up"] == true)
        #expect(state["devices", "1", "up"] == false)
        #expect(state["devices", "1", "error"]?.string?.isEmpty == false)
        try world.shelf.device(1).faults.release()
        #expect(try await world.parts.state.state().devices.allSatisfy(\.isUp))
    }

    @Test("repair begins a pass at once")
    func repair() async throws {
        let world = try await World()
        try await withServices([world.parts.replicator]) {
            try await eventually("the first pass") { world.parts.replicator.lastReport != nil }
            world.clock.advance(by: .seconds(5))
            try await world.call(.post, "/repair", expecting: 202)
            let now = world.clock.clock.now()
            try await eventually("another pass") {
                world.parts.replicator.lastReport.map { $0.endedAt >= now } ?? false
            }
        }
    }
}

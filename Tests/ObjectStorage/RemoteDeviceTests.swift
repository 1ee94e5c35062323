// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPClient
import HTTPKit
import HTTPServer
import LifecycleKit
import ObjectStorageContract
import SecurityKit
import Synchronization
import TestKit
import Testing

@testable import ObjectStorageDriverRemote

/// Goal: a device of another host keeps the promises of `StorageDevice`; what breaks on the way leaves nothing behind,
/// and nobody without the key is listened to.
/// Method: the real server on the loopback with a real disk behind it; requests that a stranger could make are made.
@Suite("Remote storage device", .timeLimit(.minutes(10)))
struct RemoteDeviceTests {
    @Test("passes the conformance checks of storage devices", arguments: StorageDeviceConformance.checks.indices)
    func conformance(check: Int) async throws {
        try await RemoteWorld.withDisk { world, _ in
            try await StorageDeviceConformance.checks[check].1(StorageDeviceConformance(device: world.device))
        }
    }

    @Test("so does one behind which bodies are streams", arguments: StorageDeviceConformance.checks.indices)
    func streamConformance(check: Int) async throws {
        try await RemoteWorld.with(FakeStorageDevice()) { world in
            try await StorageDeviceConformance.checks[check].1(StorageDeviceConformance(device: world.device))
        }
    }

    private func expectCode(_ code: CloudError.Code, _ body: () async throws -> Void) async {
        let error = await #expect(throws: CloudError.self) { try await body() }
        #expect(error?.code == code, "\(error.map { "\($0)" } ?? "")")
    }

    // MARK: What breaks

    @Test("an upload that breaks, anywhere, commits nothing and harms nothing")
    func brokenUploads() async throws {
        try await RemoteWorld.withDisk { world, disk in
            let location = StorageSample.object("broken")
            let bytes = StorageSample.bytes(200_000)
            let record = StorageSample.record(location, bytes, at: 5)
            let json = try JSONValueEncoder.bytes(record)
            func piece(_ bytes: [UInt8]) -> [UInt8] { ObjectFrame.head(ObjectFrame.piece, bytes.count) + bytes }
            func commit(_ proof: [UInt8], _ json: [UInt8]) -> [UInt8] {
                ObjectFrame.head(ObjectFrame.commit, proof.count + json.count) + proof + json
            }
            var damaged = bytes
            damaged[100_000] ^= 1
            let uploads: [(String, (RequestSignature) throws -> [UInt8])] = [
                ("nothing", { _ in [] }),
                ("no commit", { _ in piece(bytes) }),
                ("half a piece", { _ in Array(piece(bytes).dropLast(10)) }),
                (
                    "half a commit",
                    { Array((piece(bytes) + commit($0.commitSignature(world.key, json), json)).dropLast()) }
                ),
                ("not signed", { _ in piece(bytes) + commit([UInt8](repeating: 0, count: 32), json) }),
                ("another's signature", { piece(bytes) + commit($0.commitSignature(.generated(), json), json) }),
                ("damaged", { piece(damaged) + commit($0.commitSignature(world.key, json), json) }),
                ("shorter", { piece(Array(bytes.dropLast())) + commit($0.commitSignature(world.key, json), json) }),
                ("more after it", { piece(bytes) + commit($0.commitSignature(world.key, json), json) + [1] }),
                ("no frames", { _ in bytes }),
                ("no record", { piece(bytes) + commit($0.commitSignature(world.key, [1]), [1]) }),
            ]
            for (what, frames) in uploads {
                #expect(try await world.upload(location, frames) >= 400, "\(what)")
                #expect(try await disk.replica(location) == .absent, "\(what)")
            }
            // A connection that breaks: the client goes in the middle of it.
            let sink = try await world.device.beginObject(location, expecting: 200_000)
            try await sink.write(bytes)
            await sink.abort()
            await #expect(throws: (any Error).self) { try await sink.commit(record) }
            #expect(try await disk.replica(location) == .absent)
            // The same frames, whole.
            let status = try await world.upload(location) {
                piece(bytes) + commit($0.commitSignature(world.key, json), json)
            }
            #expect(status == 204)
            #expect(try await disk.get(location)?.bytes == bytes)
        }
    }

    @Test("a host that is gone is unavailable, soon, in every phase")
    func gone() async throws {
        try await withTemporaryDirectory { root in
            let fake = FakeStorageDevice()
            let location = StorageSample.object("gone")
            let worlds = Mutex<RemoteWorld?>(nil)
            let halves = Mutex<(any ObjectSink, ObjectBody)?>(nil)
            try await RemoteWorld.with(fake) { world in
                let bytes = [UInt8](repeating: 3, count: 50_000_000)
                try await world.device.put(location, bytes, at: 1, pieceBytes: 1 << 20)
                let object = try #require(try await world.device.openObject(location))
                let body = try await object.body(0..<50_000_000)
                let sink = try await world.device.beginObject(location, expecting: nil)
                try await sink.write([1, 2, 3])
                halves.withLock { $0 = (sink, body) }
                worlds.withLock { $0 = world }
            }
            let world = try #require(worlds.withLock { $0 })
            let (sink, body) = try #require(halves.withLock { $0 })
            await expectCode(.unavailable) { _ = try await world.device.replica(location) }
            await expectCode(.unavailable) { _ = try await world.device.openObject(location) }
            await expectCode(.unavailable) { _ = try await world.device.beginObject(location, expecting: 1) }
            await expectCode(.unavailable) { _ = try await body.bytes() }
            await expectCode(.unavailable) { try await sink.commit(StorageSample.record(location, [1, 2, 3], at: 9)) }
            #expect(try await fake.get(location)?.record.time == StorageSample.time(1))
        }
    }

    @Test(
        "a failure keeps its code and what it says",
        arguments: [
            CloudError.Code.unavailable, .insufficientStorage, .conflict, .notFound, .bug, .badRequest,
        ])
    func failures(_ code: CloudError.Code) async throws {
        let fake = FakeStorageDevice()
        try await RemoteWorld.with(fake) { world in
            let location = StorageSample.object("a")
            let failure = CloudError(code, "It is so.", kind: "Kind", cause: "the reason")
            for call in 0..<3 {
                fake.faults.fail(with: failure)
                let error = await #expect(throws: CloudError.self) {
                    switch call {
                    case 0: _ = try await world.device.replica(location)
                    case 1: _ = try await world.device.openObject(location)
                    default: _ = try await world.device.beginObject(location, expecting: nil)
                    }
                }
                #expect(error?.code == code && error?.message == "It is so." && error?.kind == "Kind")
                #expect(error?.cause?.hasSuffix("the reason") == true)
            }
            await expectCode(.unavailable) {
                _ = try await world.device(path: "/not/here").replica(location)
            }
        }
    }

    @Test("the longest names pass")
    func longNames() async throws {
        try await RemoteWorld.withDisk { world, _ in
            // What JSON writes longest.
            func long(_ count: Int) -> String { String(repeating: "\u{1}", count: count) }
            let location = StorageSample.location(
                ObjectPath(account: long(256), container: long(256), object: long(1024)))
            var headers: [String: String] = [:]
            for number in 0..<16 { headers["x-object-meta-\(number)"] = long(256) }
            let record = try await world.device.put(location, [1], at: 1, headers: headers)
            #expect(try await world.device.get(location)?.record == record)
        }
    }

    @Test("an object stays open on its host, for a while")
    func openHandles() async throws {
        let clock = TestClock()
        let fake = FakeStorageDevice()
        try await RemoteWorld.with(fake, clock: clock.clock) { world in
            let location = StorageSample.object("large")
            let bytes = StorageSample.bytes(300_000)
            try await world.device.put(location, bytes, at: 1)
            let object = try #require(try await world.device.openObject(location))
            #expect(world.handler.handles.count == 1)
            // A small one needs none.
            try await world.device.put(StorageSample.object("small"), [1, 2], at: 1)
            let small = try #require(try await world.device.openObject(StorageSample.object("small")))
            #expect(world.handler.handles.count == 1)
            #expect(try await small.bytes(1..<2) == [2])

            clock.advance(by: .seconds(200))
            await world.handler.closeIdleObjects()
            #expect(world.handler.handles.count == 1)
            clock.advance(by: .seconds(200))
            await world.handler.closeIdleObjects()
            #expect(world.handler.handles.count == 0)
            // It is opened anew.
            #expect(try await object.bytes(100..<200_000) == Array(bytes[100..<200_000]))
            clock.advance(by: .seconds(400))
            await world.handler.closeIdleObjects()
            try await world.device.put(location, StorageSample.bytes(300_000, seed: 2), at: 2)
            await expectCode(.unavailable) { _ = try await object.bytes(0..<10) }
            await object.close()
            try await eventually { world.handler.handles.count == 0 }
        }
    }

    // MARK: Who is listened to

    @Test("another key, host, time, path or body is refused, and changes nothing")
    func refused() async throws {
        try await RemoteWorld.withDisk { world, disk in
            let location = StorageSample.object("a")
            try await world.device.put(location, [1], at: 1)
            let later = WallClock { WallClock.system.now() + .seconds(70) }
            let earlier = WallClock { WallClock.system.now() - .seconds(70) }
            let strangers = [
                world.device(key: .generated()), world.device(clock: later), world.device(clock: earlier),
            ]
            for stranger in strangers {
                await expectCode(.unavailable) { try await stranger.deleteObject(location, at: StorageSample.time(2)) }
                await expectCode(.unavailable) { _ = try await stranger.openObject(location) }
                await expectCode(.unavailable) { try await stranger.put(location, [2], at: 3) }
            }
            // Requests that were made for others, or are changed on the way.
            let path = StorageWire.path(RemoteWorld.path, "delete-object")
            let call = try JSONValueEncoder.bytes(
                StorageCalls.DeleteObject(location: location, time: StorageSample.time(2)))
            func request(_ change: (inout HTTPClientRequest) -> Void) -> HTTPClientRequest {
                var request = world.device.signed(.post, path, content: call).0
                request.body = .bytes(call)
                change(&request)
                return request
            }
            var other = world.device(endpoint: "127.0.0.2:1").signed(.post, path, content: call).0
            other.url = "http://\(world.endpoint)\(path)"
            other.body = .bytes(call)
            #expect(try await world.status(other) == 401)
            #expect(try await world.status(request { $0.headers = [:] }) == 401)
            #expect(try await world.status(request { $0.method = .put }) == 401)
            #expect(try await world.status(request { $0.url += "?a" }) == 401)
            #expect(try await world.status(request { $0.url = $0.url.replacing("%201", with: "%202") }) == 401)
            #expect(try await world.status(request { $0.body = .bytes(call + [0x20]) }) == 503)
            let state = try await disk.replica(location)
            #expect(state == .present(StorageSample.time(1), metadata: nil))
            let found = try await disk.get(location)
            #expect(found?.bytes == [1], "\(String(describing: found))")
            #expect(try await world.status(request { _ in }) == 200)
            #expect(try await disk.get(location) == nil)
        }
    }

    @Test("a request is answered once")
    func replay() async throws {
        try await RemoteWorld.withDisk { world, disk in
            let location = StorageSample.object("a")
            let path = StorageWire.path(RemoteWorld.path, "delete-object")
            let call = try JSONValueEncoder.bytes(
                StorageCalls.DeleteObject(location: location, time: StorageSample.time(2)))
            var request = world.device.signed(.post, path, content: call).0
            request.body = .bytes(call)
            #expect(try await world.status(request) == 200)
            try await disk.forget(location, .objects(policy: 0))
            for _ in 1...3 { #expect(try await world.status(request) == 401) }
            #expect(try await disk.replica(location) == .absent)
        }
    }

    @Test("a nonce is known as long as its request is not stale")
    func nonces() {
        var window = NonceWindow()
        #expect(window.admit(1, at: 1000, now: 1000) == .new)
        #expect(window.admit(2, at: 1059, now: 1000) == .new)
        for now: Int64 in [1000, 1030, 1060] { #expect(window.admit(1, at: 1000, now: now) == .repeated) }
        #expect(window.admit(1, at: 1000, now: 1061) == .stale)
        #expect(window.admit(2, at: 1059, now: 1119) == .repeated)
        #expect(window.admit(3, at: 1061, now: 1000) == .stale)
        for seconds: Int64 in [.min, .max] { #expect(window.admit(4, at: seconds, now: 1000) == .stale) }
    }

    @Test("an answer that is not signed is not believed")
    func forgedAnswers() async throws {
        struct Forger: HTTPHandler {
            func handle(_ request: HTTPRequest) async -> HTTPResponse { .json(Array(#"{"absent":{}}"#.utf8)) }
        }
        let http = HTTPServer(listeners: [Listener(.address("127.0.0.1", port: 0))], handler: Forger())
        try http.open()
        let endpoint = "127.0.0.1:\(try #require(http.ports().first))"
        let device = RemoteDevice(endpoint: endpoint, path: "/d", key: .generated(), client: HTTPClient())
        try await withServices([http]) {
            await expectCode(.unavailable) { _ = try await device.replica(StorageSample.object("a")) }
            await expectCode(.unavailable) { _ = try await device.openObject(StorageSample.object("a")) }
            await expectCode(.unavailable) { try await device.put(StorageSample.object("a"), [1], at: 1) }
        }
    }

    @Test("frames are found however the body is cut")
    func frames() throws {
        let proof = [UInt8](repeating: 9, count: 32)
        let body =
            ObjectFrame.head(ObjectFrame.piece, 300) + StorageSample.bytes(300)
            + ObjectFrame.head(ObjectFrame.piece, 1) + [5]
            + ObjectFrame.head(ObjectFrame.commit, 40) + proof + StorageSample.bytes(8)
        var generator = SplitMix(state: 3)
        for _ in 1...200 {
            var reader = FrameReader()
            var rest = body[...]
            var bytes: [UInt8] = []
            var last: [UInt8]?
            while !rest.isEmpty {
                let part = rest.prefix(Int.random(in: 1...120, using: &generator))
                rest = rest.dropFirst(part.count)
                for event in try reader.read(Array(part)) {
                    switch event {
                    case .bytes(let piece): bytes += piece
                    case .commit(let record, let signature):
                        #expect(signature == proof)
                        last = record
                    }
                }
            }
            #expect(bytes == StorageSample.bytes(300) + [5] && last == StorageSample.bytes(8) && reader.isEnded)
        }
        for bad: [UInt8] in [[3, 0, 0, 0, 1], [1, 0, 0, 0, 0], [2, 0, 0, 0, 31], [2, 255, 0, 0, 0]] {
            var reader = FrameReader()
            #expect(throws: CloudError.self) { try reader.read(bad) }
        }
    }

    @Test("a key is 32 bytes, and is not shown")
    func keys() throws {
        let key = ClusterKey.generated()
        let same = try #require(ClusterKey(fileContent: Array("\n \(key.reveal())\n".utf8)))
        #expect(same.reveal() == key.reveal())
        #expect(ClusterKey(fileContent: [UInt8](repeating: 1, count: 32)) != nil)
        for bad in ["", "abc", String(repeating: "g", count: 64), String(repeating: "a", count: 63)] {
            #expect(ClusterKey(fileContent: Array(bad.utf8)) == nil)
        }
        #expect("\(key) \(String(reflecting: key))" == "*** ***")
        var text = ""
        dump(key, to: &text)
        #expect(!text.contains(key.reveal().prefix(8)))
    }
}

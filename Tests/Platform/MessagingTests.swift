// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import MessagingKit
import Synchronization
import TestKit
import Testing

/// Goal: what crosses the bus arrives, errors too, and nobody waits for ever.
/// Method: servers and subscribers on one in-process bus, and callers that meet each way to fail.
@Suite("Messaging")
struct MessagingTests {
    struct Build: BusMessage {
        struct Reply: Codable, Sendable, Equatable { var address: String }
        static let name: StaticString = "compute.build"
        static let version = 2
        var server: String
        var size: Int?
    }
    struct NewerBuild: BusMessage {
        typealias Reply = BusDone
        static let name: StaticString = "compute.build"
        static let version = 3
    }
    struct Unknown: BusMessage {
        typealias Reply = BusDone
        static let name: StaticString = "compute.unknown"
        static let version = 1
    }
    struct Changed: BusEvent {
        static let name: StaticString = "compute.changed"
        static let version = 1
        var number: Int
    }

    private let bus = InProcessBus(tasks: BackgroundTasks(drainLimit: .milliseconds(10)))

    private func server(
        host: String = "node-1", _ body: @escaping @Sendable (Build) async throws -> Build.Reply
    ) -> BusServer {
        let server = BusServer(bus, topic: "compute", host: host)
        server.handle(Build.self, body)
        return server
    }

    @Test("a call is answered by its host")
    func call() async throws {
        for host in ["node-1", "node-2"] {
            _ = try await server(host: host) { Build.Reply(address: "\($0.server)@\(host)") }.register()
        }
        let reply = try await bus.call("node-2", Build(server: "s", size: 1), timeout: .seconds(5))
        #expect(reply == Build.Reply(address: "s@node-2"))
    }

    @Test("an error arrives whole; one of the inside shows nothing to the caller")
    func errors() async throws {
        struct Inside: Error {}
        _ = try await server { message in
            if message.size == nil { throw CloudError(.conflict, "busy", kind: "InUse", cause: "why") }
            throw Inside()
        }.register()
        await #expect(throws: CloudError(.conflict, "busy", kind: "InUse", cause: "why")) {
            try await bus.call("node-1", Build(server: "s"), timeout: .seconds(5))
        }
        let error = await #expect(throws: CloudError.self) {
            try await bus.call("node-1", Build(server: "s", size: 1), timeout: .seconds(5))
        }
        #expect(error?.code == .bug)
        #expect(error?.message.contains("Inside") == false)
    }

    @Test("a host that is not there, or does not answer, is unavailable")
    func absence() async throws {
        let missing = await #expect(throws: CloudError.self) {
            try await bus.call("node-9", Build(server: "s"), timeout: .seconds(5))
        }
        #expect(missing?.code == .unavailable)
        #expect(missing?.message == "The compute service on host node-9 is not answering.")
        let release = Signal()
        _ = try await server { _ in
            await release.wait()
            return Build.Reply(address: "late")
        }.register()
        let slow = await #expect(throws: CloudError.self) {
            try await bus.call("node-1", Build(server: "s"), timeout: .milliseconds(20))
        }
        #expect(slow?.code == .unavailable)
        release.wake()
    }

    @Test("a caller that gives up does not end the work")
    func cancelledCaller() async throws {
        let (started, release, done) = (Signal(), Signal(), Signal())
        _ = try await server { _ in
            started.wake()
            await release.wait()
            if !Task.isCancelled { done.wake() }
            return Build.Reply(address: "")
        }.register()
        let bus = bus
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    _ = try await bus.call("node-1", Build(server: "s"), timeout: .seconds(20))
                    return false
                } catch { return error is CancellationError }
            }
            await started.wait()
            group.cancelAll()
            #expect(await group.next() == true)
        }
        release.wake()
        #expect(await done.wait(atMost: .seconds(20)))
    }

    @Test("newer and unknown messages are refused; a stopped server is gone")
    func versions() async throws {
        let registrations = try await server { _ in Build.Reply(address: "") }.register()
        for call in [
            { try await bus.call("node-1", NewerBuild(), timeout: .seconds(5)) },
            { try await bus.call("node-1", Unknown(), timeout: .seconds(5)) },
        ] as [() async throws -> BusDone] {
            let error = await #expect(throws: CloudError.self) { try await call() }
            #expect(error?.code == .unavailable)
        }
        await #expect(throws: CloudError.self) { try await server { _ in Build.Reply(address: "") }.register() }
        for registration in registrations { registration.cancel() }
        let error = await #expect(throws: CloudError.self) {
            try await bus.call("node-1", Build(server: "s"), timeout: .seconds(5))
        }
        #expect(error?.message.contains("not answering") == true)
    }

    @Test("a server takes no more requests than its limit")
    func limit() async throws {
        var limits = InProcessBus.Limits()
        limits.requestsPerServer = 1
        let small = InProcessBus(tasks: BackgroundTasks(drainLimit: .milliseconds(10)), limits: limits)
        let (started, release) = (Signal(), Signal())
        let registration = try await small.serve(topic: "t", host: "h") { _, body in
            started.wake()
            await release.wait()
            return body
        }
        try await small.cast(topic: "t", host: "h", method: "m", body: [])
        await started.wait()
        let error = await #expect(throws: CloudError.self) {
            try await small.call(topic: "t", host: "h", method: "m", body: [], timeout: .seconds(5))
        }
        #expect(error?.code == .unavailable)
        release.wake()
        registration.cancel()
    }

    @Test("events reach every subscriber in order")
    func events() async throws {
        let heard = [NumberLog(), NumberLog()]
        let server = BusServer(bus, topic: "compute", host: "controller")
        for list in heard { server.hear(Changed.self) { list.append($0.number) } }
        let bus = bus
        try await withServices([server]) {
            // The server subscribes when it runs: publish until the first is heard.
            try await eventually {
                try await bus.publish(Changed(number: 0))
                return heard.allSatisfy { !$0.all.isEmpty }
            }
            for number in 1...500 { try await bus.publish(Changed(number: number)) }
            try await eventually { heard.allSatisfy { $0.all.last == 500 } }
        }
        for list in heard { #expect(list.all.filter { $0 > 0 } == Array(1...500)) }
    }
}

/// A list that several tasks append to.
final class NumberLog: Sendable {
    private let numbers = Mutex<[Int]>([])
    func append(_ number: Int) { numbers.withLock { $0.append(number) } }
    var all: [Int] { numbers.withLock { $0 } }
}

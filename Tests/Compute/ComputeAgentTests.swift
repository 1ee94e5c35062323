// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import MessagingKit
import Synchronization
import TestKit
import Testing

@testable import ComputeAgent

/// Goal: the agent does what the controller asks, in order, and says what happens on its host.
/// Method: the fake hypervisor behind the agent, the in-process bus before it.
@Suite("Compute agent")
struct ComputeAgentTests {
    private let driver = FakeHypervisor()

    @Test("builds, changes and destroys a guest, and answers with the state it reached")
    func life() async throws {
        try await withAgent { bus in
            let guest = SampleGuest.make()
            let server = guest.serverID
            func power(_ kind: PowerAction.Kind) async throws -> PowerState? {
                try await bus.call(
                    "fake-host", PowerAction(server: server, kind: kind, graceSeconds: 0), timeout: .seconds(5)
                )
                .powerState
            }
            #expect(
                try await bus.call("fake-host", BuildGuest(guest: guest), timeout: .seconds(5)).powerState == .running)
            #expect(try await power(.stop) == .shutdown)
            #expect(try await power(.start) == .running)
            #expect(try await power(.pause) == .paused)
            #expect(try await power(.unpause) == .running)
            #expect(try await power(.suspend) == .suspended)
            #expect(try await power(.resume) == .running)
            #expect(try await power(.softReboot) == .running)
            #expect(try await power(.hardReboot) == .running)
            let output = try await bus.call("fake-host", ConsoleOutput(server: server, lines: 1), timeout: .seconds(5))
            #expect(output.output == "login: ")
            _ = try await bus.call("fake-host", ConsoleEndpointQuery(server: server, kind: .vnc), timeout: .seconds(5))
            #expect(
                try await bus.call("fake-host", DestroyGuest(server: server), timeout: .seconds(5)).powerState == nil)
            #expect(driver.inventory.isEmpty)
        }
    }

    @Test("a failure reaches the controller as it was")
    func failure() async throws {
        try await withAgent { bus in
            let action = PowerAction(server: IDSource.random.next(), kind: .start)
            await #expect {
                try await bus.call("fake-host", action, timeout: .seconds(5))
            } throws: {
                ($0 as? CloudError)?.code == .notFound
            }
        }
    }

    @Test("one server's changes never overlap; another server's do")
    func order() async throws {
        try await withAgent { bus in
            let (first, second) = (SampleGuest.make(), SampleGuest.make())
            let running = Mutex<[ServerID: Int]>([:])
            let overlapped = Mutex(false)
            for guest in [first, second] {
                _ = try await bus.call("fake-host", BuildGuest(guest: guest), timeout: .seconds(5))
            }
            driver.setGate { operation, server in
                guard let server, operation == "reboot" else { return }
                let count = running.withLock { counts in
                    counts[server, default: 0] += 1
                    return counts[server] ?? 0
                }
                if count > 1 { overlapped.withLock { $0 = true } }
                try await Task.sleep(for: .milliseconds(5))
                running.withLock { $0[server, default: 1] -= 1 }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<10 {
                    for server in [first.serverID, second.serverID] {
                        group.addTask {
                            let action = PowerAction(server: server, kind: .hardReboot)
                            _ = try await bus.call("fake-host", action, timeout: .seconds(20))
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(!overlapped.withLock { $0 })
        }
    }

    @Test("reports the host at the start, and what guests do by themselves")
    func reports() async throws {
        let guest = SampleGuest.make()
        try await driver.spawn(guest)
        let tasks = BackgroundTasks()
        let bus = InProcessBus(tasks: tasks)
        let reports = Mutex<[HostReport]>([])
        let events = Mutex<[GuestEvent]>([])
        let controller = BusServer(bus, topic: "compute", host: "controller")
        controller.hear(HostReport.self) { report in reports.withLock { $0.append(report) } }
        controller.hear(GuestEvent.self) { event in events.withLock { $0.append(event) } }
        let registrations = try await controller.register()
        let agent = ComputeAgent(host: "fake-host", bus: bus, driver: driver, reportInterval: .milliseconds(20))
        try await withServices([agent]) { [driver] in
            try await eventually("two reports") { reports.withLock { $0.count >= 2 } }
            driver.guestChanged(guest.serverID, to: .shutdown)
            try await eventually("the event") { events.withLock { !$0.isEmpty } }
        }
        let report = try #require(reports.withLock { $0.first })
        #expect(report.host == "fake-host")
        #expect(report.guests == [.init(server: guest.serverID, powerState: .running)])
        #expect(report.diskOwners == [guest.serverID])
        #expect(report.bootedAt != nil)
        #expect(events.withLock { $0.first?.powerState } == .shutdown)
        for registration in registrations { registration.cancel() }
        await tasks.drain()
    }

    @Test("console text holds no control characters")
    func consoleText() {
        #expect(ConsoleText.printable([0x41, 0, 0x1B, 0x0A, 0xFF, 0x42]) == "A\n\u{FFFD}B")
    }

    private func withAgent(_ body: @escaping @Sendable (InProcessBus) async throws -> Void) async throws {
        let tasks = BackgroundTasks()
        let bus = InProcessBus(tasks: tasks)
        let agent = ComputeAgent(host: "fake-host", bus: bus, driver: driver, reportInterval: .seconds(3600))
        let isServing = Mutex(false)
        let registration = try await bus.subscribe(event: HostReport.name.description) { _ in
            isServing.withLock { $0 = true }
        }
        try await withServices([agent]) {
            // The first report follows the registration.
            try await eventually("the agent") { isServing.withLock { $0 } }
            try await body(bus)
        }
        registration.cancel()
        await tasks.drain()
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import Testing

/// What every hypervisor driver promises, as checks that run on the fake and on the real ones alike.
struct HypervisorDriverConformance {
    let driver: any HypervisorDriver
    /// A guest that can be built here; each call gives another one.
    let makeGuest: @Sendable () -> GuestSpecification

    private static let grace = Duration.milliseconds(300)

    /// A guest appears with its files, is replaced by a second build, and leaves nothing.
    func birthAndDeath() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        let before = try await inventory()
        #expect(try await driver.powerState(server) == nil)

        for _ in 1...2 {
            try await driver.spawn(guest)
            #expect(try await driver.powerState(server) == .running)
            #expect(try await driver.guests()[server] == .running)
            #expect(try await driver.diskOwners().filter { $0 == server } == [server])
        }
        for _ in 1...2 {
            try await driver.destroy(server)
            #expect(try await driver.powerState(server) == nil)
            #expect(try await inventory() == before)
        }
    }

    /// Every power call reaches its state, from every state that it is allowed in, and may be repeated.
    func powerWalk() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        let walk: [(String, PowerState, @Sendable () async throws -> Void)] = [
            ("stop", .shutdown, { try await driver.stop(server, grace: Self.grace) }),
            ("start", .running, { try await driver.start(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("unpause", .running, { try await driver.unpause(server) }),
            ("suspend", .suspended, { try await driver.suspend(server) }),
            ("resume", .running, { try await driver.resume(server) }),
            ("hard reboot", .running, { try await driver.reboot(server, .hard) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("start from paused", .running, { try await driver.start(server) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("suspend from paused", .suspended, { try await driver.suspend(server) }),
            ("stop from suspended", .shutdown, { try await driver.stop(server, grace: .zero) }),
            ("reboot from off", .running, { try await driver.reboot(server, .hard) }),
            ("pause", .paused, { try await driver.pause(server) }),
            ("stop from paused", .shutdown, { try await driver.stop(server, grace: Self.grace) }),
        ]
        for (name, expected, step) in walk {
            for attempt in 1...2 {
                try await step()
                #expect(try await driver.powerState(server) == expected, "\(name), attempt \(attempt)")
                #expect(try await driver.guests()[server] == expected, "\(name), attempt \(attempt)")
            }
        }
        try await driver.destroy(server)
    }

    /// What needs a running guest refuses one that is off, and says so.
    func refusals() async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        try await driver.stop(server, grace: .zero)
        await expectCode(.conflict) { try await driver.pause(server) }
        await expectCode(.conflict) { try await driver.unpause(server) }
        await expectCode(.conflict) { try await driver.suspend(server) }
        #expect(try await driver.powerState(server) == .shutdown)
        try await driver.destroy(server)
    }

    /// Calls for a guest that is not there say so; `destroy` does not mind.
    func unknownGuest() async throws {
        let server = makeGuest().serverID
        #expect(try await driver.powerState(server) == nil)
        try await driver.destroy(server)
        await expectCode(.notFound) { try await driver.start(server) }
        await expectCode(.notFound) { try await driver.stop(server, grace: .zero) }
        await expectCode(.notFound) { try await driver.reboot(server, .hard) }
        await expectCode(.notFound) { try await driver.pause(server) }
        await expectCode(.notFound) { try await driver.suspend(server) }
        await expectCode(.notFound) { try await driver.resume(server) }
        await expectCode(.notFound) { _ = try await driver.consoleOutput(server, lines: nil) }
        await expectCode(.notFound) { _ = try await driver.console(server, .vnc) }
    }

    /// A running guest has both consoles, and its log can be read from the end.
    func consoles(loggedLine: String) async throws {
        let guest = makeGuest()
        let server = guest.serverID
        try await driver.spawn(guest)
        _ = try await driver.console(server, .vnc)
        _ = try await driver.console(server, .serial)
        try await poll {
            String(decoding: try await driver.consoleOutput(server, lines: nil), as: UTF8.self).contains(loggedLine)
        }
        let last = try await driver.consoleOutput(server, lines: 1)
        #expect(last.dropLast().contains(UInt8(ascii: "\n")) == false)
        #expect(try await driver.consoleOutput(server, lines: 0) == [])
        try await driver.destroy(server)
    }

    /// The host says enough for placement.
    func host() async throws {
        let info = try await driver.info()
        #expect(!info.hostname.isEmpty && info.vcpus > 0 && info.memoryMiB > 0 && info.diskGiB > 0)
        #expect(try JSONReader.read(info.cpuInfo)["topology"] != nil)
    }

    // MARK: Private

    private func inventory() async throws -> [String] {
        try await driver.guests().keys.map(\.rawValue).sorted() + driver.diskOwners().map(\.rawValue).sorted()
    }

    private func expectCode(
        _ code: CloudError.Code, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("no error, expected \(code)", sourceLocation: sourceLocation)
        } catch {
            #expect((error as? CloudError)?.code == code, "\(error)", sourceLocation: sourceLocation)
        }
    }

    private func poll(_ condition: @Sendable () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("the condition did not come true")
    }
}

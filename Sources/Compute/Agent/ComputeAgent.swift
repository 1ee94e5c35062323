// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LifecycleKit
import LogKit
import MessagingKit

/// The part of Compute that runs beside a hypervisor: does what the controller asks of this host, and says what the
/// host is and has. It keeps nothing: the truth is the controller's database and the hypervisor itself.
package struct ComputeAgent: Service {
    package let name = "compute agent"

    private let host: String
    private let bus: any MessageBus
    private let driver: any HypervisorDriver
    private let clock: WallClock
    private let reportInterval: Duration
    private let server: BusServer
    private let log = Logger("compute-agent")

    /// `host` is this host's name in placement and scheduler.
    package init(
        host: String, bus: any MessageBus, driver: any HypervisorDriver, clock: WallClock = .system,
        reportInterval: Duration = HostReport.interval
    ) {
        self.host = host
        self.bus = bus
        self.driver = driver
        self.clock = clock
        self.reportInterval = reportInterval
        server = BusServer(bus, topic: "compute", host: host)
        ServerAgent(driver: driver).register(on: server)
    }

    /// Serves first, reports then: a host that is known is a host that answers.
    package func run() async throws {
        let registrations = try await server.register()
        defer {
            for registration in registrations { registration.cancel() }
        }
        await withDiscardingTaskGroup { group in
            group.addTask { await self.forwardEvents() }
            group.addTask { await self.reportPeriodically() }
        }
    }

    /// Says once what the host is and has.
    package func report() async throws {
        let takenAt = clock.now()
        var hypervisor = try await driver.info()
        hypervisor.loadAverage = try HostUptime.loadAverage()
        let guests = try await driver.guests()
        let report = HostReport(
            host: host, hypervisor: hypervisor,
            guests: guests.sorted { $0.key < $1.key }.map { .init(server: $0.key, powerState: $0.value) },
            diskOwners: try await driver.diskOwners(), takenAt: takenAt, bootedAt: try HostUptime.bootedAt())
        try await bus.publish(report)
    }

    private func reportPeriodically() async {
        var isHealthy = true
        while !Task.isCancelled {
            do {
                try await report()
                if !isHealthy { log.info("host reports again", ["host": host]) }
                isHealthy = true
            } catch is CancellationError {
                return
            } catch {
                // Silence is the report: a host whose hypervisor does not answer counts as down.
                if isHealthy { log.error("host cannot report", ["host": host, "error": "\(error)"]) }
                isHealthy = false
            }
            do { try await Task.sleep(for: reportInterval) } catch { return }
        }
    }

    private func forwardEvents() async {
        for await (server, power) in driver.events() {
            log.info("guest changed by itself", ["server": server, "state": "\(power)"])
            do {
                try await bus.publish(GuestEvent(host: host, server: server, powerState: power, at: clock.now()))
            } catch {
                log.warning("guest event lost", ["server": server, "error": "\(error)"])
            }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit
import LogKit
import MessagingKit

/// The part of Block Storage that runs beside the storage: does what the controller asks of its backends, and says what
/// they are and have. It keeps nothing: the truth is the controller's database and the storage itself.
package struct VolumeAgent: Service {
    package let name = "volume agent"

    private static let firstRetry = Duration.seconds(1)
    private static let lastRetry = Duration.seconds(60)

    private let bus: any MessageBus
    private let backends: [ServedBackend]
    private let reportInterval: Duration
    private let log = Logger("volume-agent")

    /// Traps when two backends have one address.
    package init(
        bus: any MessageBus, backends: [ServedBackend], reportInterval: Duration = VolumeBackendReport.interval
    ) {
        precondition(Set(backends.map(\.address)).count == backends.count, "two backends have one address")
        self.bus = bus
        self.backends = backends
        self.reportInterval = reportInterval
    }

    package func run() async throws {
        await withDiscardingTaskGroup { group in
            for backend in backends { group.addTask { await serve(backend) } }
        }
    }

    /// A backend that cannot start is no reason for the others to stop: it is tried again, and until then it counts as
    /// down, because it does not report.
    private func serve(_ backend: ServedBackend) async {
        guard await start(backend) else { return }
        let server = BusServer(bus, topic: "volume", host: backend.address)
        let worker = VolumeWorker(backend: backend)
        server.handle(VolumeCommand.self, worker.perform)
        do {
            let registrations = try await server.register()
            defer {
                for registration in registrations { registration.cancel() }
            }
            await reportPeriodically(backend)
        } catch {
            log.error("backend cannot be served", ["backend": backend.address, "error": "\(error)"])
        }
    }

    /// False: the agent was stopped meanwhile.
    private func start(_ backend: ServedBackend) async -> Bool {
        var delay = Self.firstRetry
        while !Task.isCancelled {
            do {
                try await backend.driver.start()
                log.info("backend started", ["backend": backend.address])
                return true
            } catch {
                log.error("backend cannot start", ["backend": backend.address, "error": "\(error)"])
            }
            do { try await Task.sleep(for: delay) } catch { return false }
            delay = min(delay * 2, Self.lastRetry)
        }
        return false
    }

    private func reportPeriodically(_ backend: ServedBackend) async {
        var isHealthy = true
        while !Task.isCancelled {
            do {
                let report = VolumeBackendReport(
                    address: backend.address, pool: try await backend.driver.pool(),
                    movesOnSnapshot: backend.driver.movesOnSnapshot)
                try await bus.publish(report)
                if !isHealthy { log.info("backend reports again", ["backend": backend.address]) }
                isHealthy = true
            } catch is CancellationError {
                return
            } catch {
                // Silence is the report: a backend whose storage does not answer counts as down.
                if isHealthy { log.error("backend cannot report", ["backend": backend.address, "error": "\(error)"]) }
                isHealthy = false
            }
            do { try await Task.sleep(for: reportInterval) } catch { return }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import Synchronization

/// Runs the services of a process until one fails or the process is told to stop.
package enum ServiceGroup {
    private enum Event: Sendable {
        case ended(Int, (any Error)?)
        case stop(String)
    }

    /// Starts all services in order. Returns after SIGTERM, SIGINT or the cancellation of this task; throws when a
    /// service failed or ended by itself. Stops them one by one in reverse order, so that a service may rely on those
    /// before it until its own end. All together have `stopLimit`; after it the rest is named and left.
    package static func run(
        _ services: [any Service], stopLimit: Duration = .seconds(30), handlesSignals: Bool = true
    ) async throws {
        let log = Logger("lifecycle")
        let (events, sink) = AsyncStream.makeStream(of: Event.self)
        if handlesSignals {
            StopSignals.install { sink.yield(.stop("signal \($0)")) }
        }
        let tasks = services.indices.map { index in
            Task {
                do {
                    try await services[index].run()
                    sink.yield(.ended(index, nil))
                } catch {
                    sink.yield(.ended(index, error))
                }
            }
        }
        let failure = await withTaskCancellationHandler {
            await firstEnd(events, services, log)
        } onCancel: {
            sink.yield(.stop("cancelled"))
        }
        let stopping = Task { await stop(tasks, services, log) }
        let isStopped = await finishes(stopping, within: stopLimit)
        sink.finish()
        if !isStopped { log.error("stop took too long", ["limit": "\(stopLimit)"]) }
        if let failure { throw failure }
        if !isStopped { throw CloudError(.unavailable, "Not every service stopped in time.") }
    }

    private static func firstEnd(
        _ events: AsyncStream<Event>, _ services: [any Service], _ log: Logger
    ) async -> (any Error)? {
        // The stream must outlive the cancellation of this task, so it is read in one that nobody cancels.
        await shielded {
            for await event in events {
                switch event {
                case .stop(let reason):
                    log.info("stopping", ["reason": reason])
                    return nil
                case .ended(let index, let error):
                    let name = services[index].name
                    log.error("service ended", ["service": name, "error": error.map { "\($0)" } ?? "none"])
                    return error ?? CloudError(.bug, "The service \(name) ended by itself.")
                }
            }
            return nil
        }
    }

    private static func stop(_ tasks: [Task<Void, Never>], _ services: [any Service], _ log: Logger) async {
        for (task, service) in zip(tasks, services).reversed() {
            task.cancel()
            await task.value
            log.debug("service stopped", ["service": service.name])
        }
    }

    private static func finishes(_ task: Task<Void, Never>, within limit: Duration) async -> Bool {
        await shielded {
            let end = Signal()
            _ = Task {
                await task.value
                end.wake()
            }
            return await end.wait(atMost: limit)
        }
    }
}

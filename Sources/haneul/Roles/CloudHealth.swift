// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import DatabaseKit
import LifecycleKit
import Synchronization

/// How every part of the cloud is. Asked by anybody, so each part is asked once a second at most; and a part that does
/// not answer is said to be so, whatever it hangs in.
final class CloudHealth: Sendable {
    private typealias Check = (name: String, ask: @Sendable () async throws -> String)

    private struct Knowledge {
        /// Nil: nobody is asking.
        var askedAt: ContinuousClock.Instant?
        var health: RootAPI.PartHealth?
        var knownAt: ContinuousClock.Instant?
    }

    /// The one part that may be on another machine.
    static let backupStore = "backup store"

    private static let limit = Duration.seconds(3)
    private static let freshness = Duration.seconds(1)

    private let checks: [Check]
    private let tasks: BackgroundTasks
    private let knowledge: Mutex<[Knowledge]>

    init(
        cloud: Cloud, database: any Database, host: AllInOneHost, hypervisor: any HypervisorDriver,
        tasks: BackgroundTasks
    ) {
        checks = Self.checks(cloud, database, host, hypervisor)
        self.tasks = tasks
        knowledge = Mutex(Array(repeating: Knowledge(), count: checks.count))
    }

    func parts() async -> [RootAPI.PartHealth] {
        let end = ContinuousClock.now + Self.limit
        for index in checks.indices { ask(index) }
        while knowledge.withLock({ $0.contains { $0.askedAt != nil } }), ContinuousClock.now < end {
            do { try await Task.sleep(for: .milliseconds(2)) } catch { break }
        }
        return knowledge.withLock { knowledge in
            checks.indices.map { index in
                let known = knowledge[index]
                if known.askedAt == nil, let health = known.health { return health }
                return .init(name: checks[index].name, isHealthy: false, detail: "does not answer")
            }
        }
    }

    /// Begins to ask one part, unless somebody does or has just done so.
    private func ask(_ index: Int) {
        let now = ContinuousClock.now
        let isDue = knowledge.withLock { knowledge in
            guard knowledge[index].askedAt == nil, knowledge[index].knownAt.map({ $0 + Self.freshness < now }) ?? true
            else { return false }
            knowledge[index].askedAt = now
            return true
        }
        guard isDue else { return }
        let check = checks[index]
        let isStarted = tasks.spawn("health") { [self] in
            let health: RootAPI.PartHealth
            do {
                health = .init(name: check.name, isHealthy: true, detail: try await check.ask())
            } catch {
                health = .init(name: check.name, isHealthy: false, detail: CloudError(describing: error).message)
            }
            // What is wrong is asked again at once: it may just have begun to work.
            let knownAt = health.isHealthy ? ContinuousClock.now : nil
            knowledge.withLock { $0[index] = Knowledge(askedAt: nil, health: health, knownAt: knownAt) }
        }
        if !isStarted { knowledge.withLock { $0[index].askedAt = nil } }
    }

    private static func checks(
        _ cloud: Cloud, _ database: any Database, _ host: AllInOneHost, _ hypervisor: any HypervisorDriver
    ) -> [Check] {
        [
            (
                "database",
                {
                    try await database.read { _ = try $0.count("SELECT 1") }
                    return database.dialect.rawValue
                }
            ),
            (
                "network",
                {
                    let chassis = try await host.network.chassis()
                    guard chassis.contains(where: \.isAlive) else {
                        throw CloudError(.unavailable, "no host of the data plane is alive")
                    }
                    let datapath = host.usesUserspaceDatapath ? "userspace datapath" : "kernel datapath"
                    return (host.isFake ? "fake" : "OVN, \(datapath)") + ", \(chassis.count) host(s)"
                }
            ),
            (
                "hypervisor",
                {
                    let info = try await hypervisor.info()
                    return "\(info.type) (\(info.virtualizationType)), \(info.vcpus) CPUs, \(info.memoryMiB) MiB, "
                        + "\(try await hypervisor.guests().count) guest(s)"
                }
            ),
            (
                "compute hosts",
                {
                    let hosts = try await cloud.hosts.hosts()
                    let up = hosts.count { cloud.hosts.isUp($0) }
                    guard up > 0 else { throw CloudError(.unavailable, "no compute host reports") }
                    return "\(up) of \(hosts.count) up"
                }
            ),
            (
                "object store",
                {
                    let state = try await cloud.objects.parts.state.state()
                    // Replicas that are away cost nobody anything yet; the line tells of them.
                    guard state.isServing else { throw CloudError(.unavailable, state.summary) }
                    return state.summary
                }
            ),
            (backupStore, { try cloud.backups.report() }),
        ]
    }
}

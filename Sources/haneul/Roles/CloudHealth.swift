// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import DatabaseKit
import LifecycleKit

/// Asks every part how it is, each within a short time.
struct CloudHealth: Sendable {
    private static let limit = Duration.seconds(3)

    let cloud: Cloud
    let database: any Database
    let host: AllInOneHost
    let hypervisor: any HypervisorDriver

    func parts() async -> [RootAPI.PartHealth] {
        await withTaskGroup(of: (Int, RootAPI.PartHealth).self) { group in
            let checks: [(String, @Sendable () async throws -> String)] = [
                (
                    "database",
                    {
                        try await database.read { _ = try $0.count("SELECT 1") }
                        return "SQLite"
                    }
                ),
                (
                    "network",
                    {
                        let chassis = try await host.network.chassis()
                        guard chassis.contains(where: \.isAlive) else {
                            throw CloudError(.unavailable, "no host of the data plane is alive")
                        }
                        return
                            (host.isFake
                            ? "fake"
                            : "OVN, " + (host.usesUserspaceDatapath ? "userspace datapath" : "kernel datapath"))
                            + ", \(chassis.count) host(s)"
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
            ]
            for (index, (name, check)) in checks.enumerated() {
                group.addTask {
                    do {
                        let detail = try await withTimeout(Self.limit, name) { try await check() }
                        return (index, .init(name: name, isHealthy: true, detail: detail))
                    } catch {
                        return (
                            index, .init(name: name, isHealthy: false, detail: CloudError(describing: error).message)
                        )
                    }
                }
            }
            var results: [(Int, RootAPI.PartHealth)] = []
            for await result in group { results.append(result) }
            return results.sorted { $0.0 < $1.0 }.map(\.1)
        }
    }
}

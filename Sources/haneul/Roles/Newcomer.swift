// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeCore
import IdentityCore
import NetworkCore

/// What the controller makes for a newcomer by itself. Image and key pair come through the API; see `Welcome`.
struct Newcomer: Sendable {
    let cloud: Cloud
    let credentials: SandboxState.Credentials

    /// Accounts, catalog and flavors: needed before the first request. Each is found before it is made.
    func accounts() async throws -> (admin: ProjectID, demo: ProjectID) {
        let identity = IdentityBootstrap(cloud.identity)
        let admin = try await identity.run(adminPassword: credentials.admin)
        let demo = try await identity.ensureAccount("demo", password: credentials.demo)
        try await FlavorEngine(cloud.compute).bootstrap()
        return (admin, demo)
    }

    func networks(admin: ProjectID, demo: ProjectID) async throws {
        let bootstrap = NetworkBootstrap(cloud.network)
        let external = try await bootstrap.ensureExternal(owner: admin)
        _ = try await bootstrap.ensurePrivate(project: demo, external: external)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageCore
import ComputeCore
import IdentityCore
import NetworkCore

/// What the controller makes for a newcomer by itself. Image and key pair come through the API; see `Welcome`.
struct Newcomer: Sendable {
    let cloud: Cloud
    let credentials: SandboxState.Credentials

    /// What no cloud is without, at every start: the administrator, roles, catalog, flavors. Each is found before it is
    /// made.
    func foundation() async throws -> ProjectID {
        let admin = try await IdentityBootstrap(cloud.identity).run(adminPassword: credentials.admin)
        try await FlavorEngine(cloud.compute).bootstrap()
        try await VolumeTypeEngine(cloud.volumes).bootstrap()
        try await GroupTypeEngine(cloud.volumes).bootstrap()
        return admin
    }

    /// The demo account and its networks, once: what the owner removes stays away.
    func welcome(admin: ProjectID) async throws {
        let demo = try await IdentityBootstrap(cloud.identity).ensureAccount("demo", password: credentials.demo)
        let bootstrap = NetworkBootstrap(cloud.network)
        let external = try await bootstrap.ensureExternal(owner: admin)
        _ = try await bootstrap.ensurePrivate(project: demo, external: external)
    }
}

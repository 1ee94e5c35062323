// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityCore

enum IdentityBootstrapRepeat {
    /// What a second start does, with another password that must not count, and twice the same account.
    static func run(_ world: IdentityWorld) async throws {
        let bootstrap = IdentityBootstrap(world.engine)
        try await bootstrap.run(adminPassword: Secret("another"))
        _ = try await bootstrap.ensureAccount("demo", password: Secret("demo"))
        _ = try await bootstrap.ensureAccount("demo", password: Secret("demo"))
    }
}

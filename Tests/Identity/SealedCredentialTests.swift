// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import HTTPKit
import IdentityCore
import SecurityKit
import Testing

/// Goal: a copy of the database alone gives away no seed and no secret.
/// Method: what a credential holds is looked for in its row, and read back through the API.
@Suite("Sealed credentials")
struct SealedCredentialTests {
    private static let seed = "JBSWY3DPEHPK3PXP"

    private struct StoredBlob: Sendable, Equatable {
        var blob: String
        var isSealed: Bool
    }

    private static func stored(_ id: String, in world: IdentityWorld) async throws -> StoredBlob? {
        try await world.database.read { tx in
            try tx.first("SELECT blob, is_sealed FROM identity_credentials WHERE id = \(id)") { row in
                StoredBlob(blob: row.text(0), isSealed: row.bool(1))
            }
        }
    }

    private static func make(_ blob: String, for user: String, in world: IdentityWorld) async throws -> String {
        try await world.make(
            "credentials", "credential", ["type": "totp", "blob": .string(blob), "user_id": .string(user)])
    }

    @Test("a seed is in no row, before and after a change, and is read back whole")
    func seeds() async throws {
        let world = try await IdentityWorld()
        let id = try await Self.make(Self.seed, for: try await world.makeUser("ann"), in: world)
        let first = try #require(try await Self.stored(id, in: world))
        #expect(first.isSealed && !first.blob.contains(Self.seed))
        let shown = try await world.call(.get, "/v3/credentials/\(id)", world.admin, expecting: 200)
        #expect(shown["credential", "blob"]?.string == Self.seed)

        let other = "GEZDGNBVGY3TQOJQ"
        try await world.call(
            .patch, "/v3/credentials/\(id)", world.admin, ["credential": ["blob": .string(other)]], expecting: 200)
        let second = try #require(try await Self.stored(id, in: world))
        #expect(second.isSealed && !second.blob.contains(other) && second.blob != first.blob)
        let listed = try await world.call(.get, "/v3/credentials?type=totp", world.admin, expecting: 200)
        #expect(listed["credentials"]?.strings("blob") == [other])
    }

    @Test("an access key's secret is in no row, and the key is found")
    func accessKeys() async throws {
        let world = try await IdentityWorld()
        let project = try await world.makeProject("work")
        let token = try await world.persona("eve", role: "manager", on: "projects/\(project)")
        let user = try #require(
            try await world.call(.get, "/v3/users?name=eve", world.admin)["users", "0", "id"]?.string)
        let made = try await world.call(
            .post, "/v3/users/\(user)/credentials/OS-EC2", token, ["tenant_id": .string(project)],
            expecting: 201)
        let access = try #require(made["credential", "access"]?.string)
        let secret = try #require(made["credential", "secret"]?.string)
        let row = try #require(
            try await Self.stored(EC2Credential.id(accessKey: access).rawValue, in: world))
        #expect(row.isSealed && !row.blob.contains(secret) && !row.blob.contains(access))
        #expect(try await world.engine.ec2Secret(accessKey: access)?.secret.reveal() == secret)
    }

    @Test("a row of before is readable, and is sealed by the keeper")
    func plainRows() async throws {
        let world = try await IdentityWorld()
        let user = try await world.makeUser("ann")
        let id = try await Self.make(Self.seed, for: user, in: world)
        try await world.database.write { tx in
            try tx.execute(
                "UPDATE identity_credentials SET blob = \(Self.seed), is_sealed = 0 WHERE id = \(id)")
        }
        for isSealed in [false, true] {
            #expect(try await Self.stored(id, in: world)?.isSealed == isSealed)
            let shown = try await world.call(.get, "/v3/credentials/\(id)", world.admin, expecting: 200)
            #expect(shown["credential", "blob"]?.string == Self.seed)
            try await world.engine.keeper.pass()
        }
        #expect(try await Self.stored(id, in: world)?.blob.contains(Self.seed) == false)
    }

    @Test("keys turn over: the old ones still open, and without them nothing is given out")
    func keys() async throws {
        let world = try await IdentityWorld()
        let (old, new) = (FernetKey(), FernetKey())
        func engine(_ keys: [FernetKey]) -> IdentityEngine {
            IdentityEngine(database: world.database, credentialKeys: keys, clock: world.clock.clock, ids: .random)
        }
        let user = try await world.makeUser("ann")
        let id = try await Self.make(Self.seed, for: user, in: world)
        try await world.database.write { tx in
            try tx.execute(
                "UPDATE identity_credentials SET blob = \(Self.seed), is_sealed = 0 WHERE id = \(id)")
        }
        try await engine([old]).keeper.pass()
        let row = try #require(try await Self.stored(id, in: world))
        #expect(Fernet(keys: [new, old]).open(row.blob)?.payload == [UInt8](Self.seed.utf8))
        #expect(Fernet(keys: [new]).open(row.blob) == nil)
        try await world.call(.get, "/v3/credentials/\(id)", world.admin, expecting: 500)
    }
}

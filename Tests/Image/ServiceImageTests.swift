// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import ImageCore
import TestKit
import Testing

/// Goal: services find the images that they made for a project, and take back those alone.
/// Method: calls of the contract, by a project and by another.
@Suite("Images that services make")
struct ServiceImageTests {
    @Test("are found by their properties, newest first, and removed whatever they hold")
    func byProperties() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let images = InProcessImages(world.engine, enforcer: world.enforcer)
            let (owner, stranger) = (try ImageWorld.principal("member@one"), try ImageWorld.principal("member@two"))
            var made: [ImageID] = []
            for number in 1...3 {
                let draft = ImageUploadDraft(
                    name: "backup-\(number)", visibility: "private",
                    properties: ["image_type": "backup", "backup_type": number == 3 ? "weekly" : "daily"])
                made.append(try await images.ensureImage(IDSource.random.next(), draft, for: owner).id)
                world.clock.advance(by: .seconds(1))
            }
            let backups = ["image_type": "backup"]
            #expect(try await images.images(withProperties: backups, for: owner) == made.reversed())
            let daily = ["image_type": "backup", "backup_type": "daily"]
            #expect(try await images.images(withProperties: daily, for: owner) == [made[1], made[0]])
            #expect(try await images.images(withProperties: backups, for: stranger) == [])
            try await images.remove(made[0], for: stranger)
            for _ in 1...2 { try await images.remove(made[1], for: owner) }
            #expect(try await images.images(withProperties: backups, for: owner) == [made[2], made[0]])
        }
    }

    @Test("an upload waits for another one, but not for ever")
    func uploadLimit() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await ImageWorld(directory: directory)
            let images = InProcessImages(world.engine, enforcer: world.enforcer)
            let owner = try ImageWorld.principal("member@one")
            let draft = ImageUploadDraft(name: "image", visibility: "private", properties: [:])
            let id = try await images.ensureImage(IDSource.random.next(), draft, for: owner).id
            try await world.database.write { tx in
                try tx.execute(
                    """
                    UPDATE images SET status = 'saving', blob_name = 'x', upload_seen_at = \(world.clock.clock.now())
                     WHERE id = \(id)
                    """)
            }
            let error = await #expect(throws: CloudError.self) {
                try await images.upload(id, from: "/dev/null", limit: .zero, for: owner)
            }
            #expect(error?.code == .unavailable)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageCore
import TaskKit
import Testing

/// Goal: no run is undone while one of its steps still waits as long as an option allows.
/// Method: every option at its largest; the sum of the waits of each saga's steps, counted by hand.
@Suite("Deadlines of Block Storage's sagas")
struct VolumeSagaDeadlineTests {
    @Test("every saga's deadline is later than all that its steps may wait for")
    func largest() async throws {
        let (command, copy) = (Duration.seconds(3600), Duration.seconds(7 * 86_400))
        let world = try await BlockStorageWorld { config in
            config.commandTimeout = command
            config.copyTimeout = copy
        }
        // Whoever wants a volume's lock may wait for another's copy first.
        let waits: [String: Duration] = [
            "volume.create": copy + copy,
            // What is copied from it, the lock, one snapshot, the volume.
            "volume.delete": copy * 2 + command * 2,
            "volume.extend": copy + copy,
            "volume.rewrite": copy + copy,
            // The making of the snapshot, the copy, the lock again, the snapshot's end.
            "volume.upload": copy + command + copy + copy + copy,
            "volume-backup.create": copy + command + copy + copy + copy,
            "volume-backup.restore": copy + copy,
            "volume-backup.delete": .zero,
            // Out of the old place, the new one, into it, the old one's end.
            "volume.migrate": copy + copy * 3 + command,
            // Twice the lock, the new place, its exports, the old one's end.
            "volume.migrate-attached": copy * 2 + copy + command * 5,
            "volume-snapshot.create": copy + command,
            "volume-snapshot.delete": copy * 2 + copy,
            "volume-group.create": copy + copy,
            "volume-group.delete": copy * 2 + command * 2,
            "volume-group-snapshot.create": copy + command,
            "volume-group-snapshot.delete": copy * 2 + copy,
        ]
        #expect(world.registry.names == waits.keys.sorted())
        for (saga, wait) in waits {
            let deadline = try #require(world.registry.deadline(of: saga))
            #expect(deadline > wait, "\(saga)")
        }
    }
}

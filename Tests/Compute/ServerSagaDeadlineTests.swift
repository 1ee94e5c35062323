// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeCore
import TaskKit
import Testing

/// Goal: no run is undone while one of its steps still waits as long as an option allows.
/// Method: every option at its largest; the sum of the waits of each saga's steps, counted by hand.
@Suite("Deadlines of Compute's sagas")
struct ServerSagaDeadlineTests {
    @Test("every saga's deadline is later than all that its steps may wait for")
    func largest() async throws {
        let (hour, day) = (Duration.seconds(3600), Duration.seconds(86_400))
        let world = try await ComputeWorld { config in
            config.buildTimeout = day
            config.portUpTimeout = hour
            config.powerTimeout = hour
            config.volumeTimeout = day
            config.imageTimeout = day
            config.detachTimeout = hour
            config.shutdownGrace = hour
            config.resizeTimeout = day
        }
        let waits: [String: Duration] = [
            // Volumes, guest, ports.
            "server.create": day + day + hour,
            // Six times the guest, and what a move left of it.
            "server.delete": hour * 12,
            "server.power": hour + hour,
            "server.attach-volume": hour,
            // Six times.
            "server.detach-volume": hour * 6,
            "server.attach-interface": hour,
            "server.detach-interface": hour,
            // The copy, and its removal.
            "server.create-image": day + hour,
            "server.create-volume-image": .zero,
            // Removal, volume, guest, ports.
            "server.rebuild": hour + day + day + hour,
            "server.rescue": day + hour,
            "server.unrescue": hour,
            // Stop with grace, copy, removal of the copy, removal of the guest.
            "server.shelve": hour + hour + day + hour + hour,
            "server.unshelve": day + hour,
            // End of a rescue, stop with grace.
            "server.soft-delete": hour + hour + hour,
            // Stop with grace, guest, ports.
            "server.resize": hour + hour + day + hour,
            "server.confirm-resize": hour,
            // Removal there, return here, start.
            "server.revert-resize": hour * 3,
            "server.evacuate": day + hour,
        ]
        #expect(world.registry.names == waits.keys.sorted())
        for (saga, wait) in waits {
            let deadline = try #require(world.registry.deadline(of: saga))
            #expect(deadline > wait, "\(saga)")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import NetworkContract
import TaskKit

/// Where a server that moves is, and its guest there.
extension ServerMove {
    // MARK: Where it is

    /// Row, ports and volumes are the host's from now on. `isUndo`: also those of a row that nobody holds, after an
    /// administrator's `os-resetState`.
    func settle(at place: Place, isUndo: Bool = false) async throws {
        let (stores, id, run, lost) = (stores, server, SagaRun.id, claim.lost)
        try await parts.database.write { transaction in
            guard
                try stores.servers.place(
                    id, run: run, orFree: isUndo, host: place.host, node: place.node, zone: place.zone, transaction)
            else { throw lost }
            try stores.blockDevices.setHost(ofServer: id, place.host, transaction)
        }
        for port in try await claim.ports() {
            try await parts.networks.bindPort(port.id, server: id.rawValue, host: place.host)
        }
    }

    /// For undo: the server is where it was, unless that is for another to say.
    func settleBack(at place: Place) async throws {
        if case .ours = try await hold() { try await settle(at: place, isUndo: true) }
    }

    // MARK: Guest

    /// What a host needs to make the guest with this flavor, its volumes exported to that host.
    func specification(_ flavor: FlavorSnapshot, on host: String) async throws -> GuestSpecification {
        var row = try await held()
        row.flavor = flavor
        try await ensureLocalDisks(of: row)
        return try await claim.specification(on: host, flavor: flavor)
    }

    /// Disks that came with the flavor are as large as the new one says, which gives the server those that it did not
    /// have. With the old flavor again they are as they were, so there is nothing to undo.
    private func ensureLocalDisks(of wanted: Server) async throws {
        let (stores, id, ids, now, lost) = (stores, server, parts.ids, parts.clock.now(), claim.lost)
        let bus = try JSONReader.read(wanted.imageProperties)["hw_disk_bus"]?.string
        try await parts.database.write { transaction in
            guard let old = try stores.servers.server(id, transaction)?.flavor else { throw lost }
            let devices = try stores.blockDevices.of(id, transaction)
            for device in devices {
                let isDefault =
                    (device.isSwap && device.size == old.swapMiB)
                    || (device.isEphemeral && device.size == old.ephemeralGiB)
                if isDefault { try stores.blockDevices.setSize(device.id, 0, transaction) }
            }
            var names = BlockDeviceNames(taken: devices.compactMap(\.device), bus: bus)
            let isMissing = [
                (isSwap: false, wanted.flavor.ephemeralGiB > 0 && !devices.contains(where: \.isEphemeral)),
                (isSwap: true, wanted.flavor.swapMiB > 0 && !devices.contains(where: \.isSwap)),
            ]
            for (isSwap, isMissing) in isMissing where isMissing {
                var device = ServerBlockDevice(
                    id: ids.next(), server: id, source: .blank, destination: .local, state: .attached, at: now)
                device.device = names.next()
                device.bootIndex = -1
                device.deletesOnTermination = true
                device.guestFormat = isSwap ? "swap" : nil
                try stores.blockDevices.insert(device, transaction)
            }
        }
    }

    func waitForPorts(at place: Place?) async throws {
        _ = try await held()
        try await claim.waitForPorts(on: place?.host ?? "?")
    }

    /// For undo: nothing of the guest is left where it went to, unless it is somebody's there. A guest that another run
    /// built there is that run's.
    func destroy(at place: Place?) async throws {
        guard let place else { return }
        switch try await hold() {
        case .ours, .ending: try await claim.destroy(on: place.host)
        case .moved, .others: return
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Changes of an object that carry no bytes.
struct ObjectWriting: Sendable {
    let cluster: StorageCluster
    let place: StoragePlace

    func delete(at time: WriteTime) async throws {
        let location = place.location
        _ = try await cluster.atQuorum(place) { device, _ in try await device.deleteObject(location, at: time) }
    }

    /// False: there is no object.
    func setHeaders(_ record: ObjectRecord) async throws -> Bool {
        if try await taken(record).count >= place.quorum { return true }
        // Too few have the bytes. Either nobody has, or some have lost or missed them: those get them first.
        guard let object = try await ObjectReading(cluster: cluster, place: place).open() else { return false }
        await object.close()
        let copy = ReplicaCopy(cluster: cluster, kind: place.kind, location: place.location)
        try await copy.heal(place, withStandIns: true)
        let count = try await taken(record).count
        guard count >= place.quorum else { throw cluster.tooFew(place, count, []) }
        return true
    }

    private func taken(_ record: ObjectRecord) async throws -> [DeviceNumber] {
        let location = place.location
        let answers = try await cluster.atQuorum(place) { device, _ in try await device.setHeaders(location, record) }
        let taken = answers.filter(\.value).map(\.key)
        guard !taken.isEmpty else { return [] }
        for (number, isTaken) in answers where !isTaken { cluster.devices.missed(number, place.kind, place.partition) }
        return taken
    }
}

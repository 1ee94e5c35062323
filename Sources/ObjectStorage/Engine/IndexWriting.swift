// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Writes to a majority of an index's replicas. One that lacks the index (an empty disk, a hand-off) gets it first.
struct IndexWriting: Sendable {
    let cluster: StorageCluster
    let place: StoragePlace

    private var location: StorageLocation { place.location }

    func create(_ record: IndexRecord) async throws {
        let location = location
        let known = try await cluster.atQuorum(place, withFormer: true) { device, _ in
            let isKnown = try await device.index(location) != nil
            try await device.createIndex(location, record)
            return isKnown
        }
        // One that had none may have been emptied, be new, or stand in: unless none had it, others have rows.
        let isNew =
            place.former.isEmpty && !known.values.contains(true)
            && place.primaries.allSatisfy { known[$0] != nil }
        guard !isNew else { return }
        for (number, isKnown) in known where !isKnown {
            cluster.devices.missed(number, place.kind, place.partition)
            cluster.repairs.add(place)
        }
    }

    func setHeaders(_ headers: [String: IndexRecord.TimedValue]) async throws {
        let location = location
        try await write { try await $0.setHeaders(location, headers) }
    }

    func putObjectRows(_ rows: [ObjectRow]) async throws {
        let location = location
        try await write { try await $0.putObjectRows(location, rows) }
    }

    func putContainerRows(_ rows: [ContainerRow]) async throws {
        let location = location
        try await write { try await $0.putContainerRows(location, rows) }
    }

    /// Throws `.notFound` when it is not there, or was deleted.
    func delete(at time: WriteTime) async throws {
        let (cluster, location) = (cluster, location)
        guard let before = try await IndexReading(cluster: cluster, place: place).record(), !before.isDeleted else {
            throw CloudError.notFound("The resource could not be found.")
        }
        // One that lacks it is told of the deletion, too: else another's replica would be taken for the truth.
        _ = try await cluster.atQuorum(place, withFormer: true) { device, _ in
            if try await device.index(location) == nil { try await device.createIndex(location, before) }
            try await device.deleteIndex(location, at: time)
        }
    }

    private func write(_ work: @escaping @Sendable (any StorageDevice) async throws -> Void) async throws {
        let (cluster, place) = (cluster, place)
        _ = try await cluster.atQuorum(place, withFormer: true) { device, number in
            do {
                try await work(device)
            } catch let error as CloudError where error.code == .notFound {
                let isFormer = place.former.contains(number) && !place.primaries.contains(number)
                // Only a replica of an index that is elsewhere is made here.
                guard !isFormer, cluster.devices.numbers.count > 1,
                    let record = try await IndexReading(cluster: cluster, place: place).record(), !record.isDeleted
                else { throw error }
                cluster.devices.missed(number, place.kind, place.partition)
                cluster.repairs.add(place)
                try await device.createIndex(place.location, record)
                try await work(device)
            }
        }
    }
}

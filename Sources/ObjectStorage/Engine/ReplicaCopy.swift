// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import SecurityKit

/// Brings what one device has of a location to another one.
struct ReplicaCopy: Sendable {
    private static let rowLimit = 1000
    private static let threads = BlockingPool("object-copy", threads: 2)

    let cluster: StorageCluster
    let kind: StorageKind
    let location: StorageLocation

    // MARK: Objects

    /// Copies bytes and metadata, or the metadata alone where the bytes are the same. False: the source has none, or
    /// the target has newer ones. Throws when the source's bytes are not those of its ETag: damage does not spread.
    func copyObject(from source: DeviceNumber, to target: DeviceNumber) async throws -> Bool {
        let (devices, location) = (cluster.devices, location)
        guard let object = try await devices.call(source, { try await $0.openObject(location) }) else { return false }
        do {
            let isCopied = try await copy(object, to: target)
            await object.close()
            return isCopied
        } catch {
            await object.close()
            throw error
        }
    }

    private func copy(_ object: any OpenObject, to target: DeviceNumber) async throws -> Bool {
        let (devices, location, record) = (cluster.devices, location, object.record)
        let wanted = ReplicaState.present(record.time, metadata: record.metadataTime)
        let found = try await devices.call(target) { try await $0.replica(location) }
        guard found.isOlder(than: wanted) else { return false }
        if !found.hasBytes(of: wanted) {
            let sink = try await devices.call(target) {
                try await $0.beginObject(location, expecting: record.sizeBytes)
            }
            do {
                try await stream(object, to: sink)
                try await sink.commit(record)
            } catch {
                await shielded { await sink.abort() }
                devices.failed(target, error)
                throw error
            }
            StorageMetrics.replicatedBytes.add(Int(record.sizeBytes))
        }
        if record.metadataTime != nil {
            _ = try await devices.call(target) { try await $0.setHeaders(location, record) }
        }
        StorageMetrics.repairs[kind.name, "copy"].add()
        return true
    }

    private func stream(_ object: any OpenObject, to sink: any ObjectSink) async throws {
        var digest = Digest(.md5)
        let size = object.record.sizeBytes
        if size > 0 {
            switch try await object.body(0..<size) {
            case .stream(let pieces):
                while let piece = try await pieces.next() {
                    digest.update(piece)
                    try await sink.write(piece)
                }
            case .file(let descriptor, let offset, let length):
                let pieces = FilePieces(descriptor: descriptor, offset: offset, length: length, pool: Self.threads)
                while let piece = try await pieces.next() {
                    digest.update(piece)
                    try await sink.write(piece)
                }
            }
        }
        guard digest.hex() == object.record.etag else {
            throw CloudError(.bug, "The object's bytes are damaged.", cause: "\(location.path): MD5 is \(digest.hex())")
        }
    }

    /// Makes the place's own devices have the newest of an object. With stand-ins, a hand-off gets it for each device
    /// that does not answer, or has no room. Returns whether all of the place's own have it. Without stand-ins it throws
    /// what a device failed with, after the others have it.
    @discardableResult
    func heal(_ place: StoragePlace, withStandIns: Bool = false) async throws -> Bool {
        let survey = try await ReplicaSurvey.ask(cluster, place, all: true)
        let newest = survey.newest
        guard newest != .absent else { return survey.failed.isEmpty }
        var targets = place.primaries.filter { survey.state($0)?.isOlder(than: newest) ?? false }
        let away = place.primaries.filter { survey.failed.contains($0) }
        var others = (withStandIns ? cluster.standIns(place).filter { survey.state($0) != nil } : [])[...]
        for other in others.prefix(away.count) where survey.state(other)?.isOlder(than: newest) ?? false {
            targets.append(other)
        }
        others = others.dropFirst(away.count)
        var isWhole = away.isEmpty
        var failure: (any Error)?
        while !targets.isEmpty {
            do {
                let isBrought = try await bring(newest, from: survey.holders.map(\.0), to: targets.removeFirst())
                isWhole = isWhole && isBrought
            } catch let error as CancellationError {
                throw error
            } catch {
                (isWhole, failure) = (false, error)
                if let other = others.popFirst() { targets.append(other) }
            }
        }
        if let failure, !withStandIns { throw failure }
        return isWhole
    }

    /// Brings the newest state to a device, from the first holder that can give it. False: none could.
    func bring(_ newest: ReplicaState, from holders: [DeviceNumber], to target: DeviceNumber) async throws -> Bool {
        let location = location
        if case .deleted(let time) = newest {
            try await cluster.devices.call(target) { try await $0.deleteObject(location, at: time) }
            StorageMetrics.repairs[kind.name, "delete"].add()
            return true
        }
        var last: (any Error)?
        for holder in holders where holder != target {
            do {
                _ = try await copyObject(from: holder, to: target)
                let state = try await cluster.devices.call(target) { try await $0.replica(location) }
                if !state.isOlder(than: newest) { return true }
            } catch let error as CancellationError {
                throw error
            } catch {
                last = error
            }
        }
        if let last { throw last }
        return false
    }

    // MARK: Indexes

    /// Merges the record, and rows that came after `position`, into another replica. Returns where to go on.
    func mergeIndex(
        from source: DeviceNumber, to target: DeviceNumber, after position: Int64 = 0
    ) async throws -> Int64 {
        let (devices, location) = (cluster.devices, location)
        guard let record = try await devices.call(source, { try await $0.index(location) }) else { return position }
        var position = position
        while true {
            let from = position
            let rows = try await devices.call(source) {
                try await $0.indexRows(location, after: from, limit: Self.rowLimit)
            }
            try await devices.call(target) { device in
                do {
                    try await device.mergeIndex(location, record, rows)
                } catch let error as CloudError where error.code == .notFound {
                    try await device.createIndex(location, record)
                    try await device.mergeIndex(location, record, rows)
                }
            }
            position = max(rows.position, position)
            if rows.isLast {
                StorageMetrics.repairs[kind.name, "merge"].add()
                return position
            }
            try Task.checkCancellation()
        }
    }

    /// Merges all replicas of an index into those that should have it.
    func healIndex(_ place: StoragePlace) async throws {
        let numbers = place.primaries + place.former + cluster.standIns(place).filter { !place.former.contains($0) }
        let location = location
        let answers = try await cluster.askAll(numbers) { try await $0.index(location) }
        let sources = answers.compactMap { number, answer -> DeviceNumber? in
            guard case .success(.some) = answer else { return nil }
            return number
        }
        for source in sources {
            for target in place.primaries where target != source {
                _ = try await mergeIndex(from: source, to: target)
            }
        }
    }
}

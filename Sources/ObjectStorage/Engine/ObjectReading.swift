// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Opens an object at the first replica that is good; at the newest where they may differ.
struct ObjectReading: Sendable {
    let cluster: StorageCluster
    let place: StoragePlace

    private var location: StorageLocation { place.location }

    /// Nil: no such object.
    func open() async throws -> (any OpenObject)? {
        let isSingle = place.primaries.count == 1 && place.former.isEmpty && cluster.devices.numbers.count == 1
        if !isSingle, cluster.devices.isSuspect(place) { return try await openNewest() }
        var absent = 0
        for number in cluster.devices.asked(place.primaries) {
            do {
                if let object = try await cluster.devices.call(number, { try await $0.openObject(location) }) {
                    if absent > 0 { cluster.repairs.add(place) }
                    return object
                }
                absent += 1
            } catch let error as CancellationError {
                throw error
            } catch  where isSingle {
                throw CloudError(.unavailable, StorageFaults.unavailable, cause: "\(error)")
            } catch {
                continue
            }
        }
        if absent == place.primaries.count, place.former.isEmpty { return nil }
        return try await openNewest()
    }

    private func openNewest() async throws -> (any OpenObject)? {
        StorageMetrics.comparedReads[place.kind.name].add()
        let survey = try await ReplicaSurvey.ask(cluster, place)
        if survey.isUneven(place) { cluster.repairs.add(place) }
        guard case .present = survey.newest else {
            if survey.newest == .absent, !survey.isEnough(place) {
                throw CloudError(.unavailable, StorageFaults.unavailable, cause: "\(survey.failed) did not answer")
            }
            return nil
        }
        var hasFailed = false
        for (number, _) in survey.holders {
            do {
                if let object = try await cluster.devices.call(number, { try await $0.openObject(location) }) {
                    return object
                }
                // Put aside as damaged between the two calls, or deleted: the next holder tells.
            } catch let error as CancellationError {
                throw error
            } catch {
                hasFailed = true
            }
        }
        if hasFailed { throw CloudError(.unavailable, StorageFaults.unavailable, cause: "no holder could be read") }
        return nil
    }
}

/// What each device has of an object.
struct ReplicaSurvey: Sendable {
    private(set) var states: [(DeviceNumber, ReplicaState)] = []
    private(set) var failed: [DeviceNumber] = []

    /// Asks the place's own devices and the former ones; the hand-offs too, where something may be at them.
    static func ask(_ cluster: StorageCluster, _ place: StoragePlace, all: Bool = false) async throws -> ReplicaSurvey {
        var survey = ReplicaSurvey()
        try await survey.add(cluster, place, place.primaries + place.former)
        if all || !survey.failed.isEmpty || survey.newest == .absent || cluster.devices.isSuspect(place) {
            try await survey.add(cluster, place, cluster.standIns(place).filter { !place.former.contains($0) })
        }
        if survey.newest == .absent, !survey.failed.isEmpty {
            // Nobody else has it: those that are away are asked after all.
            let silent = survey.failed
            survey.failed = []
            try await survey.add(cluster, place, silent, evenAway: true)
        }
        return survey
    }

    private mutating func add(
        _ cluster: StorageCluster, _ place: StoragePlace, _ numbers: [DeviceNumber],
        evenAway: Bool = false
    ) async throws {
        let location = place.location
        let answers =
            evenAway
            ? try await cluster.askAll(numbers) { try await $0.replica(location) }
            : try await cluster.askPresent(numbers) { try await $0.replica(location) }
        for (number, answer) in answers {
            switch answer {
            case .success(let state): states.append((number, state))
            case .failure: failed.append(number)
            }
        }
    }

    /// The latest write of all: bytes, or a deletion.
    var newest: ReplicaState { states.map(\.1).max { $0.isOlder(than: $1) } ?? .absent }

    /// Those that have the newest bytes, with the newest metadata first; then those with older ones.
    var holders: [(DeviceNumber, ReplicaState)] {
        let newest = newest
        return states.enumerated().filter { _, state in
            guard case .present = state.1 else { return false }
            return true
        }.sorted { left, right in
            if right.element.1.isOlder(than: left.element.1) { return true }
            if left.element.1.isOlder(than: right.element.1) { return false }
            return left.offset < right.offset
        }.map(\.element).filter { $0.1.hasBytes(of: newest) }
    }

    func state(_ number: DeviceNumber) -> ReplicaState? { states.first { $0.0 == number }?.1 }

    /// Whether one of the place's own devices lacks the newest, or another one has something.
    func isUneven(_ place: StoragePlace) -> Bool {
        let newest = newest
        return states.contains { number, state in
            place.primaries.contains(number) ? state.isOlder(than: newest) : state != .absent
        }
    }

    /// Whether so many answered that one of them took part in every write that was acknowledged.
    func isEnough(_ place: StoragePlace) -> Bool {
        let answered = place.primaries.count { number in states.contains { $0.0 == number } }
        return answered > place.primaries.count - place.quorum
    }
}

extension ReplicaState {
    /// Of the bytes, or the deletion; nothing is older than anything.
    var time: WriteTime {
        switch self {
        case .absent: WriteTime(ticks: .min)
        case .present(let time, _): time
        case .deleted(let time): time
        }
    }

    var metadataTime: WriteTime {
        if case .present(_, .some(let time)) = self { return time }
        return WriteTime(ticks: .min)
    }

    private var isDeletion: Bool { if case .deleted = self { true } else { false } }

    /// A deletion wins over bytes of the same time.
    func isOlder(than other: ReplicaState) -> Bool {
        if time != other.time { return time < other.time }
        if isDeletion != other.isDeletion { return other.isDeletion }
        return metadataTime < other.metadataTime
    }

    func hasBytes(of newest: ReplicaState) -> Bool {
        if case .present = self { return time == newest.time }
        return false
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract

/// Reads an account's or a container's index from its replicas.
struct IndexReading: Sendable {
    let cluster: StorageCluster
    let place: StoragePlace

    private var location: StorageLocation { place.location }

    private struct Found: Sendable {
        var number: DeviceNumber
        var record: IndexRecord
    }

    /// The record, of one that was deleted too. Nil: no replica has one.
    func record() async throws -> IndexRecord? {
        guard let best = try await holders().first else { return nil }
        return best.record
    }

    /// Reads rows from the replica that has most. Throws `.notFound` when there is none.
    func read<T: Sendable>(
        _ work: @escaping @Sendable (any StorageDevice, StorageLocation) async throws -> T
    ) async throws -> T {
        var last: any Error = CloudError.notFound("The resource could not be found.")
        if !isSuspect, let first = cluster.devices.asked(place.primaries).first, !cluster.devices.isAway(first) {
            do {
                return try await cluster.devices.call(first) { try await work($0, location) }
            } catch let error as CancellationError {
                throw error
            } catch {
                last = error
            }
        }
        for found in try await holders() {
            do {
                return try await cluster.devices.call(found.number) { try await work($0, location) }
            } catch let error as CancellationError {
                throw error
            } catch {
                last = error
            }
        }
        throw last
    }

    private var isSuspect: Bool {
        cluster.devices.numbers.count > 1 && cluster.devices.isSuspect(place)
    }

    /// Replicas that have the index, best first. The first one's record has the times and headers of all that were
    /// asked.
    private func holders() async throws -> [Found] {
        if !isSuspect {
            var absent = 0
            for number in cluster.devices.asked(place.primaries) {
                do {
                    let record = try await cluster.devices.call(number) { try await $0.index(location) }
                    if let record {
                        // The others should have had it: they were emptied.
                        if absent > 0 { cluster.repairs.add(place) }
                        return [Found(number: number, record: record)]
                    }
                    absent += 1
                } catch let error as CancellationError {
                    throw error
                } catch {
                    continue
                }
            }
            if absent == place.primaries.count, place.former.isEmpty { return [] }
        }
        return try await compare()
    }

    private func compare() async throws -> [Found] {
        StorageMetrics.comparedReads[place.kind.name].add()
        var own = try await ask(place.primaries + place.former)
        var found = own.found
        if found.isEmpty || own.failed > 0 || isSuspect {
            found += try await ask(Array(cluster.standIns(place)).filter { !place.former.contains($0) }).found
        }
        if found.isEmpty, own.failed > 0 {
            // Nobody else has it: those that are away are asked after all.
            own = try await ask(place.primaries + place.former, evenAway: true)
            found = own.found
        }
        guard !found.isEmpty else {
            // With fewer answers one that did not answer may have the only replica of a majority that wrote.
            guard own.absent > place.primaries.count - place.quorum else {
                throw CloudError(.unavailable, StorageFaults.unavailable, cause: "\(own.failed) devices did not answer")
            }
            return []
        }
        let isAnyAbsent = place.primaries.contains { number in !found.contains { $0.number == number } }
        if isAnyAbsent || Set(found.map(\.record)).count > 1 { cluster.repairs.add(place) }
        found.sort { left, right in rank(left) < rank(right) }
        found[0].record = found.dropFirst().reduce(found[0].record) { $0.taking($1.record) }
        return found
    }

    /// A replica that has missed nothing is better than one that has; then the one with more rows.
    private func rank(_ found: Found) -> (Int, Int, Int64) {
        let isOwn = place.primaries.contains(found.number) || place.former.contains(found.number)
        let hasMissed = cluster.devices.hasMissed(found.number, place.kind, place.partition)
        return (isOwn ? 0 : 1, hasMissed ? 1 : 0, -(found.record.objectCount + found.record.containerCount))
    }

    private func ask(
        _ numbers: [DeviceNumber], evenAway: Bool = false
    ) async throws -> (found: [Found], absent: Int, failed: Int) {
        let location = location
        let answers =
            evenAway
            ? try await cluster.askAll(numbers) { try await $0.index(location) }
            : try await cluster.askPresent(numbers) { try await $0.index(location) }
        let found = answers.compactMap { number, answer -> Found? in
            guard case .success(.some(let record)) = answer else { return nil }
            return Found(number: number, record: record)
        }
        let failed = answers.count { if case .failure = $0.1 { true } else { false } }
        // A former device that has none says nothing of what was written since.
        let absent = answers.count { number, answer in
            guard place.primaries.contains(number), case .success(.none) = answer else { return false }
            return true
        }
        return (found, absent, failed)
    }
}

extension IndexRecord {
    /// With the later of both in times and in each header. The totals stay this one's.
    func taking(_ other: IndexRecord) -> IndexRecord {
        var record = self
        record.putTime = max(putTime, other.putTime)
        record.createdTime = putTime >= other.putTime ? createdTime : other.createdTime
        record.deleteTime = [deleteTime, other.deleteTime].compactMap { $0 }.max()
        record.headers.merge(other.headers) { $0.time >= $1.time ? $0 : $1 }
        return record
    }
}

extension StorageCluster {
    /// Asks devices the same at once; each answers or fails for itself. In the order of `numbers`.
    func askAll<Answer: Sendable>(
        _ numbers: [DeviceNumber], _ work: @escaping @Sendable (any StorageDevice) async throws -> Answer
    ) async throws -> [(DeviceNumber, Result<Answer, any Error>)] {
        let answers = await answers(of: numbers, work)
        try Task.checkCancellation()
        return answers
    }

    /// As `askAll`, but of those that are away it knows the answer.
    func askPresent<Answer: Sendable>(
        _ numbers: [DeviceNumber], _ work: @escaping @Sendable (any StorageDevice) async throws -> Answer
    ) async throws -> [(DeviceNumber, Result<Answer, any Error>)] {
        let away = numbers.filter { devices.isAway($0) }
        let answers = try await askAll(numbers.filter { !away.contains($0) }, work)
        return answers
            + away.map { ($0, .failure(CloudError(.unavailable, StorageFaults.unavailable, cause: "\($0) is away"))) }
    }

    /// As `askAll`, and gives what came even when the caller is cancelled.
    func answers<Answer: Sendable>(
        of numbers: [DeviceNumber], _ work: @escaping @Sendable (any StorageDevice) async throws -> Answer
    ) async -> [(DeviceNumber, Result<Answer, any Error>)] {
        let answers = await withTaskGroup(of: (DeviceNumber, Result<Answer, any Error>).self) { group in
            for number in numbers {
                group.addTask { [devices] in
                    do {
                        return (number, .success(try await devices.call(number, work)))
                    } catch {
                        return (number, .failure(error))
                    }
                }
            }
            var answers: [DeviceNumber: Result<Answer, any Error>] = [:]
            for await (number, answer) in group { answers[number] = answer }
            return answers
        }
        return numbers.compactMap { number in answers[number].map { (number, $0) } }
    }
}

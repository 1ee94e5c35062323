// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import Synchronization

/// Writes that a majority of a place's devices must have, with hand-offs for those that fail.
extension StorageCluster {
    /// Runs `work` on each of the place's devices at once; another device stands in for each that fails or is away.
    /// Returns the answers when all have come, or a majority has and the others took too long; those go on behind.
    /// Throws when fewer than a majority answered: `.notFound` when all said so, else `.unavailable`. It also throws
    /// when the caller is cancelled; what has begun goes on then, too.
    ///
    /// `withFormer`: the former devices of a partition that has not moved yet get the write as well, and count for
    /// nothing. So an index of theirs stays whole until its rows have been copied.
    func atQuorum<Answer: Sendable>(
        _ place: StoragePlace, withFormer: Bool = false,
        _ work: @escaping @Sendable (any StorageDevice, DeviceNumber) async throws -> Answer
    ) async throws -> [DeviceNumber: Answer] {
        if place.primaries.count == 1, devices.numbers == place.primaries {
            let number = place.primaries[0]
            return [number: try await devices.call(number) { try await work($0, number) }]
        }
        let ballot = Ballot<Answer>()
        let former = withFormer ? place.former : []
        let primaries = place.primaries
        // Those that are away are the last that are asked.
        let present = primaries.filter { !devices.isAway($0) }
        var spare = SpareDevices(
            self, place, leavingOut: former, last: primaries.filter { !present.contains($0) })
        var running: Set<DeviceNumber> = []
        var answers: [DeviceNumber: Answer] = [:]
        var errors: [any Error] = []

        func start(_ number: DeviceNumber) {
            running.insert(number)
            let isStarted = background.spawn("replica write") { [devices] in
                do {
                    ballot.put(number, .success(try await devices.call(number) { try await work($0, number) }))
                } catch {
                    ballot.put(number, .failure(error))
                }
            }
            if !isStarted { ballot.put(number, .failure(CancellationError())) }
        }
        for number in present { start(number) }
        for _ in present.count..<primaries.count { if let next = spare.next() { start(next) } }
        for number in former { start(number) }

        let begin = ContinuousClock.now
        let end = begin + limits.deviceTimeout
        var helpAt: ContinuousClock.Instant? = begin + limits.deviceTimeout / 3
        var graceEnd: ContinuousClock.Instant?
        while !running.isEmpty {
            for (number, result) in ballot.take() {
                running.remove(number)
                switch result {
                case .success(let answer): if !former.contains(number) { answers[number] = answer }
                case .failure(let error):
                    if former.contains(number) {
                        devices.missed(number, place.kind, place.partition)
                        continue
                    }
                    errors.append(error)
                    // What is not there for one device is not there for another.
                    if (error as? CloudError)?.code == .notFound { continue }
                    if let next = spare.next() { start(next) }
                }
            }
            if running.isEmpty { break }
            let now = ContinuousClock.now
            if answers.count >= place.quorum, graceEnd == nil { graceEnd = now + limits.grace }
            let limit = min(graceEnd ?? helpAt ?? end, end)
            if let help = helpAt, now >= help, graceEnd == nil {
                // Silence is an answer, too: others stand in.
                helpAt = nil
                for number in running { devices.failed(number, silence) }
                for _ in running.subtracting(former) { if let next = spare.next() { start(next) } }
                continue
            }
            if now >= limit { break }
            if Task.isCancelled { throw CancellationError() }
            await ballot.changed.wait(atMost: limit - now)
        }
        for number in primaries where answers[number] == nil && !answers.isEmpty {
            devices.missed(number, place.kind, place.partition)
        }
        let handoffs = answers.keys.count { !primaries.contains($0) }
        if handoffs > 0 { StorageMetrics.handoffs[place.kind.name].add(handoffs) }
        guard answers.count >= place.quorum else {
            if case .objects = place.kind { repairs.add(place) }
            throw tooFew(place, answers.count, errors)
        }
        return answers
    }

    private var silence: CloudError {
        CloudError(.unavailable, StorageFaults.unavailable, cause: "no answer in time")
    }

    /// Hand-off devices of the place, those that are away last, as many as are asked at most.
    func standIns(_ place: StoragePlace) -> ArraySlice<DeviceNumber> {
        devices.asked(place.ring.handoffs(of: place.partition))
            .prefix(place.primaries.count + limits.extraHandoffs)
    }

    func tooFew(_ place: StoragePlace, _ count: Int, _ errors: [any Error]) -> any Error {
        let absent = errors.compactMap { $0 as? CloudError }.filter { $0.code == .notFound }
        if let first = absent.first, absent.count == errors.count, count == 0 { return first }
        StorageMetrics.quorumFailures[place.kind.name].add()
        let reason = errors.map { "\($0)" }.joined(separator: "; ")
        return CloudError(
            .unavailable, StorageFaults.unavailable,
            cause: "\(count) of \(place.quorum) replicas of \(place.location.path): \(reason)")
    }
}

/// Devices that may stand in for others, worked out when the first is needed.
struct SpareDevices {
    private let cluster: StorageCluster
    private let place: StoragePlace
    private let leftOut: [DeviceNumber]
    private let last: [DeviceNumber]
    private var rest: ArraySlice<DeviceNumber>?

    /// Hand-offs of the place, then `last`.
    init(_ cluster: StorageCluster, _ place: StoragePlace, leavingOut: [DeviceNumber] = [], last: [DeviceNumber]) {
        self.cluster = cluster
        self.place = place
        leftOut = leavingOut
        self.last = last
    }

    mutating func next() -> DeviceNumber? {
        var devices = rest ?? (cluster.standIns(place).filter { !leftOut.contains($0) } + last)[...]
        defer { rest = devices }
        return devices.popFirst()
    }
}

/// Collects answers that come from several tasks.
final class Ballot<Answer: Sendable>: Sendable {
    private let answers = Mutex<[(DeviceNumber, Result<Answer, any Error>)]>([])
    let changed = Signal()

    func put(_ number: DeviceNumber, _ answer: Result<Answer, any Error>) {
        answers.withLock { $0.append((number, answer)) }
        changed.wake()
    }

    func take() -> [(DeviceNumber, Result<Answer, any Error>)] {
        answers.withLock { answers in
            defer { answers = [] }
            return answers
        }
    }
}

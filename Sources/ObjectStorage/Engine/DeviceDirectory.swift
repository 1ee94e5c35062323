// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// The devices by their numbers, and what is known of each: whether it answers, and which writes it has missed.
///
/// A device that is away is asked last for a while, not never: where no other could answer it is still asked. So it
/// costs others no time, and comes back by itself.
package final class DeviceDirectory: Sendable {
    private struct Entry {
        var device: any StorageDevice
        var awayUntil: Timestamp?
        var lastError: String?
    }
    private struct Mark: Hashable {
        var device: DeviceNumber
        var kind: StorageKind
        var partition: Int
    }
    private struct State {
        var entries: [DeviceNumber: Entry] = [:]
        /// Why devices that are not attached are not.
        var missing: [DeviceNumber: String] = [:]
        /// Partitions of which a device has missed a write, with the number of the last one.
        var missed: [Mark: UInt64] = [:]
        var lastMiss: UInt64 = 0
        /// Nothing is known of what was missed before this process began, until all replicas were compared once.
        var isProven = false
    }

    private let state = Mutex(State())
    /// Wakes the replicator when a device answers again.
    let returned = Signal()
    private let clock: WallClock
    private let awayTime: Duration
    private let log = Logger("object-storage")

    package init(
        _ devices: [DeviceNumber: any StorageDevice] = [:], clock: WallClock, awayTime: Duration = .seconds(5)
    ) {
        self.clock = clock
        self.awayTime = awayTime
        for (number, device) in devices { attach(number, device) }
    }

    /// Adds a device, or takes another one in its place: an empty disk, a host that came back.
    package func attach(_ number: DeviceNumber, _ device: any StorageDevice) {
        state.withLock { state in
            state.entries[number] = Entry(device: device)
            state.missing[number] = nil
        }
        returned.wake()
    }

    /// Takes a device away for good; its number stays in the rings until they are changed.
    package func detach(_ number: DeviceNumber) {
        state.withLock { $0.entries[number] = nil }
    }

    /// Notes why a device could not be attached. False: that is known.
    func isMissing(_ number: DeviceNumber, because reason: String) -> Bool {
        state.withLock { $0.missing.updateValue(reason, forKey: number) != reason }
    }

    package var numbers: [DeviceNumber] { state.withLock { $0.entries.keys.sorted() } }

    package subscript(number: DeviceNumber) -> (any StorageDevice)? { state.withLock { $0.entries[number]?.device } }

    // MARK: Away

    package func isAway(_ number: DeviceNumber) -> Bool {
        let now = clock.now()
        return state.withLock { state in
            guard let entry = state.entries[number] else { return true }
            return entry.awayUntil.map { now < $0 } ?? false
        }
    }

    /// Why the device did not answer last time; nil: it did.
    package func lastError(_ number: DeviceNumber) -> String? {
        state.withLock { state in
            guard let entry = state.entries[number] else { return state.missing[number] ?? "not attached" }
            return entry.lastError
        }
    }

    /// `numbers` as they are asked: those that are away come last.
    func asked(_ numbers: [DeviceNumber]) -> [DeviceNumber] {
        let away = Set(numbers.filter { isAway($0) })
        return away.isEmpty ? numbers : numbers.filter { !away.contains($0) } + numbers.filter { away.contains($0) }
    }

    /// Calls one device and remembers whether it answered.
    func call<T: Sendable>(
        _ number: DeviceNumber, _ work: @Sendable (any StorageDevice) async throws -> T
    ) async throws -> T {
        guard let device = self[number] else {
            throw CloudError(.unavailable, StorageFaults.unavailable, cause: "device \(number) is not attached")
        }
        do {
            let answer = try await work(device)
            answered(number)
            return answer
        } catch {
            failed(number, error)
            throw error
        }
    }

    private func answered(_ number: DeviceNumber) {
        let wasAway = state.withLock { state in
            guard state.entries[number]?.lastError != nil else { return false }
            state.entries[number]?.awayUntil = nil
            state.entries[number]?.lastError = nil
            return true
        }
        guard wasAway else { return }
        log.info("device is back", ["device": number])
        returned.wake()
    }

    func failed(_ number: DeviceNumber, _ error: any Error) {
        guard let cloudError = error as? CloudError, cloudError.code == .unavailable else {
            if !(error is CancellationError), (error as? CloudError)?.code != .notFound {
                StorageMetrics.deviceErrors["\(number)"].add()
            }
            return
        }
        StorageMetrics.deviceErrors["\(number)"].add()
        let until = clock.now() + awayTime
        let isNew = state.withLock { state in
            guard state.entries[number] != nil else { return false }
            let isNew = state.entries[number]?.lastError == nil
            state.entries[number]?.awayUntil = until
            state.entries[number]?.lastError = cloudError.description
            return isNew
        }
        if isNew { log.error("device is away", ["device": number, "error": cloudError]) }
    }

    // MARK: Missed writes

    /// The device has no part in a write of the partition that it should have.
    func missed(_ number: DeviceNumber, _ kind: StorageKind, _ partition: Int) {
        state.withLock { state in
            state.lastMiss += 1
            state.missed[Mark(device: number, kind: kind, partition: partition)] = state.lastMiss
        }
    }

    func hasMissed(_ number: DeviceNumber, _ kind: StorageKind, _ partition: Int) -> Bool {
        state.withLock { $0.missed[Mark(device: number, kind: kind, partition: partition)] != nil }
    }

    /// Whether one of the partition's devices may have missed a write: then reads compare them all.
    func isSuspect(_ place: StoragePlace) -> Bool {
        let (kind, partition) = (place.kind, place.partition)
        return state.withLock { state in
            guard state.isProven else { return true }
            guard !state.missed.isEmpty else { return false }
            return place.primaries.contains { number in
                state.missed[Mark(device: number, kind: kind, partition: partition)] != nil
            }
        }
    }

    /// Up to here writes were missed: `caughtUp` forgets those.
    var lastMiss: UInt64 { state.withLock { $0.lastMiss } }

    /// All replicas of the partition were compared and are alike: what was missed up to `miss` is made good.
    func caughtUp(_ kind: StorageKind, _ partition: Int, upTo miss: UInt64) {
        state.withLock { state in
            guard !state.missed.isEmpty else { return }
            for (mark, number) in state.missed where mark.kind == kind && mark.partition == partition && number <= miss
            {
                state.missed[mark] = nil
            }
        }
    }

    /// Every partition was compared since the start.
    func prove() { state.withLock { $0.isProven = true } }

    var isProven: Bool { state.withLock { $0.isProven } }

    /// Partitions, by kind, of which some device has missed a write that is not made good yet.
    package var missedPartitions: [StorageKind: Set<Int>] {
        state.withLock { state in
            state.missed.keys.reduce(into: [:]) { $0[$1.kind, default: []].insert($1.partition) }
        }
    }
}

enum StorageFaults {
    /// What a caller hears when too few devices answer.
    static let unavailable = "The resource is temporarily unavailable. Please try again later."
}

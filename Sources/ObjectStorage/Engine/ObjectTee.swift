// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import ObjectStorageContract
import SecurityKit
import Synchronization

/// Takes an object's bytes once and sends them to every replica; the MD5 is computed here, once for all.
///
/// A replica that fails on the way is left behind; as long as one is there, the upload goes on, and the commit copies
/// what a majority still lacks to other devices. One caller at a time. Ended by `commit` or `abort`.
package final class ObjectTee: Sendable {
    /// From this size the MD5 and the writes go on at the same time.
    private static let overlapBytes = 64 * 1024

    private struct Branch: Sendable {
        let number: DeviceNumber
        let sink: any ObjectSink
    }
    private struct State {
        var branches: [Branch]
        var digest = Digest(.md5)
        var sizeBytes: Int64 = 0
        var isEnded = false
        var lastError: String?
    }

    private let cluster: StorageCluster
    private let place: StoragePlace
    private let state: Mutex<State>

    private init(_ cluster: StorageCluster, _ place: StoragePlace, _ branches: [Branch]) {
        self.cluster = cluster
        self.place = place
        state = Mutex(State(branches: branches))
    }

    /// Bytes so far.
    package var sizeBytes: Int64 { state.withLock { $0.sizeBytes } }

    /// MD5 of the bytes so far, in hexadecimal.
    package var etag: String { state.withLock { $0.digest.hex() } }

    // MARK: Begin

    static func begin(
        _ cluster: StorageCluster, _ place: StoragePlace, expecting sizeBytes: Int64?
    ) async throws -> ObjectTee {
        let location = place.location
        let present = place.primaries.filter { !cluster.devices.isAway($0) }
        var spare = SpareDevices(cluster, place, last: place.primaries.filter { !present.contains($0) })
        var next = present
        for _ in present.count..<place.primaries.count { if let number = spare.next() { next.append(number) } }
        var branches: [Branch] = []
        var errors: [any Error] = []
        // Round by round: each that fails is replaced, as long as there are devices.
        while !next.isEmpty, !Task.isCancelled {
            let answers = await opened(cluster, next, location, sizeBytes)
            next = []
            for (number, answer) in answers {
                switch answer {
                case .success(let sink): branches.append(Branch(number: number, sink: sink))
                case .failure(let error):
                    errors.append(error)
                    if let number = spare.next() { next.append(number) }
                }
            }
        }
        let tee = ObjectTee(cluster, place, branches)
        guard !Task.isCancelled else {
            await tee.abort()
            throw CancellationError()
        }
        guard branches.count >= place.quorum else {
            await tee.abort()
            throw cluster.tooFew(place, branches.count, errors)
        }
        return tee
    }

    private static func opened(
        _ cluster: StorageCluster, _ numbers: [DeviceNumber], _ location: StorageLocation, _ sizeBytes: Int64?
    ) async -> [(DeviceNumber, Result<any ObjectSink, any Error>)] {
        if numbers.count == 1 {
            do {
                let sink = try await cluster.devices.call(numbers[0]) {
                    try await $0.beginObject(location, expecting: sizeBytes)
                }
                return [(numbers[0], .success(sink))]
            } catch {
                return [(numbers[0], .failure(error))]
            }
        }
        return await cluster.answers(of: numbers) { try await $0.beginObject(location, expecting: sizeBytes) }
    }

    // MARK: Bytes

    /// Throws `.unavailable` when no replica is left.
    package func write(_ bytes: [UInt8]) async throws {
        let branches = try state.withLock { state in
            guard !state.isEnded else { throw Self.misuse("written to after its end") }
            return state.branches
        }
        if bytes.count < Self.overlapBytes, branches.count == 1 {
            digest(bytes)
            try settle(await send(bytes, to: branches[0]))
        } else {
            let failed = await withTaskGroup(of: (DeviceNumber, any Error)?.self) { group in
                for branch in branches { group.addTask { await self.send(bytes, to: branch) } }
                digest(bytes)
                var failed: [(DeviceNumber, any Error)] = []
                for await failure in group { if let failure { failed.append(failure) } }
                return failed
            }
            try Task.checkCancellation()
            for failure in failed { try settle(failure) }
        }
    }

    private static func misuse(_ cause: String) -> CloudError {
        CloudError(.bug, "The server could not complete the request.", cause: "object tee: \(cause)")
    }

    private func digest(_ bytes: [UInt8]) {
        state.withLock { state in
            state.digest.update(bytes)
            state.sizeBytes += Int64(bytes.count)
        }
    }

    private func send(_ bytes: [UInt8], to branch: Branch) async -> (DeviceNumber, any Error)? {
        do {
            try await branch.sink.write(bytes)
            return nil
        } catch {
            if !(error is CancellationError) { await branch.sink.abort() }
            return (branch.number, error)
        }
    }

    /// Leaves a replica behind.
    private func settle(_ failure: (DeviceNumber, any Error)?) throws {
        guard let (number, error) = failure else { return }
        // The caller gave up, not the device: `abort` ends all.
        if error is CancellationError { throw error }
        cluster.devices.failed(number, error)
        let left = state.withLock { state in
            state.branches.removeAll { $0.number == number }
            state.lastError = "\(error)"
            return state.branches.count
        }
        guard left > 0 else { throw cluster.tooFew(place, 0, [error]) }
    }

    // MARK: End

    /// Returns when a majority of replicas is durable. Throws `.unavailable` when fewer are; then the object may be
    /// there all the same, or the one before, as after a lost answer.
    package func commit(_ record: ObjectRecord) async throws {
        let branches = try state.withLock { state in
            guard !state.isEnded else { throw Self.misuse("committed after its end") }
            guard record.sizeBytes == state.sizeBytes else { throw Self.misuse("a record of another size") }
            state.isEnded = true
            return state.branches
        }
        if branches.count == 1, place.quorum == 1 {
            let sink = branches[0].sink
            do {
                // A client that goes away now has sent all of it.
                try await shielded { try await sink.commit(record) }
            } catch {
                cluster.devices.failed(branches[0].number, error)
                cluster.repairs.add(place)
                throw cluster.tooFew(place, 0, [error])
            }
            account([branches[0].number])
            return try await follow(record, [branches[0].number])
        }
        var (done, errors) = await committed(record, branches)
        if done.count < place.quorum, let source = done.first {
            errors += await copyOn(record, from: source, &done)
        }
        account(done)
        guard done.count >= place.quorum else {
            // It may be there all the same, and come to the others: then its row must follow.
            cluster.repairs.add(place)
            throw cluster.tooFew(place, done.count, errors)
        }
        try await follow(record, done)
    }

    /// The ring may have changed while the bytes came: then the object is taken to where it belongs now.
    private func follow(_ record: ObjectRecord, _ done: [DeviceNumber]) async throws {
        let now = try cluster.place(place.location.path, policy: place.location.policy)
        guard now.ring.version != place.ring.version, now.primaries != place.primaries, let source = done.first else {
            return
        }
        let copy = ReplicaCopy(cluster: cluster, kind: place.kind, location: place.location)
        for number in now.primaries where !done.contains(number) {
            do {
                try await shielded { _ = try await copy.copyObject(from: source, to: number) }
            } catch {
                cluster.devices.missed(number, place.kind, place.partition)
                cluster.repairs.add(now)
            }
        }
    }

    /// Nothing of the object stays. Safe to call after `commit` and twice.
    package func abort() async {
        let branches = state.withLock { state -> [Branch] in
            guard !state.isEnded else { return [] }
            state.isEnded = true
            return state.branches
        }
        guard !branches.isEmpty else { return }
        await shielded { for branch in branches { await branch.sink.abort() } }
    }

    private func committed(
        _ record: ObjectRecord, _ branches: [Branch]
    ) async -> (done: [DeviceNumber], errors: [any Error]) {
        let ballot = Ballot<Void>()
        var running = Set(branches.map(\.number))
        for branch in branches {
            let isStarted = cluster.background.spawn("object commit") {
                do {
                    ballot.put(branch.number, .success(try await branch.sink.commit(record)))
                } catch {
                    await branch.sink.abort()
                    ballot.put(branch.number, .failure(error))
                }
            }
            if !isStarted { ballot.put(branch.number, .failure(CancellationError())) }
        }
        var done: [DeviceNumber] = []
        var errors: [any Error] = []
        var graceEnd: ContinuousClock.Instant?
        while true {
            for (number, result) in ballot.take() {
                running.remove(number)
                switch result {
                case .success: done.append(number)
                case .failure(let error):
                    cluster.devices.failed(number, error)
                    errors.append(error)
                }
            }
            if running.isEmpty { break }
            let now = ContinuousClock.now
            if done.count >= place.quorum, graceEnd == nil { graceEnd = now + cluster.limits.grace }
            if let graceEnd, now >= graceEnd { break }
            let limit = graceEnd.map { $0 - now } ?? cluster.limits.deviceTimeout
            // Shielded: what is on its way to the disk is not called back.
            let isWoken = await shielded { await ballot.changed.wait(atMost: limit) }
            if !isWoken, graceEnd == nil { break }
        }
        return (done, errors)
    }

    /// Copies what is durable at one device to others until a majority has it.
    private func copyOn(
        _ record: ObjectRecord, from source: DeviceNumber, _ done: inout [DeviceNumber]
    ) async -> [any Error] {
        let tried = done
        let candidates = cluster.devices.asked(
            place.primaries.filter { !tried.contains($0) }
                + cluster.standIns(place).filter { !tried.contains($0) })
        var errors: [any Error] = []
        for number in candidates where done.count < place.quorum {
            do {
                let copy = ReplicaCopy(cluster: cluster, kind: place.kind, location: place.location)
                try await shielded { _ = try await copy.copyObject(from: source, to: number) }
                done.append(number)
            } catch {
                errors.append(error)
            }
        }
        return errors
    }

    private func account(_ done: [DeviceNumber]) {
        for number in place.primaries where !done.contains(number) {
            cluster.devices.missed(number, place.kind, place.partition)
        }
        let handoffs = done.count { !place.primaries.contains($0) }
        if handoffs > 0 { StorageMetrics.handoffs[place.kind.name].add(handoffs) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageCore
import Testing

/// Goal: replicas stand apart, devices hold their shares, and a change moves no more than it must.
/// Method: rings of many shapes, counted.
@Suite("Ring")
struct RingTests {
    private func device(
        _ number: UInt16, _ zone: String, _ host: String, _ weight: Double = 100
    ) -> RingDevice {
        RingDevice(number: DeviceNumber(number), zone: zone, host: host, path: "/srv/\(number)", weight: weight)
    }

    private func ring(
        _ devices: [RingDevice], from old: Ring? = nil, replicas: Int = 2, power: Int = 12
    ) throws -> Ring {
        try RingBuilder.ring(from: old, devices: devices, replicas: replicas, partitionPower: power)
    }

    private var three: [RingDevice] { [device(1, "a", "h1"), device(2, "b", "h2"), device(3, "c", "h3")] }

    /// 48 devices of many weights in four zones of three hosts.
    private var many: [RingDevice] {
        (0..<48).map { index -> RingDevice in
            let host = index / 4
            let weight = 50 + (index * 11 + host * 5) % 60
            return device(UInt16(index), "zone-\(index / 12)", "host-\(host)", Double(weight))
        }
    }

    /// Replicas that have come to devices that did not have them.
    private func moves(_ old: Ring, _ new: Ring) -> Int {
        (0..<new.partitionCount).reduce(0) { sum, partition in
            let before = old.devices(of: partition)
            return sum + new.devices(of: partition).filter { !before.contains($0) }.count
        }
    }

    /// Replicas that could not have stayed: those of devices that shrink, or the gain of those that grow.
    private func least(_ old: Ring, _ new: Ring) -> Int {
        new.loads.reduce(0) { $0 + max(0, $1.value - (old.loads[$1.key] ?? 0)) }
    }

    private func partitionsSharing(_ ring: Ring, _ place: (RingDevice) -> String) -> Int {
        (0..<ring.partitionCount).filter { partition in
            let places = ring.devices(of: partition).compactMap { ring.devices[$0] }.map(place)
            return Set(places).count < places.count
        }.count
    }

    @Test("each device holds its share, to one percent")
    func balance() throws {
        for devices in [three, many] {
            let ring = try ring(devices, replicas: devices.count > 3 ? 3 : 2, power: 14)
            let total = devices.reduce(0.0) { $0 + $1.weight }
            for device in devices {
                let share = device.weight / total * Double(ring.replicas * ring.partitionCount)
                #expect(abs(Double(ring.loads[device.number] ?? 0) - share) <= max(2, share / 100))
            }
        }
    }

    @Test("replicas of a partition share no zone, host or device where there are others")
    func spread() throws {
        let large = try ring(many, replicas: 3, power: 10)
        #expect(partitionsSharing(large, \.zone) == 0)
        let oneZone = try ring(
            [device(1, "a", "h1"), device(2, "a", "h1"), device(3, "a", "h2"), device(4, "a", "h3", 10)], replicas: 3)
        #expect(partitionsSharing(oneZone, \.host) == 0)
        let oneHost = try ring([device(1, "a", "h"), device(2, "a", "h", 1000), device(3, "a", "h")], replicas: 2)
        #expect(partitionsSharing(oneHost) { "\($0.number)" } == 0)
        let twoZones = try ring(
            [device(1, "a", "h1"), device(2, "a", "h2"), device(3, "b", "h3", 900), device(4, "b", "h4")], replicas: 3)
        for partition in 0..<twoZones.partitionCount {
            #expect(Set(twoZones.devices(of: partition).compactMap { twoZones.devices[$0]?.zone }).count == 2)
        }
    }

    @Test("with fewer devices than replicas each has one")
    func few() throws {
        let ring = try ring([device(1, "a", "h")], replicas: 3)
        #expect(ring.replicas == 1)
        #expect(ring.loads == [DeviceNumber(1): ring.partitionCount])
    }

    @Test("a device that comes takes its share and little else moves")
    func add() throws {
        for (devices, replicas) in [(three, 2), (many, 3)] {
            let old = try ring(devices, replicas: replicas)
            let new = try ring(devices + [device(200, "zone-1", "new")], from: old, replicas: replicas)
            #expect(moves(old, new) <= least(old, new) * 21 / 20)
            #expect(moves(old, new) > 0)
            #expect(new.version == old.version + 1)
        }
    }

    @Test("a device that goes gives its replicas away and little else moves")
    func remove() throws {
        let old = try ring(many, replicas: 3)
        let gone = many[47]
        let new = try ring(many.dropLast(), from: old, replicas: 3)
        #expect(new.loads[gone.number] == nil)
        let own = old.loads[gone.number] ?? 0
        #expect(moves(old, new) <= 2 * own)
        #expect(!new.former.values.joined().contains(gone.number))
    }

    @Test("a change of weight moves the difference")
    func weight() throws {
        let old = try ring(three)
        var changed = three
        changed[0].weight = 150
        let new = try ring(changed, from: old)
        #expect(moves(old, new) == least(old, new))
        #expect(moves(old, new) == (new.loads[DeviceNumber(1)] ?? 0) - (old.loads[DeviceNumber(1)] ?? 0))
    }

    @Test("weight 0 empties a device, which is remembered as the former one")
    func empty() throws {
        let old = try ring(three)
        var changed = three
        changed[2].weight = 0
        let new = try ring(changed, from: old)
        #expect(new.loads[DeviceNumber(3)] == nil)
        #expect(new.former.count == old.loads[DeviceNumber(3)])
        #expect(new.former.values.allSatisfy { $0 == [DeviceNumber(3)] })
        #expect(new.settled(new.former.keys).former.isEmpty)
    }

    @Test("the same devices make the same ring")
    func same() throws {
        let old = try ring(many, replicas: 3)
        let new = try ring(many.reversed(), from: old, replicas: 3)
        #expect(moves(old, new) == 0)
        #expect(try ring(many, replicas: 3) == old)
    }

    @Test("more replicas keep the old ones")
    func moreReplicas() throws {
        let old = try ring(three, replicas: 1)
        let new = try ring(three, from: old, replicas: 2)
        for partition in 0..<new.partitionCount {
            #expect(new.devices(of: partition).contains(old.devices(of: partition)[0]))
        }
    }

    @Test("hand-offs are all other devices, other zones first")
    func handoffs() throws {
        let ring = try ring(many, replicas: 3, power: 8)
        var first: [DeviceNumber: Int] = [:]
        for partition in 0..<ring.partitionCount {
            let own = ring.devices(of: partition)
            let others = ring.handoffs(of: partition)
            #expect(Set(own + others).count == 48)
            #expect(own.count + others.count == 48)
            let zones = Set(own.compactMap { ring.devices[$0]?.zone })
            #expect(ring.devices[others[0]].map { !zones.contains($0.zone) } == true)
            first[others[0], default: 0] += 1
        }
        // No device bears all the load of one that is away.
        #expect((first.values.max() ?? 0) < ring.partitionCount / 8)
    }

    @Test("what cannot be a ring is refused")
    func refusals() throws {
        #expect(throws: CloudError.self) { try ring([]) }
        #expect(throws: CloudError.self) { try ring([device(1, "a", "h", 0)]) }
        #expect(throws: CloudError.self) { try ring(three + three) }
        let old = try ring(three)
        #expect(throws: CloudError.self) { try ring(three, from: old, power: 13) }
    }
}

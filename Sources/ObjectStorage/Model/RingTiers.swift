// SPDX-License-Identifier: Apache-2.0

/// The devices of a ring by zone and host, as indices, and how many replicas each zone, host and device should hold.
struct RingTiers {
    let devices: [RingDevice]
    let replicas: Int
    /// Of each device.
    private(set) var zoneOf: [Int] = []
    private(set) var hostOf: [Int] = []
    /// Of each zone its hosts, of each host its devices.
    private(set) var hosts: [[Int]] = []
    private(set) var devicesOf: [[Int]] = []

    private(set) var zoneTargets: [Int] = []
    private(set) var hostTargets: [Int] = []
    private(set) var deviceTargets: [Int] = []

    /// Replicas of one partition that a zone holds at least, and at most, while that can be.
    private(set) var zoneFloor: [Int] = []
    private(set) var zoneCeiling: [Int] = []
    /// Of a zone that holds so many replicas of a partition: how many one host of it holds at most.
    private var hostCeilings: [[Int]] = []

    var zoneCount: Int { hosts.count }

    init(_ devices: [RingDevice], replicas: Int, partitions: Int) {
        self.devices = devices
        self.replicas = replicas
        arrange()
        let capacities = hosts.map { $0.reduce(0) { $0 + devicesOf[$1].count } }
        let weights = hosts.map { $0.reduce(0.0) { $0 + weight(ofHost: $1) } }
        let total = Double(replicas)
        let (low, high) = (RingShares.floor(total, capacities), RingShares.ceiling(total, capacities))
        zoneFloor = capacities.map { min(low, $0) }
        zoneCeiling = capacities.map { min(high, $0) }
        zoneTargets = RingShares.whole(
            replicas * partitions, RingShares.shares(total, weights: weights, capacities: capacities))
        hostTargets = devicesOf.map { _ in 0 }
        deviceTargets = devices.map { _ in 0 }
        for zone in hosts.indices { share(zone, partitions) }
    }

    /// `count`: replicas of a partition that the zone holds.
    func hostCeiling(zone: Int, count: Int) -> Int { hostCeilings[zone][min(count, replicas)] }

    private mutating func arrange() {
        var zones: [String: Int] = [:]
        var hostNumbers: [[String]: Int] = [:]
        for (index, device) in devices.enumerated() {
            let zone = zones[device.zone] ?? hosts.count
            if zone == hosts.count { hosts.append([]) }
            zones[device.zone] = zone
            let host = hostNumbers[[device.zone, device.host]] ?? devicesOf.count
            if host == devicesOf.count {
                devicesOf.append([])
                hosts[zone].append(host)
            }
            hostNumbers[[device.zone, device.host]] = host
            devicesOf[host].append(index)
            zoneOf.append(zone)
            hostOf.append(host)
        }
        hostCeilings = hosts.map { hosts in
            (0...replicas).map { RingShares.ceiling(Double($0), hosts.map { devicesOf[$0].count }) }
        }
    }

    private func weight(ofHost host: Int) -> Double { devicesOf[host].reduce(0.0) { $0 + devices[$1].weight } }

    private mutating func share(_ zone: Int, _ partitions: Int) {
        let ofZone = hosts[zone]
        let hostShares = RingShares.shares(
            Double(zoneTargets[zone]) / Double(partitions), weights: ofZone.map { weight(ofHost: $0) },
            capacities: ofZone.map { devicesOf[$0].count })
        for (host, target) in zip(ofZone, RingShares.whole(zoneTargets[zone], hostShares)) {
            hostTargets[host] = target
            let ofHost = devicesOf[host]
            let deviceShares = RingShares.shares(
                Double(target) / Double(partitions), weights: ofHost.map { devices[$0].weight },
                capacities: ofHost.map { _ in 1 })
            for (device, target) in zip(ofHost, RingShares.whole(target, deviceShares)) {
                deviceTargets[device] = target
            }
        }
    }
}

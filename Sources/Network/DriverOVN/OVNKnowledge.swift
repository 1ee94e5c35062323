// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// What the OVN driver knows: the objects that the Northbound database has taken, and what it still has to be told.
struct OVNKnowledge: Sendable {
    /// A call's part: what it writes, and how to forget it.
    struct Work: Sendable {
        var units: Set<OVNUnit>
        var owed: Set<OVNUnit>
        fileprivate var before: [(key: LogicalKey, object: LogicalObject?)]
    }
    /// What `replace` took away.
    struct Former: Sendable {
        fileprivate var world: OVNWorld
        fileprivate var unknown: Set<LogicalKey>
        fileprivate var owed: Set<OVNUnit>
    }

    private(set) var world = OVNWorld()
    /// Whether `world` is whole.
    var isSynchronized = false
    /// Units whose rows may differ from `world`: gateways whose hosts changed, and what a call may have written or not.
    /// Written once the world is whole.
    var owed: Set<OVNUnit> = []
    /// Objects that are kept as they are in the database, and are not in `world`.
    private var unknown: Set<LogicalKey> = []

    /// Units that would be computed wrong: what is unknown, and what depends on it.
    var untouched: Set<OVNUnit> { units(dependingOn: unknown) }

    private func units(dependingOn keys: Set<LogicalKey>) -> Set<OVNUnit> {
        keys.reduce(into: []) { $0.formUnion($1.units.union(world.dependents(of: $1))) }
    }

    // MARK: Calls

    /// Notes changes. The work is to be accepted, or taken back when it fails: an object that was refused must not be
    /// in the way of the next that touches it.
    mutating func take(_ changes: [(LogicalKey, LogicalObject?)]) -> Work {
        var work = Work(units: [], owed: isSynchronized ? takeOwed() : [], before: [])
        for (key, object) in changes {
            work.before.append((key, world[key]))
            var units = object.map { world.set($0) } ?? world.remove(key)
            // With half the world unknown, what belongs to many objects would be computed from a part of them.
            if !isSynchronized { units.formIntersection([key.unit]) }
            work.units.formUnion(units)
        }
        let given = Set(changes.map(\.0))
        work.units.subtract(units(dependingOn: unknown.subtracting(given)).subtracting(given.flatMap(\.units)))
        return work
    }

    mutating func accept(_ keys: [LogicalKey]) { unknown.subtract(keys) }

    /// `isRefused`: nothing of it was written. Else nobody knows, and the units are written again in any case.
    mutating func takeBack(_ work: Work, isRefused: Bool) {
        for (key, object) in work.before.reversed() { _ = object.map { world.set($0) } ?? world.remove(key) }
        owed.formUnion(work.owed)
        if !isRefused { owed.formUnion(work.units) }
    }

    /// Without what must not be touched: the object that is unknown brings it, when it comes.
    mutating func takeOwed() -> Set<OVNUnit> {
        defer { owed = [] }
        return owed.subtracting(untouched)
    }

    // MARK: Everything

    /// Takes the whole world anew. Of what is kept, the last known value stays.
    mutating func replace(with objects: [LogicalObject], keeping kept: Set<LogicalKey>) -> Former {
        let former = Former(world: world, unknown: unknown, owed: takeOwed())
        var new = OVNWorld(objects.filter { !kept.contains($0.key) }, gatewayChassis: world.gatewayChassis)
        unknown = kept.filter { world[$0] == nil }
        for key in kept { if let object = world[key] { _ = new.set(object) } }
        world = new
        return former
    }

    mutating func restore(_ former: Former) {
        let chassis = world.gatewayChassis
        world = former.world
        unknown = former.unknown
        owed.formUnion(former.owed)
        setChassis(chassis)
    }

    // MARK: Hosts

    mutating func setChassis(_ chassis: [OVNGatewayChassis]) {
        guard world.gatewayChassis != chassis else { return }
        world.gatewayChassis = chassis
        owed.formUnion(world.gatewayRouters)
    }
}

extension LogicalKey {
    /// The unit that is this object alone.
    var unit: OVNUnit {
        switch self {
        case .network(let id): .network(id.rawValue)
        case .port(let id): .port(id.rawValue)
        case .router(let id): .router(id.rawValue)
        case .securityGroup(let id): .group(id.rawValue)
        case .addressGroup(let id): .addresses(id.rawValue)
        }
    }

    /// Every unit that there is because of it.
    var units: Set<OVNUnit> {
        if case .network(let id) = self { [unit, .names(id.rawValue)] } else { [unit] }
    }
}

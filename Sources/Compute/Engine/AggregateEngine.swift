// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import MessagingKit

/// Host aggregates and the availability zones that they make. For administrators: the routes' rules say so.
package struct AggregateEngine: Sendable {
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    package func list() async throws -> [HostAggregate] {
        let stores = parts.stores
        return try await parts.database.read { try stores.aggregates.all($0) }
    }

    package func aggregate(_ number: Int64) async throws -> HostAggregate {
        let stores = parts.stores
        guard let found = try await parts.database.read({ try stores.aggregates.aggregate(number, $0) }) else {
            throw Self.notFound(number)
        }
        return found
    }

    private static func notFound(_ number: Int64) -> CloudError {
        .notFound("Aggregate \(number) could not be found.", kind: "AggregateNotFound")
    }

    package func create(name: String, zone: String?) async throws -> HostAggregate {
        let (stores, now, uuid) = (parts.stores, parts.clock.now(), parts.ids.uuid())
        return try await parts.database.write { transaction in
            try Self.checkName(name, besides: nil, stores, transaction)
            let aggregate = HostAggregate(
                number: try stores.aggregates.nextNumber(transaction), uuid: uuid, name: name, zone: zone, hosts: [],
                metadata: [:], createdAt: now, updatedAt: nil)
            try stores.aggregates.insert(aggregate, transaction)
            return aggregate
        }
    }

    /// `change` says what it becomes; the hosts of an aggregate may be in one zone only.
    package func edit(
        _ number: Int64, _ change: @escaping @Sendable (inout HostAggregate) throws -> Void
    ) async throws -> HostAggregate {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            guard let old = try stores.aggregates.aggregate(number, transaction) else { throw Self.notFound(number) }
            var aggregate = old
            try change(&aggregate)
            aggregate.updatedAt = now
            if aggregate.name != old.name { try Self.checkName(aggregate.name, besides: number, stores, transaction) }
            if aggregate.zone != old.zone {
                try Self.asBadRequest {
                    try Self.checkZone(of: aggregate.hosts, aggregate, "update", stores, transaction)
                    try Self.checkNoServers(on: aggregate.hosts, aggregate, "update", stores, transaction)
                }
            }
            try stores.aggregates.update(aggregate, transaction)
            return aggregate
        }
    }

    package func delete(_ number: Int64) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard let aggregate = try stores.aggregates.aggregate(number, transaction) else {
                throw Self.notFound(number)
            }
            guard aggregate.hosts.isEmpty else {
                throw CloudError.badRequest(
                    "Cannot remove host aggregate \(number). Reason: Host aggregate is not empty.",
                    kind: "InvalidAggregateAction")
            }
            try stores.aggregates.delete(number, transaction)
        }
    }

    package func addHost(_ host: String, to number: Int64) async throws -> HostAggregate {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            guard var aggregate = try stores.aggregates.aggregate(number, transaction) else {
                throw Self.notFound(number)
            }
            guard try stores.hosts.host(host, transaction) != nil else {
                throw CloudError.notFound("Compute host \(host) could not be found.", kind: "ComputeHostNotFound")
            }
            guard !aggregate.hosts.contains(host) else {
                throw CloudError.conflict(
                    "Aggregate \(number) already has host \(host).", kind: "AggregateHostExists")
            }
            try Self.checkZone(of: [host], aggregate, "add host to", stores, transaction)
            if aggregate.zone != nil, try stores.aggregates.zones(transaction)[host] != aggregate.zone {
                try Self.checkNoServers(on: [host], aggregate, "add host to", stores, transaction)
            }
            try stores.aggregates.addHost(host, to: number, transaction)
            aggregate.hosts = (aggregate.hosts + [host]).sorted()
            aggregate.updatedAt = now
            try stores.aggregates.update(aggregate, transaction)
            return aggregate
        }
    }

    package func removeHost(_ host: String, from number: Int64) async throws -> HostAggregate {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { transaction in
            guard var aggregate = try stores.aggregates.aggregate(number, transaction) else {
                throw Self.notFound(number)
            }
            guard aggregate.hosts.contains(host) else {
                throw CloudError.notFound("Aggregate \(number) has no host \(host).", kind: "AggregateHostNotFound")
            }
            if aggregate.zone != nil {
                try Self.checkNoServers(on: [host], aggregate, "remove host from", stores, transaction)
            }
            try stores.aggregates.removeHost(host, from: number, transaction)
            aggregate.hosts.removeAll { $0 == host }
            aggregate.updatedAt = now
            try stores.aggregates.update(aggregate, transaction)
            return aggregate
        }
    }

    // MARK: Images

    /// Asks the hosts that are up to fetch the images ahead of their guests. Best effort: who hears nothing fetches
    /// them when it needs them.
    package func cacheImages(_ ids: [String], on number: Int64, for principal: Principal) async throws {
        let aggregate = try await aggregate(number)
        guard !aggregate.hosts.isEmpty else {
            throw CloudError.badRequest("Images cannot be cached because aggregate \(number) has no hosts.")
        }
        var images: [GuestSpecification.RootImage] = []
        for id in ids {
            guard let image = try await parts.images.image(ID(id), for: principal), image.status == "active",
                let format = image.diskFormat
            else { throw CloudError.badRequest("Image \(id) could not be found.", kind: "ImageNotFound") }
            images.append(
                .init(
                    imageID: id, format: format, virtualSizeBytes: image.virtualSizeBytes,
                    properties: image.properties))
        }
        for host in aggregate.hosts where try await parts.isUp(host) {
            for image in images { try await parts.bus.cast(host, CacheImage(image: image)) }
        }
    }

    // MARK: Rules

    /// nova answers 409 for a host and 400 for the aggregate itself.
    private static func asBadRequest(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch let error as CloudError where error.code == .conflict {
            throw CloudError.badRequest(error.message, kind: error.kind)
        }
    }

    private static func checkName(
        _ name: String, besides number: Int64?, _ stores: ComputeStores, _ transaction: any Transaction
    ) throws {
        guard try !stores.aggregates.all(transaction).contains(where: { $0.name == name && $0.number != number }) else {
            throw CloudError.conflict("Aggregate \(name) already exists.", kind: "AggregateNameExists")
        }
    }

    private static func checkZone(
        of hosts: [String], _ aggregate: HostAggregate, _ action: String, _ stores: ComputeStores,
        _ transaction: any Transaction
    ) throws {
        guard let zone = aggregate.zone else { return }
        let others = try stores.aggregates.all(transaction).filter {
            $0.number != aggregate.number && $0.zone != nil && $0.zone != zone
        }
        guard !others.contains(where: { !Set($0.hosts).isDisjoint(with: hosts) }) else {
            throw CloudError.conflict(
                "Cannot \(action) aggregate \(aggregate.number). Reason: One or more hosts already in availability "
                    + "zone(s) \(others.compactMap(\.zone)).", kind: "InvalidAggregateAction")
        }
    }

    /// A host keeps its zone while servers were put there because of it.
    private static func checkNoServers(
        on hosts: [String], _ aggregate: HostAggregate, _ action: String, _ stores: ComputeStores,
        _ transaction: any Transaction
    ) throws {
        for host in hosts where try !stores.servers.onHost(host, transaction).isEmpty {
            throw CloudError.conflict(
                "Cannot \(action) aggregate \(aggregate.number). Reason: One or more hosts contain instances in this "
                    + "zone. Move them to another host first, or shelve and unshelve them to change their zone.",
                kind: "InvalidAggregateAction")
        }
    }
}

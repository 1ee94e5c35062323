// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import OVSDBKit
import Synchronization

/// The hosts of the cloud, from the Southbound database, and which of them still follow.
final class OVNHosts: Sendable {
    private struct State {
        /// What the counter was when everybody was asked last.
        var target: Int64 = 0
        /// When each host was last seen to have followed.
        var followed: [String: ContinuousClock.Instant] = [:]
    }
    private let state = Mutex(State())

    static let monitor = OVSDBMonitor(
        database: "OVN_Southbound",
        tables: [
            .init("Chassis", ["name", "hostname", "external_ids", "other_config"]),
            .init("Chassis_Private", ["name", "nb_cfg"]),
        ])

    /// Chassis that say `enable-chassis-as-gw`, by name.
    static func gatewayChassis(_ replica: OVSDBReplica) -> [OVNGatewayChassis] {
        replica.rows("Chassis").values
            .filter(isGateway)
            .map { row in
                let mappings = setting("ovn-bridge-mappings", of: row).split(separator: ",")
                return OVNGatewayChassis(
                    name: row.string("name"),
                    physicalNetworks: Set(mappings.compactMap { $0.split(separator: ":").first.map(String.init) }))
            }
            .sorted { $0.name < $1.name }
    }

    /// From the Northbound database: what it was told of routers' gateways, the highest priority first.
    static func gatewayPlaces(_ replica: OVSDBReplica) -> [RouterID: [String]] {
        let kind = "router:"
        var priorities: [RouterID: [String: Int64]] = [:]
        for row in replica.rows(OVNTable.gatewayChassis.rawValue).values {
            guard let owner = row.value("external_ids", key: OVNRow.ownerID), owner.hasPrefix(kind) else { continue }
            let router = RouterID(String(owner.dropFirst(kind.count)))
            let chassis = row.string("chassis_name")
            priorities[router, default: [:]][chassis] = max(
                row.int("priority"), priorities[router]?[chassis] ?? 0)
        }
        return priorities.mapValues { places in
            places.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map(\.key)
        }
    }

    func asked(_ target: Int64) { state.withLock { $0.target = target } }

    func observe(_ replica: OVSDBReplica, now: ContinuousClock.Instant) {
        state.withLock { Self.observe(replica, now, &$0) }
    }

    func chassis(
        _ replica: OVSDBReplica, downAfter limit: Duration, now: ContinuousClock.Instant
    ) -> [NetworkChassis] {
        let followed = state.withLock { state in
            Self.observe(replica, now, &state)
            return state.followed
        }
        return replica.rows("Chassis").values
            .map { row in
                let name = row.string("name")
                return NetworkChassis(
                    id: name, hostname: row.string("hostname"), isGateway: Self.isGateway(row),
                    isAlive: followed[name].map { now - $0 < limit } ?? false)
            }
            .sorted { $0.hostname < $1.hostname }
    }

    private static func observe(_ replica: OVSDBReplica, _ now: ContinuousClock.Instant, _ state: inout State) {
        var followed: [String: ContinuousClock.Instant] = [:]
        for row in replica.rows("Chassis_Private").values {
            let name = row.string("name")
            // A host that is new has the full time to follow.
            let hasFollowed = row.int("nb_cfg") >= state.target
            followed[name] = hasFollowed ? now : state.followed[name] ?? now
        }
        state.followed = followed
    }

    private static func isGateway(_ row: OVSDBRow) -> Bool {
        setting("ovn-cms-options", of: row).split(separator: ",").contains("enable-chassis-as-gw")
    }

    /// Newer versions keep a host's settings in `other_config`, older ones in `external_ids`.
    private static func setting(_ key: String, of row: OVSDBRow) -> String {
        row.value("other_config", key: key) ?? row.value("external_ids", key: key) ?? ""
    }
}

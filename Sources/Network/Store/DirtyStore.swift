// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract

/// Which objects the data plane has not been told of yet. Written in the transaction that changes them, so no change
/// is lost with the process.
enum DirtyStore {
    struct Mark: Sendable, Equatable {
        var key: LogicalKey
        var stamp: Int64
    }

    /// `stamp` grows from mark to mark of an object: work that read an older mark does not clear a newer one.
    static func mark(_ key: LogicalKey, stamp: Int64, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO network_dirty (kind, id, stamp) VALUES (\(key.kind), \(key.rawID), \(stamp))
            ON CONFLICT (kind, id) DO UPDATE
               SET stamp = CASE WHEN excluded.stamp > network_dirty.stamp
                                THEN excluded.stamp ELSE network_dirty.stamp + 1 END
            """)
    }

    /// The oldest. Kinds that another version of the program knows are left to it.
    static func marks(limit: Int, _ transaction: any Transaction) throws -> [Mark] {
        try transaction.query(
            """
            SELECT kind, id, stamp FROM network_dirty WHERE kind IN \(list: LogicalKey.kinds)
             ORDER BY stamp, id LIMIT \(limit)
            """
        ) { row in
            LogicalKey(kind: row.text(0), rawID: row.text(1)).map { Mark(key: $0, stamp: row.int64(2)) }
        }.compactMap { $0 }
    }

    static func clear(_ marks: [Mark], _ transaction: any Transaction) throws {
        for mark in marks {
            try transaction.execute(
                """
                DELETE FROM network_dirty
                 WHERE kind = \(mark.key.kind) AND id = \(mark.key.rawID) AND stamp = \(mark.stamp)
                """)
        }
    }

    static func isEmpty(_ transaction: any Transaction) throws -> Bool {
        try !transaction.exists("SELECT 1 FROM network_dirty LIMIT 1")
    }
}

extension LogicalKey {
    static let kinds = ["network", "port", "router", "security_group", "address_group"]

    var kind: String {
        switch self {
        case .network: "network"
        case .port: "port"
        case .router: "router"
        case .securityGroup: "security_group"
        case .addressGroup: "address_group"
        }
    }

    var rawID: String {
        switch self {
        case .network(let id): id.rawValue
        case .port(let id): id.rawValue
        case .router(let id): id.rawValue
        case .securityGroup(let id): id.rawValue
        case .addressGroup(let id): id.rawValue
        }
    }

    init?(kind: String, rawID: String) {
        switch kind {
        case "network": self = .network(ID(rawID))
        case "port": self = .port(ID(rawID))
        case "router": self = .router(ID(rawID))
        case "security_group": self = .securityGroup(ID(rawID))
        case "address_group": self = .addressGroup(ID(rawID))
        default: return nil
        }
    }
}

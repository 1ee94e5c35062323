// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit

/// The cloud's own traits and resource classes. The standard ones are part of the program.
package struct PlacementNameStore: Sendable {
    package init() {}

    struct Named {
        var name: String
        var createdAt: Timestamp?
    }

    // MARK: Traits

    func customTraits(_ tx: any Transaction) throws -> [Named] {
        try tx.query("SELECT name, created_at FROM placement_traits ORDER BY name") {
            Named(name: $0.text(0), createdAt: $0.timestamp(1))
        }
    }

    func trait(_ name: String, _ tx: any Transaction) throws -> Named? {
        if StandardTraits.set.contains(name) { return Named(name: name, createdAt: nil) }
        return try tx.first("SELECT name, created_at FROM placement_traits WHERE name = \(name)") {
            Named(name: $0.text(0), createdAt: $0.timestamp(1))
        }
    }

    /// Of `names`, those that do not exist.
    func missingTraits(_ names: some Sequence<String>, _ tx: any Transaction) throws -> Set<String> {
        let custom = Set(names).subtracting(StandardTraits.set)
        guard !custom.isEmpty else { return [] }
        return custom.subtracting(
            try tx.query("SELECT name FROM placement_traits WHERE name IN \(list: custom)") { $0.text(0) })
    }

    /// False: it was there.
    func insertTrait(_ name: String, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            "INSERT INTO placement_traits (name, created_at) VALUES (\(name), \(time)) ON CONFLICT (name) DO NOTHING")
            == 1
    }

    func deleteTrait(_ name: String, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_traits WHERE name = \(name)")
    }

    func isTraitUsed(_ name: String, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM placement_provider_traits WHERE trait = \(name)")
    }

    func usedTraits(_ tx: any Transaction) throws -> Set<String> {
        Set(try tx.query("SELECT DISTINCT trait FROM placement_provider_traits") { $0.text(0) })
    }

    // MARK: Resource classes

    func customClasses(_ tx: any Transaction) throws -> [Named] {
        try tx.query("SELECT name, created_at FROM placement_resource_classes ORDER BY name") {
            Named(name: $0.text(0), createdAt: $0.timestamp(1))
        }
    }

    func resourceClass(_ name: String, _ tx: any Transaction) throws -> Named? {
        if StandardResourceClasses.set.contains(name) { return Named(name: name, createdAt: nil) }
        return try tx.first("SELECT name, created_at FROM placement_resource_classes WHERE name = \(name)") {
            Named(name: $0.text(0), createdAt: $0.timestamp(1))
        }
    }

    /// Of `names`, those that do not exist.
    func missingClasses(_ names: some Sequence<String>, _ tx: any Transaction) throws -> Set<String> {
        let custom = Set(names).subtracting(StandardResourceClasses.set)
        guard !custom.isEmpty else { return [] }
        return custom.subtracting(
            try tx.query("SELECT name FROM placement_resource_classes WHERE name IN \(list: custom)") { $0.text(0) })
    }

    /// False: it was there.
    func insertClass(_ name: String, at time: Timestamp, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            INSERT INTO placement_resource_classes (name, created_at) VALUES (\(name), \(time))
            ON CONFLICT (name) DO NOTHING
            """) == 1
    }

    func deleteClass(_ name: String, _ tx: any Transaction) throws {
        try tx.execute("DELETE FROM placement_resource_classes WHERE name = \(name)")
    }

    func isClassUsed(_ name: String, _ tx: any Transaction) throws -> Bool {
        try tx.exists("SELECT 1 FROM placement_inventories WHERE resource_class = \(name)")
    }
}

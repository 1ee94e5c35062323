// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

/// What providers have. The column `used` is counted again from the allocations by every statement that may change it.
package struct InventoryStore: Sendable {
    package init() {}

    private static let columns: SQL = """
        resource_class, total, reserved, min_unit, max_unit, step_size, allocation_ratio, used, updated_at
        """

    private static func record(_ row: any Row) -> InventoryRecord {
        InventoryRecord(
            row.text(0),
            ResourceInventory(
                total: row.int64(1), reserved: row.int64(2), minUnit: row.int64(3), maxUnit: row.int64(4),
                stepSize: row.int64(5), allocationRatio: Double(row.text(6)) ?? 1),
            used: row.int64(7), updatedAt: row.timestamp(8))
    }

    func records(of provider: ResourceProviderID, _ tx: any Transaction) throws -> [InventoryRecord] {
        try tx.query(
            """
            SELECT \(Self.columns) FROM placement_inventories WHERE provider_id = \(provider) ORDER BY resource_class
            """, Self.record)
    }

    func record(of provider: ResourceProviderID, _ resourceClass: String, _ tx: any Transaction) throws
        -> InventoryRecord?
    {
        try tx.first(
            """
            SELECT \(Self.columns) FROM placement_inventories
             WHERE provider_id = \(provider) AND resource_class = \(resourceClass)
            """, Self.record)
    }

    /// Writes one record, new or not.
    func put(_ record: InventoryRecord, of provider: ResourceProviderID, _ tx: any Transaction) throws {
        let inventory = record.inventory
        try tx.execute(
            """
            INSERT INTO placement_inventories (provider_id, resource_class, total, reserved, min_unit, max_unit, step_size,
                                               allocation_ratio, capacity, used, updated_at)
            VALUES (\(provider), \(record.resourceClass), \(inventory.total), \(inventory.reserved), \(inventory.minUnit),
                    \(inventory.maxUnit), \(inventory.stepSize), \(String(inventory.allocationRatio)),
                    \(inventory.capacity), 0, \(record.updatedAt))
            ON CONFLICT (provider_id, resource_class) DO UPDATE
               SET total = excluded.total, reserved = excluded.reserved, min_unit = excluded.min_unit,
                   max_unit = excluded.max_unit, step_size = excluded.step_size,
                   allocation_ratio = excluded.allocation_ratio, capacity = excluded.capacity,
                   updated_at = excluded.updated_at
            """)
        try recount(provider, [record.resourceClass], tx)
    }

    func delete(_ resourceClass: String, of provider: ResourceProviderID, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            "DELETE FROM placement_inventories WHERE provider_id = \(provider) AND resource_class = \(resourceClass)")
            == 1
    }

    /// Counts what consumers hold of these classes.
    func recount(_ provider: ResourceProviderID, _ classes: some Sequence<String>, _ tx: any Transaction) throws {
        try tx.execute(
            """
            UPDATE placement_inventories
               SET used = (SELECT COALESCE(SUM(a.used), 0) FROM placement_allocations a
                            WHERE a.provider_id = placement_inventories.provider_id
                              AND a.resource_class = placement_inventories.resource_class)
             WHERE provider_id = \(provider) AND resource_class IN \(list: classes)
            """)
    }

    /// Of `classes`, those that consumers hold something of.
    func heldClasses(_ classes: some Sequence<String>, of provider: ResourceProviderID, _ tx: any Transaction) throws
        -> Set<String>
    {
        Set(
            try tx.query(
                """
                SELECT DISTINCT resource_class FROM placement_allocations
                 WHERE provider_id = \(provider) AND resource_class IN \(list: classes)
                """
            ) { $0.text(0) })
    }
}

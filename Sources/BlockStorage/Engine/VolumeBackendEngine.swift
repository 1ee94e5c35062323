// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import MessagingKit

/// Hears what backends say of themselves, and keeps their rows.
package struct VolumeBackendEngine: Sendable {
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    /// Before the server runs.
    package func listen(on server: BusServer) {
        let engine = self
        server.hear(VolumeBackendReport.self) { try await engine.record($0) }
    }

    package func record(_ report: VolumeBackendReport) async throws {
        let (stores, now, zone, id) = (parts.stores, parts.clock.now(), parts.config.defaultZone, parts.ids.uuid())
        let isNew = try await parts.database.write { transaction in
            let isNew = try stores.backends.backend(report.address, transaction) == nil
            try stores.backends.report(report, zone: zone, serviceID: id, at: now, transaction)
            return isNew
        }
        if isNew { parts.log.info("backend reports", ["backend": report.address, "pool": report.pool.name]) }
    }

    package func backends() async throws -> [VolumeBackend] {
        let stores = parts.stores
        return try await parts.database.read { try stores.backends.all($0) }
    }
}

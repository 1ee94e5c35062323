// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

/// Why something that was accepted failed, for the user to read.
package struct VolumeMessageEngine: Sendable {
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    private static func notFound(_ id: VolumeMessageID) -> CloudError {
        .notFound("Message \(id.rawValue.prefix(255)) could not be found.", kind: "MessageNotFound")
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage) async throws -> [VolumeMessage] {
        let stores = parts.stores
        return try await parts.database.read { try stores.messages.list(filter, page, $0) }
    }

    /// The caller's own; of every project for an administrator.
    package func message(_ id: VolumeMessageID, for context: CallContext) async throws -> VolumeMessage {
        let stores = parts.stores
        guard let message = try await parts.database.read({ try stores.messages.message(id, $0) }),
            context.sees(message.projectID)
        else { throw Self.notFound(id) }
        try context.authorize(PolicyTarget(project: message.projectID))
        return message
    }

    package func delete(_ id: VolumeMessageID, for context: CallContext) async throws {
        _ = try await message(id, for: context)
        let stores = parts.stores
        try await parts.database.write { try stores.messages.delete(id, $0) }
    }

    /// Removes what has expired. Returns how many.
    package func purge() async throws -> Int {
        let (stores, now) = (parts.stores, parts.clock.now())
        return try await parts.database.write { try stores.messages.purge(at: now, $0) }
    }
}

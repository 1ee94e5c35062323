// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import SecurityKit

/// Backups as records that another database of the same store takes over.
extension VolumeBackupEngine {
    package struct Record: Sendable {
        package var service: String
        /// Base64 of JSON, as upstream's.
        package var url: String
        package init(service: String, url: String) {
            self.service = service
            self.url = url
        }
    }

    private struct Content: Codable, Sendable {
        var id: VolumeBackupID
        /// By which the store knows the bytes, where that is another id.
        var dataID: VolumeBackupID?
        var size: Int
        var name: String?
        var description: String?
        var container: String?
        var parentID: VolumeBackupID?
        var keyID: VolumeKeyID?
        var objectCount: Int
        var metadata: [String: String]
        var facts: VolumeBackup.VolumeFacts
        var dataTimestamp: Timestamp
        var service: String
    }

    package func export(_ id: VolumeBackupID, for context: CallContext) async throws -> Record {
        let stores = parts.stores
        let backup = try await parts.database.read { try Self.load(id, context, nil, stores, $0) }
        guard backup.status == .available else {
            throw Self.invalid("Backup status must be available and not \(backup.status.rawValue).")
        }
        let content = Content(
            id: backup.id, dataID: backup.dataID, size: backup.sizeGiB, name: backup.name, description: backup.description,
            container: backup.container, parentID: backup.parentID, keyID: backup.keyID,
            objectCount: backup.objectCount, metadata: backup.metadata, facts: backup.volumeFacts,
            dataTimestamp: backup.dataTimestamp, service: backup.service)
        return Record(
            service: backup.service, url: Base64.encode(Array(try JSONValueEncoder.text(content).utf8)))
    }

    private static func badRecord(_ reason: String) -> CloudError { VolumeErrors.invalidInput(reason) }

    /// The bytes must be in this cloud's store already. Administrators alone make rows of records: a record names
    /// anybody's backup.
    package func importRecord(_ record: Record, for context: CallContext) async throws -> VolumeBackup {
        let project = try context.requireProject()
        guard let bytes = Base64.decode(record.url) else {
            throw Self.badRecord("Can't decode backup record.")
        }
        let text = String(decoding: bytes, as: UTF8.self)
        guard case .object(let fields)? = try? JSONReader.read(text) else {  // another's text: refused
            throw Self.badRecord("Can't parse backup record.")
        }
        guard fields["id"] != nil else { throw Self.badRecord("Provided backup record is missing an id") }
        guard fields["size"] != nil else { throw Self.badRecord("Provided backup record is missing size attribute") }
        guard let content = try? JSONValueDecoder.decode(Content.self, from: text) else {  // another's text: refused
            throw Self.badRecord("Can't parse backup record.")
        }
        guard record.service == parts.backupStore.service, content.service == record.service else {
            throw CloudError(
                .unavailable, "Service \(record.service.prefix(255)) could not be found.", kind: "ServiceNotFound")
        }
        guard UUIDText.isUUID(content.id.rawValue), content.size > 0, content.size <= Int(Int32.max) else {
            throw Self.badRecord("Provided backup record is missing an id")
        }
        let texts = [content.name, content.description, content.container].compactMap { $0 }
            + content.metadata.flatMap { [$0.key, $0.value] }
        guard content.objectCount >= 0, texts.allSatisfy({ $0.unicodeScalars.count <= 255 && !$0.utf8.contains(0) })
        else { throw Self.badRecord("A value of the backup record is too long or out of range.") }
        let data = content.dataID ?? content.id
        guard UUIDText.isUUID(data.rawValue), let kept = try await parts.backupStore.content(data),
            kept.sizeBytes <= Int64(content.size) << 30
        else { throw Self.invalid("The backup is not in the store.") }
        return try await save(content, kept, project, context)
    }

    private func save(
        _ content: Content, _ kept: BackupContent, _ project: ProjectID, _ context: CallContext
    ) async throws -> VolumeBackup {
        let (parts, now) = (parts, parts.clock.now())
        return try await parts.database.write { transaction in
            let stores = parts.stores
            guard try stores.backups.backup(content.id, transaction) == nil else {
                throw Self.invalid("Backup already exists in database.")
            }
            let data = content.dataID ?? content.id
            guard try !stores.backups.holders(ofData: data, transaction).contains(where: { $0.status == .deleting })
            else { throw Self.invalid("The backup is not in the store.") }
            try BlockStorageQuotas(parts).checkBackup(content.size, of: project, transaction)
            var backup = VolumeBackup(
                id: content.id, projectID: project, userID: context.principal.userID,
                volumeID: VolumeBackup.importedVolume, sizeGiB: content.size, zone: parts.config.defaultZone,
                host: try stores.backends.all(transaction).first?.address.split(separator: "@").first.map(String.init)
                    ?? "", service: content.service, createdAt: now)
            backup.name = content.name
            backup.description = content.description
            backup.container = content.container
            backup.dataID = data
            backup.parentID = try kept.parent.flatMap {
                try stores.backups.holders(ofData: $0, transaction).first?.id ?? $0
            }
            backup.objectCount = kept.objectCount
            backup.metadata = content.metadata
            backup.volumeFacts = content.facts
            backup.dataTimestamp = content.dataTimestamp
            backup.status = .available
            if let key = content.keyID {
                guard try stores.keys.sealed(key, transaction) != nil else {
                    throw Self.invalid("The key of the backup is not in this cloud.")
                }
                backup.keyID = key
            }
            try stores.backups.insert(backup, transaction)
            return backup
        }
    }
}

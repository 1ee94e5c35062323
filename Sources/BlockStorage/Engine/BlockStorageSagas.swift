// SPDX-License-Identifier: Apache-2.0
import TaskKit

/// The sagas of Block Storage, for the registry of the process. One line each.
package enum BlockStorageSagas {
    package static func register(on registry: SagaRegistry, _ parts: BlockStorageParts) {
        registry.register(CreateVolumeSaga.self, parts)
        registry.register(DeleteVolumeSaga.self, parts)
        registry.register(ExtendVolumeSaga.self, parts)
        registry.register(RewriteVolumeSaga.self, parts)
        registry.register(UploadVolumeSaga.self, parts)
        registry.register(MigrateVolumeSaga.self, parts)
        registry.register(MigrateAttachedVolumeSaga.self, parts)
        registry.register(CreateSnapshotSaga.self, parts)
        registry.register(DeleteSnapshotSaga.self, parts)
        registry.register(CreateBackupSaga.self, parts)
        registry.register(RestoreBackupSaga.self, parts)
        registry.register(DeleteBackupSaga.self, parts)
        registry.register(CreateGroupSaga.self, parts)
        registry.register(DeleteGroupSaga.self, parts)
        registry.register(CreateGroupSnapshotSaga.self, parts)
        registry.register(DeleteGroupSnapshotSaga.self, parts)
    }
}

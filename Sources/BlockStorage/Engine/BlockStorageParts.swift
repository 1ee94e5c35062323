// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import IdentityContract
import ImageContract
import LogKit
import MessagingKit
import Synchronization
import TaskKit

/// What engines and sagas of Block Storage are made of.
package struct BlockStorageParts: Sendable {
    package let database: any Database
    package let bus: any MessageBus
    package let images: any ImageService
    /// Nil: no image can be made of a volume.
    package let imageUpload: (any ImageUpload)?
    package let identity: any IdentityService
    package let compute: ComputeLink
    package let keyring: VolumeKeyring
    package let config: BlockStorageConfig
    package let clock: WallClock
    package let ids: IDSource
    package let stores = BlockStorageStores()
    /// Where the bytes of backups are.
    package let backupStore: any BackupStore
    package let log = Logger("block-storage")

    package init(
        database: any Database, bus: any MessageBus, images: any ImageService, imageUpload: (any ImageUpload)?,
        identity: any IdentityService, compute: ComputeLink, keyring: VolumeKeyring, config: BlockStorageConfig,
        mounter: any ShareMounter, clock: WallClock, ids: IDSource
    ) {
        self.database = database
        self.bus = bus
        self.images = images
        self.imageUpload = imageUpload
        self.identity = identity
        self.compute = compute
        self.keyring = keyring
        self.config = config
        backupStore = config.backupStore(mounter)
        self.clock = clock
        self.ids = ids
    }

    /// Asks the agent of a backend (`host@backend`, or with its pool), and names it in what the log hears of a failure,
    /// not in what the caller does.
    @discardableResult
    package func call(
        _ backend: String, _ work: VolumeCommand.Work, timeout: Duration? = nil
    ) async throws -> VolumeCommandReply {
        let address = VolumeBackend.address(of: backend)
        do {
            return try await bus.call(address, VolumeCommand(work), timeout: timeout ?? config.commandTimeout)
        } catch let error as CloudError {
            throw CloudError(
                error.code, error.message, kind: error.kind,
                cause: "backend \(address)" + (error.cause.map { ": \($0)" } ?? ""))
        }
    }

    /// Whether the backend's agent reports. False for one that is not there.
    package func isUp(_ backend: String) async throws -> Bool {
        let (stores, now, limit) = (stores, clock.now(), config.backendTimeout)
        let address = VolumeBackend.address(of: backend)
        return try await database.read { try stores.backends.backend(address, $0)?.isUp(at: now, limit: limit) ?? false }
    }
}

/// Compute, which is made after Block Storage because each needs the other. Set once, before requests come.
package final class ComputeLink: Sendable {
    private let compute = Mutex<(any ComputeService)?>(nil)

    package init() {}

    package func set(_ service: any ComputeService) { compute.withLock { $0 = service } }

    /// Nil: this cloud has no Compute.
    package var service: (any ComputeService)? { compute.withLock { $0 } }
}

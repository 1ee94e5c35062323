// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import ObjectStorageContract
import Synchronization

/// The store as engines see it: every account, container and object by its path, wherever the ring puts its replicas.
///
/// A write is answered when a majority of replicas is durable; a device that is away is replaced by the next hand-off
/// device of the ring. A read asks the replicas in the ring's order, and compares them all while one of them may have
/// missed a write. Fewer than a majority: `.unavailable`. Nothing here knows of users, headers' meaning or HTTP.
///
/// The members that engines use are in three files: this one (policies, time), `StorageCluster+Indexes.swift`
/// (accounts and containers) and `StorageCluster+Objects.swift`.
package final class StorageCluster: Sendable {
    package struct Limits: Sendable {
        /// How long a device that did not answer is asked last.
        package var awayTime = Duration.seconds(5)
        /// How long an answer waits for the replicas beyond the majority.
        package var grace = Duration.milliseconds(500)
        /// How long a device may take for a call, beside those that move an object's bytes.
        package var deviceTimeout = Duration.seconds(15)
        /// Hand-off devices that are asked for one partition, beside as many as it has replicas.
        package var extraHandoffs = 2
        package init() {}
    }

    /// Gives each write its time. Two writes of a process never share one.
    package let clock: WriteClock
    let hash: PathHash
    let limits: Limits
    package let devices: DeviceDirectory
    package let updater: IndexUpdater
    package let repairs: RepairQueue
    let background: BackgroundTasks
    let log = Logger("object-storage")
    private let current: Mutex<StorageLayout>

    package init(
        layout: StorageLayout, devices: DeviceDirectory, hash: PathHash, clock: WriteClock, background: BackgroundTasks,
        limits: Limits = Limits()
    ) {
        current = Mutex(layout)
        self.devices = devices
        self.hash = hash
        self.clock = clock
        self.background = background
        self.limits = limits
        updater = IndexUpdater()
        repairs = RepairQueue()
    }

    // MARK: Policies and places

    /// Storage policies: names, which one is the default.
    package var policies: StoragePolicies { layout.policies }

    /// The rings as they are now. Replaced as a whole when a ring changes; a call keeps the one it began with.
    package var layout: StorageLayout { current.withLock { $0 } }

    /// Takes new rings: reads look at the former places too, until the replicator has moved what lies there.
    package func adopt(_ layout: StorageLayout) { current.withLock { $0 = layout } }

    /// Where the replicas of `path` are: `policy` counts for objects alone.
    package func place(_ path: ObjectPath, policy: Int = 0) throws -> StoragePlace {
        let kind: StorageKind =
            if path.object != nil { .objects(policy: policy) } else if path.container != nil { .containers } else {
                .accounts
            }
        guard let ring = layout.ring(kind) else {
            throw CloudError(.unavailable, "The storage policy has no devices.", cause: "no ring for \(kind)")
        }
        let digest = hash.digest(path)
        let partition = ring.partition(of: digest)
        let location = StorageLocation(
            path: path, policy: path.object == nil ? 0 : policy, partition: partition, hash: Hex.encode(digest))
        return StoragePlace(kind: kind, location: location, ring: ring)
    }
}

/// One path's location, and the ring that says which devices hold it.
package struct StoragePlace: Sendable {
    package let kind: StorageKind
    package let location: StorageLocation
    package let ring: Ring

    package var partition: Int { location.partition }
    /// Where the replicas belong, in the order in which they are asked.
    package var primaries: [DeviceNumber] { ring.devices(of: partition) }
    /// Where they belonged before the ring changed, as long as something may still be there.
    package var former: [DeviceNumber] { ring.former(of: partition) }
    /// As many must have a write before it is answered.
    package var quorum: Int { primaries.count / 2 + 1 }
}

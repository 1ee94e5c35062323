// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum VolumeTag {}
package typealias VolumeID = ID<VolumeTag>
package enum VolumeSnapshotTag {}
package typealias VolumeSnapshotID = ID<VolumeSnapshotTag>
package enum VolumeAttachmentTag {}
package typealias VolumeAttachmentID = ID<VolumeAttachmentTag>
package enum VolumeBackupTag {}
package typealias VolumeBackupID = ID<VolumeBackupTag>

/// The host that wants to open a volume: os-brick's connector.
package struct HostConnector: Sendable, Codable, Equatable {
    /// The name that scheduler and agents use for the host.
    package var host: String
    package var ip: String
    /// The iSCSI name of the host's initiator.
    package var initiator: String?
    package var multipath: Bool

    package init(host: String, ip: String, initiator: String? = nil, multipath: Bool = false) {
        self.host = host
        self.ip = ip
        self.initiator = initiator
        self.multipath = multipath
    }
}

/// Where a host finds an exported volume. Holds secrets: kept out of logs and of answers to users.
package struct VolumeConnection: Sendable, Codable, Equatable {
    package enum Format: String, Sendable, Codable { case raw, qcow2 }

    package struct ISCSI: Sendable, Codable, Equatable {
        /// `10.0.0.5:3260`.
        package var portal: String
        package var iqn: String
        package var lun: Int
        package var chapUser: String
        package var chapPassword: String
        package init(portal: String, iqn: String, lun: Int, chapUser: String, chapPassword: String) {
            self.portal = portal
            self.iqn = iqn
            self.lun = lun
            self.chapUser = chapUser
            self.chapPassword = chapPassword
        }
    }

    package struct RBD: Sendable, Codable, Equatable {
        package var pool: String
        package var image: String
        package var monitors: [String]
        package var user: String
        package var key: String
        package init(pool: String, image: String, monitors: [String], user: String, key: String) {
            self.pool = pool
            self.image = image
            self.monitors = monitors
            self.user = user
            self.key = key
        }
    }

    package enum Source: Sendable, Codable, Equatable {
        /// A file that the host sees at this path: its own, or on a share that the agent mounts (`VolumeShare`).
        case file(path: String, format: Format)
        case iscsi(ISCSI)
        case rbd(RBD)
    }

    /// A layer below the file of a `.file` source, which the hypervisor opens read-only.
    package struct Layer: Sendable, Codable, Equatable {
        package var path: String
        package var format: Format
        /// With the connection's own passphrase.
        package var isEncrypted: Bool
        package init(path: String, format: Format, isEncrypted: Bool) {
            self.path = path
            self.format = format
            self.isEncrypted = isEncrypted
        }
    }

    /// A share that the host mounts before it opens the file below it.
    package struct Share: Sendable, Codable, Equatable {
        /// `nfs-server:/export`.
        package var source: String
        package var mountPoint: String
        package var options: String
        package init(source: String, mountPoint: String, options: String) {
            self.source = source
            self.mountPoint = mountPoint
            self.options = options
        }
    }

    /// Limits of a QoS specification with the consumer `front-end`: enforced by the hypervisor. Nil: none.
    package struct Limits: Sendable, Codable, Equatable {
        package var totalBytesPerSecond: Int64?
        package var readBytesPerSecond: Int64?
        package var writeBytesPerSecond: Int64?
        package var totalOperationsPerSecond: Int64?
        package var readOperationsPerSecond: Int64?
        package var writeOperationsPerSecond: Int64?
        package init() {}
    }

    package var volume: VolumeID
    package var source: Source
    package var share: Share?
    package var isReadOnly: Bool
    package var sizeBytes: Int64
    package var limits: Limits?
    /// The passphrase of a LUKS volume, which the hypervisor opens. Nil: not encrypted.
    package var passphrase: String?
    /// What is below the file, nearest first, so that a hypervisor need not look into any of them to find the next.
    /// Nil: not said.
    package var layers: [Layer]?

    /// Where the volume is, without what opens it. To be compared with others of its kind, and to be saved.
    package var withoutSecrets: VolumeConnection {
        var connection = self
        connection.passphrase = nil
        switch source {
        case .file: break
        case .iscsi(var target):
            target.chapPassword = ""
            connection.source = .iscsi(target)
        case .rbd(var image):
            image.key = ""
            connection.source = .rbd(image)
        }
        return connection
    }

    package init(
        volume: VolumeID, source: Source, share: Share? = nil, isReadOnly: Bool = false, sizeBytes: Int64,
        limits: Limits? = nil, passphrase: String? = nil, layers: [Layer]? = nil
    ) {
        self.volume = volume
        self.source = source
        self.share = share
        self.isReadOnly = isReadOnly
        self.sizeBytes = sizeBytes
        self.limits = limits
        self.passphrase = passphrase
        self.layers = layers
    }
}

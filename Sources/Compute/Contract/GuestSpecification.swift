// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Everything a host needs to build one guest. Complete, so that a rebuild after a lost host needs nothing else.
package struct GuestSpecification: Sendable, Codable, Equatable {
    package struct NIC: Sendable, Codable, Equatable {
        package var portID: String
        package var tapName: String
        package var macAddress: String
        package var mtu: Int
        /// `virtio`, `e1000`, …; nil: that of the guest's other cards.
        package var model: String?
        package init(portID: String, tapName: String, macAddress: String, mtu: Int, model: String? = nil) {
            self.portID = portID
            self.tapName = tapName
            self.macAddress = macAddress
            self.mtu = mtu
            self.model = model
        }
    }

    /// The root disk's origin.
    package struct RootImage: Sendable, Codable, Equatable {
        package var imageID: String
        /// The format that Image checked when it took the bytes: `raw`, `qcow2`, `iso`. Never guessed again.
        package var format: String
        package var virtualSizeBytes: Int64
        /// Custom properties that shape hardware: `hw_disk_bus`, `hw_vif_model`, `hw_machine_type`, …
        package var properties: [String: String]
        package init(imageID: String, format: String, virtualSizeBytes: Int64, properties: [String: String]) {
            self.imageID = imageID
            self.format = format
            self.virtualSizeBytes = virtualSizeBytes
            self.properties = properties
        }
    }

    /// A disk that the guest boots from for a while, with its own beside it.
    package struct Rescue: Sendable, Codable, Equatable {
        package var image: RootImage
        /// All of the guest's disks are there, under their names, and this one comes last. Otherwise this one has the root
        /// disk's place, the root disk comes second, and no other disk is there (nova: stable device rescue).
        package var isStable: Bool
        /// `virtio`, `scsi`, …; nil: that of the guest's other disks.
        package var bus: String?
        /// `disk` or `cdrom`.
        package var device: String
        package init(image: RootImage, isStable: Bool, bus: String? = nil, device: String = "disk") {
            self.image = image
            self.isStable = isStable
            self.bus = bus
            self.device = device
        }
    }

    /// A file on the config drive: `openstack/latest/meta_data.json`.
    package struct ConfigDriveFile: Sendable, Codable, Equatable {
        package var path: String
        package var content: [UInt8]
        package init(path: String, content: [UInt8]) {
            self.path = path
            self.content = content
        }
    }

    package var serverID: ServerID
    /// `instance-00000001`, libvirt's name of the domain.
    package var instanceName: String
    /// For the hypervisor's metadata only; escaped by the driver.
    package var displayName: String
    package var projectID: ProjectID
    package var vcpus: Int
    package var memoryMiB: Int
    /// 0: as large as the image.
    package var rootDiskGiB: Int
    package var ephemeralDiskGiB: Int
    package var swapMiB: Int
    /// Nil: the root disk is a volume.
    package var rootImage: RootImage?
    /// Nil: those of `rootImage`.
    package var imageProperties: [String: String]?
    package var nics: [NIC]
    /// Empty: none.
    package var configDrive: [ConfigDriveFile]
    /// Nil: none.
    package var volumes: [GuestVolume]?
    /// Nil: one of `ephemeralDiskGiB` and one of `swapMiB`, unless they are 0.
    package var localDisks: [GuestLocalDisk]?
    /// The name of the disk that is made of the image: `vda`. Nil: the first of its bus.
    package var rootDevice: String?
    /// Nil: it boots from its own disks.
    package var rescue: Rescue?
    /// It is built, and not started. Nil: it is.
    package var staysOff: Bool?
    /// Ephemeral disks that are there stay as they are. Nil: they are made anew.
    package var keepsEphemeral: Bool?

    /// Custom properties that shape hardware, wherever the root disk comes from.
    package var properties: [String: String] { imageProperties ?? rootImage?.properties ?? [:] }

    package init(
        serverID: ServerID, instanceName: String, displayName: String, projectID: ProjectID, vcpus: Int,
        memoryMiB: Int, rootDiskGiB: Int, ephemeralDiskGiB: Int, swapMiB: Int, rootImage: RootImage?, nics: [NIC],
        configDrive: [ConfigDriveFile], imageProperties: [String: String]? = nil, volumes: [GuestVolume]? = nil,
        localDisks: [GuestLocalDisk]? = nil, rootDevice: String? = nil
    ) {
        self.serverID = serverID
        self.instanceName = instanceName
        self.displayName = displayName
        self.projectID = projectID
        self.vcpus = vcpus
        self.memoryMiB = memoryMiB
        self.rootDiskGiB = rootDiskGiB
        self.ephemeralDiskGiB = ephemeralDiskGiB
        self.swapMiB = swapMiB
        self.rootImage = rootImage
        self.nics = nics
        self.configDrive = configDrive
        self.imageProperties = imageProperties
        self.volumes = volumes
        self.localDisks = localDisks
        self.rootDevice = rootDevice
    }
}

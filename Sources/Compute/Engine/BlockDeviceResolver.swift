// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import ImageContract
import PolicyKit

/// Turns the disks that a request asks for into those that the server gets, and refuses what cannot be (nova:
/// compute/api.py, `_check_and_transform_bdm` and `_validate_bdm`).
struct BlockDeviceResolver: Sendable {
    let parts: ComputeParts
    let flavor: Flavor
    let context: CallContext
    let draft: ServerDraft

    struct Plan: Sendable {
        var devices: [BlockDeviceDraft]
        /// What is known of the image that the server boots from, wherever its bytes are by now.
        var image: ImageInfo
        /// Volumes that many servers may have.
        var shared: Set<VolumeID> = []

        var root: BlockDeviceDraft? { devices.first { $0.bootIndex == 0 } }
        var isVolumeBacked: Bool { root?.isVolume == true }
    }

    private var principal: Principal { context.principal }

    func plan() async throws -> Plan {
        guard draft.imageID != nil || !draft.blockDevices.isEmpty else {
            throw CloudError.badRequest("Missing imageRef attribute")
        }
        let image = try await bootImage()
        var plan = Plan(devices: try transform(image), image: image)
        try await validate(&plan)
        return plan
    }

    // MARK: Image

    private func bootImage() async throws -> ImageInfo {
        if let id = draft.imageID {
            guard let image = try await parts.images.image(ID(id), for: principal) else {
                throw CloudError.badRequest("Can not find requested image", kind: "ImageNotFound")
            }
            return image
        }
        guard let root = draft.blockDevices.first(where: isRootCandidate), let id = root.sourceID else {
            return Self.image(properties: [:])
        }
        switch root.source {
        case .image:
            guard let image = try await parts.images.image(ID(id), for: principal) else {
                throw Self.invalid("failed to get image \(id).", kind: "InvalidBDMImage")
            }
            return image
        case .snapshot:
            guard let snapshot = try await parts.volumes.snapshot(ID(id), for: principal) else {
                throw Self.invalid("failed to get snapshot \(id).", kind: "InvalidBDMSnapshot")
            }
            return try await image(ofVolume: snapshot.volume, requiresBootable: true)
        case .volume: return try await image(ofVolume: ID(id), requiresBootable: true)
        case .blank: return Self.image(properties: [:])
        }
    }

    private func isRootCandidate(_ device: BlockDeviceDraft) -> Bool {
        guard draft.usesLegacyMapping else { return device.bootIndex == 0 }
        return device.device.flatMap(BlockDeviceNames.letters) == "a"
    }

    private func image(ofVolume id: VolumeID, requiresBootable: Bool) async throws -> ImageInfo {
        guard let volume = try await parts.volumes.volume(id, for: principal) else {
            throw Self.invalid("failed to get volume \(id).", kind: "InvalidBDMVolume")
        }
        guard volume.isBootable || !requiresBootable else {
            throw CloudError.badRequest("Block Device \(id) is not bootable.", kind: "InvalidBDMVolumeNotBootable")
        }
        return Self.image(properties: volume.imageMetadata)
    }

    /// Attributes of images that Block Storage keeps beside the properties.
    private static let attributes: Set<String> = [
        "image_id", "image_name", "size", "checksum", "container_format", "disk_format", "min_ram", "min_disk",
    ]

    private static func image(properties: [String: String]) -> ImageInfo {
        ImageInfo(
            id: ID(properties["image_id"] ?? ""), name: "", status: "active", owner: nil, diskFormat: nil,
            containerFormat: nil, sizeBytes: 0, virtualSizeBytes: 0,
            minDiskGiB: properties["min_disk"].flatMap { Int($0) } ?? 0,
            minRAMMiB: properties["min_ram"].flatMap { Int($0) } ?? 0, checksum: nil,
            properties: properties.filter { !attributes.contains($0.key) })
    }

    // MARK: Transform

    private func transform(_ image: ImageInfo) throws -> [BlockDeviceDraft] {
        var devices = draft.blockDevices
        if draft.imageID != nil,
            let clash = devices.first(where: {
                $0.isVolume && $0.bootIndex != 0 && $0.device.map(Self.stripped) == "vda"
            })
        {
            throw CloudError.badRequest(
                "The volume cannot be assigned the same device name as the root device "
                    + Self.stripped(clash.device ?? "vda"), kind: "InvalidRequest")
        }
        let ofImage = try ImageBlockDevices.read(image)
        let hasRootInImage = ofImage.contains { $0.bootIndex == 0 }
        if draft.usesLegacyMapping || devices.isEmpty {
            devices = legacy(devices, hasRoot: hasRootInImage)
        } else if hasRootInImage {
            // Clients name the image as the root disk; the image itself knows better.
            devices.removeAll { $0.bootIndex == 0 && $0.source == .image }
        }
        let named = Set(devices.compactMap(\.device))
        devices += ofImage.filter { device in device.device.map { !named.contains($0) } ?? true }
        if draft.maxCount > 1, devices.contains(where: { $0.source == .volume }) {
            throw CloudError.badRequest(
                "Cannot attach one or more volumes to multiple instances", kind: "InvalidRequest")
        }
        if flavor.ephemeralGiB > 0, !devices.contains(where: \.isEphemeral) {
            devices.append(.blank(size: flavor.ephemeralGiB, isSwap: false))
        }
        if flavor.swapMiB > 0, !devices.contains(where: \.isSwap) {
            devices.append(.blank(size: flavor.swapMiB, isSwap: true))
        }
        return devices
    }

    /// In the older syntax names say which disk is the root (nova: block_device.py, `from_legacy_mapping`).
    private func legacy(_ devices: [BlockDeviceDraft], hasRoot: Bool) -> [BlockDeviceDraft] {
        var devices = devices
        for index in devices.indices { devices[index].bootIndex = -1 }
        guard !hasRoot else { return devices }
        if let root = devices.firstIndex(where: {
            $0.source != .blank && $0.device.map(Self.stripped) == "vda"
        }) {
            devices[root].bootIndex = 0
        } else if let image = draft.imageID {
            devices.insert(.root(image: image), at: 0)
        }
        return devices
    }

    private static func stripped(_ device: String) -> String {
        device.hasPrefix("/dev/") ? String(device.dropFirst(5)) : device
    }

    // MARK: Validate

    private func validate(_ plan: inout Plan) async throws {
        let indexes = plan.devices.compactMap(\.bootIndex).filter { $0 >= 0 }.sorted()
        guard !indexes.isEmpty, indexes == Array(0..<indexes.count) else {
            throw Self.invalid(
                "Boot sequence for the instance and image/block device mapping combination is not valid.",
                kind: "InvalidBDMBootSequence")
        }
        for index in plan.devices.indices {
            try await validate(&plan, index)
        }
        try checkLocalSizes(plan.devices)
        let volumes = plan.devices.filter { $0.source == .volume }.compactMap(\.sourceID)
        guard Set(volumes).count == volumes.count else {
            throw Self.invalid("a volume is named twice.", kind: "InvalidBDM")
        }
        if let root = plan.root, root.isVolume { try checkMinimumSize(root, plan.image) }
    }

    private func validate(_ plan: inout Plan, _ index: Int) async throws {
        let device = plan.devices[index]
        // nova: compute/api.py, `_check_requested_volume_type`.
        if let type = device.volumeType, try await !parts.volumes.hasVolumeType(type, for: principal) {
            throw CloudError.badRequest("Volume type \(type) could not be found.", kind: "VolumeTypeNotFound")
        }
        switch device.source {
        case .image:
            let id = device.sourceID ?? ""
            if id != plan.image.id.rawValue {
                guard try await parts.images.image(ID(id), for: principal) != nil else {
                    throw Self.invalid("failed to get image \(id).", kind: "InvalidBDMImage")
                }
            }
            guard !device.isVolume || (device.size ?? 0) > 0 else {
                throw CloudError.badRequest(
                    "Images with destination_type 'volume' need to have a non-zero size specified",
                    kind: "InvalidBDM")
            }
        case .volume:
            let volume = try await usableVolume(ID(device.sourceID ?? ""))
            plan.devices[index].size = volume.sizeGiB
            if volume.isMultiattach { plan.shared.insert(volume.id) }
        case .snapshot:
            let id = device.sourceID ?? ""
            guard let snapshot = try await parts.volumes.snapshot(ID(id), for: principal) else {
                throw Self.invalid("failed to get snapshot \(id).", kind: "InvalidBDMSnapshot")
            }
            if (device.size ?? 0) == 0 { plan.devices[index].size = snapshot.sizeGiB }
        case .blank:
            guard !device.isVolume || (device.size ?? 0) > 0 else {
                throw CloudError.badRequest(
                    "Blank volumes (source: 'blank', dest: 'volume') need to have non-zero size", kind: "InvalidBDM")
            }
        }
        if let bus = device.diskBus, !Self.buses.contains(bus) {
            throw CloudError.badRequest(
                "Block Device Mapping is invalid: The provided disk bus \(bus.prefix(64)) is not valid.",
                kind: "InvalidBDMDiskBus")
        }
    }

    private static let buses: Set<String> = ["fdc", "ide", "sata", "scsi", "usb", "virtio", "xen", "lxc", "uml"]

    /// What can be seen before the lease is asked for; the run reserves it for good.
    private func usableVolume(_ id: VolumeID) async throws -> VolumeInfo {
        guard UUIDText.isUUID(id.rawValue), let volume = try await parts.volumes.volume(id, for: principal) else {
            throw Self.invalid("failed to get volume \(id.rawValue.prefix(64)).", kind: "InvalidBDMVolume")
        }
        try VolumeChecks.canAttach(volume, context)
        return volume
    }

    private func checkLocalSizes(_ devices: [BlockDeviceDraft]) throws {
        let ephemeral = devices.filter(\.isEphemeral).map { ($0.size ?? 0) > 0 ? $0.size ?? 0 : flavor.ephemeralGiB }
        guard ephemeral.reduce(0, +) <= flavor.ephemeralGiB else {
            throw CloudError.badRequest(
                "Ephemeral disks requested are larger than the instance type allows. If no size is given in one block "
                    + "device mapping, flavor ephemeral size will be used.", kind: "InvalidBDMEphemeralSize")
        }
        let swaps = devices.filter(\.isSwap)
        guard swaps.count <= 1 else {
            throw Self.invalid("More than one swap drive requested.", kind: "InvalidBDMFormat")
        }
        if let swap = swaps.first, swap.size ?? 0 > flavor.swapMiB {
            throw CloudError.badRequest(
                "Swap drive requested is larger than instance type allows.", kind: "InvalidBDMSwapSize")
        }
        guard devices.count(where: { !$0.isVolume }) <= Self.maximumLocalDisks else {
            throw Self.invalid(
                "You specified more local devices than the limit allows", kind: "InvalidBDMLocalsLimit")
        }
    }

    /// nova: `max_local_block_devices`.
    private static let maximumLocalDisks = 3

    private func checkMinimumSize(_ root: BlockDeviceDraft, _ image: ImageInfo) throws {
        // Block Storage has looked at a volume that is there.
        guard root.source != .volume, let size = root.size, size < image.minDiskGiB else { return }
        throw CloudError.badRequest(
            "Volume is smaller than the minimum size specified in image metadata. Volume size is "
                + "\(Int64(size) << 30) bytes, minimum size is \(Int64(image.minDiskGiB) << 30) bytes.",
            kind: "VolumeSmallerThanMinDisk")
    }

    static func invalid(_ details: String, kind: String) -> CloudError {
        .badRequest("Block Device Mapping is Invalid: \(details)", kind: kind)
    }
}

/// What a volume must be to be given to a server (nova: volume/cinder.py, `check_attach`).
enum VolumeChecks {
    static func canAttach(_ volume: VolumeInfo, _ context: CallContext) throws {
        guard !volume.isMultiattach || context.microversion >= Microversion(2, 60) else {
            throw CloudError.badRequest(
                "Multiattach volumes are only supported starting with compute API version 2.60.",
                kind: "MultiattachNotSupportedOldMicroversion")
        }
        let allowed = volume.isMultiattach ? ["available", "in-use"] : ["available"]
        guard allowed.contains(volume.status) else {
            throw CloudError.badRequest(
                "Invalid volume: volume '\(volume.id)' status must be "
                    + "\(allowed.map { "'\($0)'" }.joined(separator: " or ")). Currently in '\(volume.status)' status",
                kind: "InvalidVolume")
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import DatabaseKit
import ImageContract

extension ServerEngine {
    /// Writes the server's disks. Returns what the run does about those that are volumes.
    static func insertDisks(
        _ disks: BlockDeviceResolver.Plan, of server: Server, at now: Timestamp, _ parts: ComputeParts,
        _ transaction: any Transaction
    ) throws -> [CreateServerSaga.VolumePlan] {
        var names = BlockDeviceNames(taken: [], bus: disks.image.properties["hw_disk_bus"])
        var plans: [CreateServerSaga.VolumePlan] = []
        // The root disk is the first, whatever the request's order.
        let drafts = disks.devices.filter { $0.bootIndex == 0 }
            + disks.devices.filter { $0.bootIndex != 0 }
        for draft in drafts {
            var device = ServerBlockDevice(
                id: parts.ids.next(), server: server.id, source: draft.source, destination: draft.destination,
                state: draft.isVolume ? .reserving : .attached, at: now)
            device.sourceID = draft.source == .volume ? nil : draft.sourceID
            device.device = names.next(wanted: draft.device, bus: draft.diskBus)
            device.bootIndex = draft.bootIndex
            device.deletesOnTermination = draft.deletesOnTermination
            device.size = draft.size ?? 0
            device.volumeType = draft.volumeType
            device.guestFormat = draft.guestFormat
            device.deviceType = draft.deviceType
            device.diskBus = draft.diskBus
            device.tag = draft.tag
            if draft.isVolume {
                let plan = volumePlan(draft, device, server, parts)
                device.volume = plan.volume
                device.attachment = plan.attachment
                device.isShared = disks.shared.contains(plan.volume)
                device.sagaRun = server.sagaRun
                plans.append(plan)
            }
            try parts.stores.blockDevices.insert(device, transaction)
        }
        return plans
    }

    private static func volumePlan(
        _ draft: BlockDeviceDraft, _ device: ServerBlockDevice, _ server: Server, _ parts: ComputeParts
    ) -> CreateServerSaga.VolumePlan {
        let source: ServerVolumeDraft.Source? =
            switch draft.source {
            case .blank: .blank
            case .image: .image(draft.sourceID ?? "")
            case .snapshot: .snapshot(ID(draft.sourceID ?? ""))
            case .volume: nil
            }
        return CreateServerSaga.VolumePlan(
            device: device.id, volume: source == nil ? ID(draft.sourceID ?? "") : parts.ids.next(),
            attachment: parts.ids.next(),
            draft: source.map {
                ServerVolumeDraft(source: $0, sizeGiB: draft.size ?? 0, typeName: draft.volumeType)
            },
            // nova: virt/block_device.py.
            name: draft.source == .blank ? "\(server.id)-blank-vol" : "")
    }
}

extension ServerEngine {
    /// Properties of the image that the server was made of, wherever its bytes are.
    func imageProperties(of server: Server) async throws -> [String: String] {
        try await imageSource(of: server)?.properties ?? [:]
    }
}

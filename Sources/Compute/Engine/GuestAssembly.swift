// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ImageContract
import NetworkContract
import SecurityKit

/// Turns what the database knows of a server into what a host needs to build it.
enum GuestAssembly {
    static func specification(
        _ server: Server, _ extras: ServerStore.Extras, ports: [ServerPort], devices: [ServerBlockDevice],
        volumes: [GuestVolume], files: [ServerDraft.File], adminPassword: String?, _ config: ComputeConfig
    ) throws -> GuestSpecification {
        let image = try JSONValueDecoder.decode(ImageInfo.self, from: extras.imageSnapshot)
        var drive: [GuestSpecification.ConfigDriveFile] = []
        if server.hasConfigDrive {
            drive = try documents(
                server, extras, ports: ports, devices: devices, files: files, adminPassword: adminPassword, config
            ).configDriveFiles()
        }
        let root = devices.first { $0.isRoot }
        return GuestSpecification(
            serverID: server.id, instanceName: server.instanceName, displayName: server.name,
            projectID: server.projectID, vcpus: server.flavor.vcpus, memoryMiB: server.flavor.memoryMiB,
            rootDiskGiB: server.flavor.rootGiB, ephemeralDiskGiB: server.flavor.ephemeralGiB,
            swapMiB: server.flavor.swapMiB,
            rootImage: root?.isVolume == true
                ? nil
                : .init(
                    imageID: image.id.rawValue, format: image.diskFormat ?? "raw",
                    virtualSizeBytes: image.virtualSizeBytes, properties: image.properties),
            nics: ports.map {
                .init(portID: $0.id.rawValue, tapName: $0.tapName, macAddress: $0.macAddress, mtu: $0.mtu)
            },
            configDrive: drive, imageProperties: image.properties, volumes: volumes.isEmpty ? nil : volumes,
            localDisks: devices.compactMap { localDisk($0, server.flavor) }, rootDevice: root?.target)
    }

    private static func localDisk(_ device: ServerBlockDevice, _ flavor: FlavorSnapshot) -> GuestLocalDisk? {
        guard device.isSwap || device.isEphemeral, let target = device.target else { return nil }
        let sizeMiB: Int
        if device.isSwap {
            sizeMiB = device.size > 0 ? device.size : flavor.swapMiB
        } else {
            sizeMiB = (device.size > 0 ? device.size : flavor.ephemeralGiB) * 1024
        }
        guard sizeMiB > 0 else { return nil }
        return GuestLocalDisk(
            kind: device.isSwap ? .swap : .ephemeral, sizeMiB: sizeMiB, device: target, bus: device.diskBus,
            format: device.isSwap ? nil : device.guestFormat)
    }

    static func documents(
        _ server: Server, _ extras: ServerStore.Extras, ports: [ServerPort], devices: [ServerBlockDevice],
        files: [ServerDraft.File] = [], adminPassword: String? = nil, _ config: ComputeConfig
    ) throws -> MetadataDocuments {
        MetadataDocuments(
            server: server, keyData: extras.keyData, keyType: extras.keyType, ports: ports, disks: devices,
            networkTags: try StoredMap.read(extras.networkTags), files: files,
            userData: server.userData.flatMap { Base64.decode($0) }, zone: server.zone ?? config.defaultZone,
            domain: config.dhcpDomain, randomSeed: Base64.encode(SecureRandom.bytes(512)),
            adminPassword: adminPassword)
    }
}

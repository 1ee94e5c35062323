// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ImageContract
import NetworkContract
import SecurityKit

/// Turns what the database knows of a server into what a host needs to build it.
enum GuestAssembly {
    static func specification(
        _ server: Server, _ extras: ServerStore.Extras, ports: [ServerPort], files: [ServerDraft.File],
        adminPassword: String?, _ config: ComputeConfig
    ) throws -> GuestSpecification {
        let image = try JSONValueDecoder.decode(ImageInfo.self, from: extras.imageSnapshot)
        var drive: [GuestSpecification.ConfigDriveFile] = []
        if server.hasConfigDrive {
            drive = try documents(
                server, extras, ports: ports, files: files, adminPassword: adminPassword, config
            ).configDriveFiles()
        }
        return GuestSpecification(
            serverID: server.id, instanceName: server.instanceName, displayName: server.name,
            projectID: server.projectID, vcpus: server.flavor.vcpus, memoryMiB: server.flavor.memoryMiB,
            rootDiskGiB: server.flavor.rootGiB, ephemeralDiskGiB: server.flavor.ephemeralGiB,
            swapMiB: server.flavor.swapMiB,
            rootImage: .init(
                imageID: image.id.rawValue, format: image.diskFormat ?? "raw",
                virtualSizeBytes: image.virtualSizeBytes, properties: image.properties),
            nics: ports.map {
                .init(portID: $0.id.rawValue, tapName: $0.tapName, macAddress: $0.macAddress, mtu: $0.mtu)
            },
            configDrive: drive)
    }

    static func documents(
        _ server: Server, _ extras: ServerStore.Extras, ports: [ServerPort], files: [ServerDraft.File] = [],
        adminPassword: String? = nil, _ config: ComputeConfig
    ) throws -> MetadataDocuments {
        MetadataDocuments(
            server: server, keyData: extras.keyData, keyType: extras.keyType, ports: ports,
            networkTags: try StoredMap.read(extras.networkTags), files: files,
            userData: server.userData.flatMap { Base64.decode($0) }, zone: server.zone ?? config.defaultZone,
            domain: config.dhcpDomain, randomSeed: Base64.encode(SecureRandom.bytes(512)),
            adminPassword: adminPassword)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageDriverKit
import LinuxKit

extension FilesVolumeDriver {
    package func export(
        _ content: VolumeContent, to path: String, format: VolumeConnection.Format
    ) async throws {
        let (owner, layer, passphrase): (String, LayerName, String?) =
            switch content {
            case .volume(let volume): (volume.id.rawValue, try head(volume), volume.passphrase)
            case .snapshot(let snapshot):
                (snapshot.id.rawValue, try name(snapshot.location), snapshot.passphrase)
            }
        try await gate.use([owner]) {
            let chain = try await FileSystem.onThread { try store.chain(layer) }
            try await tool.export(
                store.node(chain), sizeBytes: chain[0].sizeBytes, passphrase: passphrase, to: path, format: format,
                secretDirectory: store.directory)
        }
    }

    package func restore(
        _ volume: VolumeHandle, from path: String, format: VolumeConnection.Format
    ) async throws -> String {
        let head = try head(volume)
        let source = try await staging.check(path, driver: format.rawValue)
        try ImageStaging.checkFits(try await staging.virtualSize(source), sizeGiB: volume.sizeGiB)
        return try await gate.use([volume.id.rawValue]) {
            try await refuseIfOpen(head)
            let temporary = store.temporary(head.text)
            try await tool.createLayer(
                .init(path: temporary, sizeBytes: volume.sizeBytes, passphrase: volume.passphrase))
            try await tool.copy(
                source, passphrase: nil,
                to: .qcow2(path: temporary, isEncrypted: volume.passphrase != nil, backing: nil),
                targetPassphrase: volume.passphrase, secretDirectory: store.directory)
            return try await replace(head, of: volume) { target, replaces in
                try await store.publish(temporary, as: target, on: nil, replaces: replaces)
            }
        }
    }
}

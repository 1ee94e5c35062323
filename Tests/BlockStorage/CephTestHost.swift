// SPDX-License-Identifier: Apache-2.0
import BlockStorageDriverRBD
import LinuxKit
import TestKit

/// Ceph for volumes.
extension CephTestHost {
    static var isPossibleForVolumes: Bool {
        isPossible && FileSystem.exists("/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so")
    }

    static func withVolumes(_ body: (CephTestHost, VolumeTestFolder) async throws -> Void) async throws {
        try await VolumeTestFolder.with { folder in
            try await with(folder: folder.path) { host in try await body(host, folder) }
        }
    }

    func config(stateDirectory: String) -> RBDVolumeConfig {
        var config = RBDVolumeConfig(address: "host@ceph", stateDirectory: stateDirectory)
        config.configurationFile = configurationFile
        config.namespace = namespace
        return config
    }
}

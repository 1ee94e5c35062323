// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageAgent
import BlockStorageContract
import BlockStorageDriverFiles
import BlockStorageDriverISCSI
import BlockStorageDriverKit
import BlockStorageDriverNFS
import BlockStorageDriverRBD
import ConfigKit
import ImageContract

/// The storage that one host offers, as the operator has set it.
struct VolumeBackends: Sendable {
    let host: String
    /// Where other hosts of the cloud reach this one.
    let hostAddress: String
    let stateDirectory: String
    let images: any ImageSource

    func make(_ configuration: Configuration) -> [ServedBackend] {
        configuration.section(VolumeBackendsConfig.self).enabled.map { backend in
            let address = "\(host)@\(backend.rawValue)"
            return ServedBackend(address: address, driver: driver(backend, address, configuration))
        }
    }

    /// Fakes with the names of the real ones.
    func fakes(_ configuration: Configuration) -> [ServedBackend] {
        configuration.section(VolumeBackendsConfig.self).enabled.map { backend in
            let (address, name) = ("\(host)@\(backend.rawValue)", Self.name(backend, configuration))
            return ServedBackend(
                address: address, driver: FakeVolumeDriver(
                    pool: "\(address)#\(name)", backendName: name, folder: "/\(name)"))
        }
    }

    /// What volume types call it.
    private static func name(_ backend: VolumeBackendsConfig.Backend, _ configuration: Configuration) -> String {
        switch backend {
        case .files: configuration.section(FilesVolumeConfig.self).backendName
        case .iscsi: configuration.section(ISCSIVolumeConfig.self).backendName
        case .nfs: configuration.section(NFSVolumeConfig.self).backendName
        case .ceph: configuration.section(RBDVolumeConfig.self).backendName
        }
    }

    private func driver(
        _ backend: VolumeBackendsConfig.Backend, _ address: String, _ configuration: Configuration
    ) -> any VolumeDriver {
        func section<Config: VolumeDriverConfig>(_: Config.Type) -> Config {
            var config = configuration.section(Config.self)
            config.address = address
            config.stateDirectory = stateDirectory
            return config
        }
        switch backend {
        case .files:
            return FilesVolumeDriver(section(FilesVolumeConfig.self), images: images)
        case .iscsi:
            var config = section(ISCSIVolumeConfig.self)
            config.hostAddress = hostAddress
            return ISCSIVolumeDriver(config, images: images)
        case .nfs:
            return NFSVolumeDriver(section(NFSVolumeConfig.self), images: images)
        case .ceph:
            return RBDVolumeDriver(section(RBDVolumeConfig.self), images: images)
        }
    }
}

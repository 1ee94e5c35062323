// SPDX-License-Identifier: Apache-2.0
import BlockStorageCore
import BlockStorageDriverFiles
import BlockStorageDriverISCSI
import BlockStorageDriverKit
import BlockStorageDriverNFS
import BlockStorageDriverRBD
import ComputeCore
import ComputeDriverLibvirt
import ConfigKit
import IdentityCore
import ImageCore
import LinuxKit
import NetworkCore
import ObjectStorageCore
import ObjectStorageDriverRados

/// What the operator of a cloud has set: options, from `haneul.yaml`, the environment and flags, and policies.
struct OperatorSettings: Sendable {
    static let sections: [any ConfigSection.Type] = [
        CloudConfig.self, HTTPConfig.self, IdentityConfig.self, ImageConfig.self, NetworkConfig.self,
        ComputeConfig.self, LibvirtConfig.self, BlockStorageConfig.self, VolumeBackendsConfig.self,
        FilesVolumeConfig.self, ISCSIVolumeConfig.self, NFSVolumeConfig.self, RBDVolumeConfig.self,
        ObjectStorageConfig.self, RadosConfig.self,
    ]

    let configuration: Configuration
    let policies: OperatorPolicies

    static func load(
        _ state: SandboxState, environment: [String: String] = HostProcess.environment, flags: [String] = []
    ) throws -> OperatorSettings {
        var source = ConfigSource(environment: environment, flags: flags)
        if let bytes = try FileSystem.read(state.configFile, limit: YAMLLimits().bytes + 1) {
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw CommandFailure("\(state.configFile) is not text in UTF-8.")
            }
            source.file = (state.configFile, text)
        }
        let configuration = try Configuration(sections, from: source)
        let directory = configuration.section(CloudConfig.self).policyDirectory ?? state.policyDirectory
        return OperatorSettings(configuration: configuration, policies: try OperatorPolicies(directory: directory))
    }
}

extension Cloud.Foundation {
    /// Takes over what the operator has set.
    mutating func apply(_ settings: OperatorSettings) {
        identity = settings.configuration.section()
        image = settings.configuration.section()
        networkConfig = settings.configuration.section()
        compute = settings.configuration.section()
        blockStorage = settings.configuration.section()
        objectStorage = settings.configuration.section()
        policies = settings.policies
        if let url = settings.configuration.section(CloudConfig.self).publicURL { origin = url }
    }
}

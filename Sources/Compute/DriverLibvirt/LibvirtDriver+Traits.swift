// SPDX-License-Identifier: Apache-2.0
import CLibvirt
import ComputeContract
import Synchronization

extension LibvirtDriver {
    /// Asked once for each version of QEMU: nothing else changes it while this process runs.
    func traits(
        of host: borrowing LibvirtHost, _ node: virNodeInfo, version: Int,
        _ virtualization: LibvirtConfig.Virtualization
    ) throws -> [String] {
        if let known = traits.withLock({ $0 }), known.version == version { return known.traits }
        let capabilities = try host.guestCapabilities(emulator: config.emulator, virtualization)
        // As guests are defined: the host's processor, or a model that is emulated.
        let processor =
            switch virtualization {
            case .kvm: capabilities.hostProcessor
            case .qemu: GuestCapabilities.processor(model: config.emulatedCPUModel)
            }
        let features = try processor.flatMap {
            try host.features(of: $0, emulator: config.emulator, virtualization)
        }
        if features == nil { log.warning("libvirt does not tell what the guests' processor has") }
        let found = capabilities.traits(
            features: features ?? [], hostArch: HostFacts.arch(node), hasThreads: node.threads > 1)
        traits.withLock { $0 = (version, found) }
        return found
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import ComputeContract

/// What a running guest does.
extension LibvirtDriver {
    package func diagnostics(_ server: ServerID) async throws -> GuestDiagnostics {
        let hypervisor = try await virtualization().rawValue
        let facts = try await connection.run("tell what the guest does") { host in
            try host.domain(server)?.diagnostics(hypervisor: hypervisor)
        }
        guard let facts else {
            throw CloudError.notFound("Instance \(server) could not be found.", kind: "InstanceNotFound")
        }
        return facts
    }
}

extension LibvirtDomain {
    /// Counters that this hypervisor does not have are left out, as upstream does.
    func diagnostics(hypervisor: String) throws(LibvirtError) -> GuestDiagnostics {
        let document = try liveDocument()
        let (maximum, used, cpuCount) = try memory()
        var facts = GuestDiagnostics(
            powerState: try powerState(), driver: "libvirt", hypervisor: hypervisor, maximumMemoryKiB: maximum,
            usedMemoryKiB: used, memory: memoryStatistics(), cpus: cpus(cpuCount))
        for element in document.disks {
            guard let target = DomainDocument.target(element) else { continue }
            facts.disks.append(disk(target))
        }
        for element in document.root.first("devices")?.elements ?? [] where element.name == "interface" {
            facts.nics.append(nic(element.first("mac")?["address"] ?? "", element.first("target")?["dev"]))
        }
        return facts
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// Security groups of a server's ports, which Compute's API changes for all of them at once.
extension NetworkEngine {
    package func setSecurityGroup(
        _ id: SecurityGroupID, isMember: Bool, ofServer server: String, in project: ProjectID
    ) async throws {
        try await environment.write { change in
            let ports = try PortStore.all(
                where: "p.device_id = \(server) AND p.project_id = \(project)", change.transaction)
            var changed = false
            for port in ports {
                let groups = try port.groups
                guard groups.contains(id) != isMember else { continue }
                guard let network = try NetworkStore.find(port.network, for: nil, change.transaction) else { continue }
                var draft = PortDraft()
                draft.groups = isMember ? groups + [id] : groups.filter { $0 != id }
                _ = try PortOperations.update(port, draft, on: network, change)
                changed = true
            }
            guard isMember || changed else {
                throw CloudError.notFound(
                    "Security group \(id) not associated with the instance \(server)",
                    kind: "SecurityGroupNotExistsForInstance")
            }
        }
    }
}

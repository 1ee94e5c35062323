// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Bindings of a guest's port: the active one, and hosts that are prepared so that the guest can move there.
package struct PortBindingEngine: Sendable {
    /// A guest moves to one host, and may come from one that is not forgotten yet.
    private static let limit = 8
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Read

    package func list(of id: PortID, for context: CallContext) async throws -> [PortBinding] {
        let found = try await environment.read { transaction in
            try PortStore.find(id, transaction).map { ($0, try Self.all(of: $0, transaction)) }
        }
        guard let (port, bindings) = found else { throw NetworkFault.portNotFound(id) }
        try context.authorizeSight("get_port_binding", [:], missing: NetworkFault.portNotFound(id))
        try Self.checkOwner(port)
        return bindings
    }

    package func get(_ id: PortID, on host: String, for context: CallContext) async throws -> PortBinding {
        guard let binding = try await list(of: id, for: context).first(where: { $0.host == host }) else {
            throw Self.notFound(id, host)
        }
        return binding
    }

    private static func all(of port: Port, _ transaction: any Transaction) throws -> [PortBinding] {
        let active = PortBinding(activeOf: port).map { [$0] } ?? []
        return active + (try PortBindingStore.inactive(of: port.id, transaction))
    }

    private static func notFound(_ port: PortID, _ host: String) -> CloudError {
        .notFound("Binding for port \(port) for host \(host) could not be found.", kind: "PortBindingNotFound")
    }

    // neutron: ports of the network's own are where their agents are.
    private static func checkOwner(_ port: Port) throws {
        guard port.deviceOwner.hasPrefix("compute:") || port.deviceOwner.hasPrefix("manila:") else {
            throw NetworkFault.badRequest(
                "port", "Invalid port \(port.id). Operation only valid on compute and shared filesystem ports")
        }
    }

    private static func authorized(
        _ id: PortID, _ rule: PolicyName, for context: CallContext, _ change: NetworkChange
    ) throws -> Port {
        guard let port = try PortStore.find(id, change.transaction) else { throw NetworkFault.portNotFound(id) }
        try context.authorizeChange(
            rule, seenBy: "get_port_binding", [:], missing: NetworkFault.portNotFound(id))
        try checkOwner(port)
        return port
    }

    // MARK: Change

    /// The first binding is active, each other is prepared.
    package func create(_ draft: PortBindingDraft, of id: PortID, for context: CallContext) async throws
        -> PortBinding
    {
        try await environment.write { change in
            var port = try Self.authorized(id, "create_port_binding", for: context, change)
            let old = port
            let present = try Self.all(of: port, change.transaction)
            let host = draft.host ?? ""
            guard !present.contains(where: { $0.host == host }) else {
                throw CloudError.conflict(
                    "Binding for port \(id) on host \(host) already exists.", kind: "PortBindingAlreadyExists")
            }
            guard present.count < Self.limit else {
                throw CloudError.conflict("Port \(id) has too many bindings.", kind: "PortBindingError")
            }
            let binding = PortBinding(
                port: id, host: host, vnicType: draft.vnicType ?? "normal", profile: draft.profile?.text() ?? "{}",
                isActive: port.host.isEmpty)
            if binding.isActive {
                Self.bind(&port, to: binding)
                try PortOperations.save(&port, from: old, change)
            } else {
                try PortBindingStore.save(binding, change.transaction)
                change.mark(.port(id))
            }
            return binding
        }
    }

    package func update(_ id: PortID, on host: String, _ draft: PortBindingDraft, for context: CallContext)
        async throws -> PortBinding
    {
        try await environment.write { change in
            var port = try Self.authorized(id, "update_port_binding", for: context, change)
            let old = port
            var binding = try Self.find(host, of: port, change)
            binding.vnicType = draft.vnicType ?? binding.vnicType
            if let profile = draft.profile { binding.profile = profile.text() }
            if binding.isActive {
                Self.bind(&port, to: binding)
                try PortOperations.save(&port, from: old, change)
            } else {
                try PortBindingStore.save(binding, change.transaction)
            }
            return binding
        }
    }

    private static func find(_ host: String, of port: Port, _ change: NetworkChange) throws -> PortBinding {
        guard let binding = try all(of: port, change.transaction).first(where: { $0.host == host }) else {
            throw notFound(port.id, host)
        }
        return binding
    }

    private static func bind(_ port: inout Port, to binding: PortBinding) {
        if port.host != binding.host, port.status == .active { port.status = .down }
        port.host = binding.host
        port.vnicType = binding.vnicType
        port.profile = binding.profile
    }

    /// The prepared host becomes the port's, and the one that was stays prepared until it is deleted.
    package func activate(_ id: PortID, on host: String, for context: CallContext) async throws -> PortBinding {
        try await environment.write { change in
            var port = try Self.authorized(id, "activate", for: context, change)
            let old = port
            var binding = try Self.find(host, of: port, change)
            guard !binding.isActive else {
                throw CloudError.conflict(
                    "Binding for port \(id) on host \(host) is already active.", kind: "PortBindingAlreadyActive")
            }
            binding.isActive = true
            Self.bind(&port, to: binding)
            try PortOperations.save(&port, from: old, change)
            if var left = PortBinding(activeOf: old) {
                left.isActive = false
                try PortBindingStore.save(left, change.transaction)
            }
            return binding
        }
    }

    /// Not an error when there is none, as upstream.
    package func delete(_ id: PortID, on host: String, for context: CallContext) async throws {
        try await environment.write { change in
            var port = try Self.authorized(id, "delete_port_binding", for: context, change)
            let old = port
            if port.host == host {
                port.host = ""
                port.profile = "{}"
                if port.status == .active { port.status = .down }
                try PortOperations.save(&port, from: old, change)
            } else {
                try PortBindingStore.delete(id, on: host, change.transaction)
                change.mark(.port(id))
            }
        }
    }
}

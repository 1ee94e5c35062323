// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Network cards of guests. As with volumes, what runs and what the next start makes of it are changed one after the
/// other, each only if it needs it.
extension LibvirtDriver {
    /// How often a guest is asked to let a card go, and how long it may take each time.
    private static let cardAttempts = 8
    private static let cardPatience = Duration.seconds(15)
    private static let cardPollInterval = Duration.milliseconds(100)

    package func attachInterface(_ nic: GuestSpecification.NIC, to server: ServerID) async throws {
        let config = config
        // Before the guest has it: `destroy` must know what may be plugged.
        try await changeTaps(of: server) { if !$0.contains(nic.tapName) { $0.append(nic.tapName) } }
        try await connection.run("attach the interface") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            var definition = try domain.definition()
            let model = nic.model ?? definition.interfaces.first?.first("model")?["type"] ?? "virtio"
            var xml = XMLWriter()
            InterfaceDescription(nic: nic, model: model, config: config).write(to: &xml)
            if try domain.isActive, try domain.liveDocument().interface(nic.portID) == nil { try domain.plug(xml.text) }
            guard definition.interface(nic.portID) == nil else { return }
            definition.add(interface: try Self.element(xml.text))
            _ = try host.define(definition.text)
        }
        try await saveDefinition(of: server)
    }

    private static func element(_ text: String) throws -> XMLElement {
        do {
            return try XMLReader.read(text)
        } catch {
            throw CloudError(.bug, "The interface cannot be attached.", cause: "\(error)")
        }
    }

    package func detachInterface(_ nic: GuestSpecification.NIC, from server: ServerID) async throws {
        try await unplug(nic, from: server)
        try await connection.run("detach the interface") { host in
            guard let domain = try host.domain(server) else { return }
            var definition = try domain.definition()
            guard definition.interface(nic.portID) != nil else { return }
            definition.remove(interface: nic.portID)
            _ = try host.define(definition.text)
        }
        try await changeTaps(of: server) { $0.removeAll { $0 == nic.tapName } }
        try await saveDefinition(of: server)
    }

    /// Returns when the guest has let the card go: libvirt takes it out of its description only then.
    private func unplug(_ nic: GuestSpecification.NIC, from server: ServerID) async throws {
        var refusal: String?
        for _ in 0..<Self.cardAttempts {
            refusal = try await askToUnplug(nic, from: server)
            let end = ContinuousClock.now + Self.cardPatience
            repeat {
                if try await !isPlugged(nic, into: server) { return }
                try await Task.sleep(for: Self.cardPollInterval)
            } while ContinuousClock.now < end
        }
        throw CloudError(
            .conflict, "The guest did not release the interface \(nic.portID).", kind: "DeviceDetachFailed",
            cause: refusal ?? "asked \(Self.cardAttempts) times")
    }

    /// Returns why libvirt refused: while an earlier request is under way it does, and that is no failure yet.
    private func askToUnplug(_ nic: GuestSpecification.NIC, from server: ServerID) async throws -> String? {
        try await connection.run("detach the interface") { host -> String? in
            guard let domain = try host.domain(server), try domain.isActive,
                let card = try domain.liveDocument().interface(nic.portID)
            else { return nil }
            do throws(LibvirtError) {
                try domain.unplug(card.text)
                return nil
            } catch {
                return error.description
            }
        }
    }

    private func isPlugged(_ nic: GuestSpecification.NIC, into server: ServerID) async throws -> Bool {
        try await connection.run("detach the interface") { host in
            guard let domain = try host.domain(server), try domain.isActive else { return false }
            return try domain.liveDocument().interface(nic.portID) != nil
        }
    }

    private func changeTaps(
        of server: ServerID, _ change: @escaping @Sendable (inout [String]) -> Void
    ) async throws {
        let files = try GuestFiles(server, config)
        try await FileSystem.onThread {
            guard FileSystem.exists(files.directory) else { return }
            var taps = try files.tapNames()
            change(&taps)
            try FileSystem.writeAtomically(files.taps, taps.joined(separator: "\n"))
        }
    }
}

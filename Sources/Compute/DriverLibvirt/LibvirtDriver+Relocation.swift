// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract

/// Volumes that go on in another place below their running guests. libvirt's own description of the guest says how far
/// that is, so nothing is kept here.
extension LibvirtDriver {
    package func relocateVolume(
        _ volume: GuestVolume, of server: ServerID, _ step: VolumeRelocation.Step
    ) async throws -> VolumeRelocation.State {
        guard try await powerState(server) != nil else { return .gone }
        let wanted = try await disk(volume, of: server)
        if step == .copy { try await openVolumes([volume]) }
        let state = try await connection.run("move the volume") { host -> VolumeRelocation.State in
            guard let domain = try host.domain(server) else { return .gone }
            let state = try Self.relocate(volume.id, in: domain, to: wanted, step)
            if state == .moved { try Self.settle(volume, in: domain, at: wanted, host) }
            return state
        }
        if state == .moved { try await saveDefinition(of: server) }
        return state
    }

    private static func relocate(
        _ volume: VolumeID, in domain: borrowing LibvirtDomain, to wanted: XMLElement, _ step: VolumeRelocation.Step
    ) throws(LibvirtError) -> VolumeRelocation.State {
        guard try domain.isActive else {
            let next = try domain.hasSavedState() ? domain.savedDocument() : domain.definition()
            return next.isVolume(volume, at: wanted) ? .moved : .closed
        }
        let live = try domain.liveDocument()
        guard let disk = live.disk(volume), let target = DomainDocument.target(disk) else { return .closed }
        let mirror = disk.first("mirror")
        if live.isVolume(volume, at: wanted), mirror == nil { return .moved }
        let isCopied = mirror.map { DomainDocument.place($0) == DomainDocument.place(wanted) } ?? false
        switch step {
        case .copy where isCopied: return try progress(of: target, isReady: mirror?["ready"] == "yes", domain)
        case .copy:
            // Of an earlier move, to somewhere else.
            if mirror != nil { try domain.endCopy(of: target) }
            try domain.beginMove(of: target, xml: wanted.text)
            return .copying(doneBytes: 0)
        case .finish:
            guard isCopied else { return .resting }
            guard mirror?["ready"] == "yes" else { return try progress(of: target, isReady: false, domain) }
            try domain.endMove(of: target)
            return try domain.liveDocument().isVolume(volume, at: wanted) ? .moved : .resting
        case .cancel:
            if mirror != nil { try domain.endCopy(of: target) }
            return .resting
        }
    }

    private static func progress(
        of target: String, isReady: Bool, _ domain: borrowing LibvirtDomain
    ) throws(LibvirtError) -> VolumeRelocation.State {
        isReady ? .ready : .copying(doneBytes: try domain.copiedBytes(of: target) ?? 0)
    }

    /// The next start opens the volume where it is now, and what opened it before is forgotten.
    private static func settle(
        _ volume: GuestVolume, in domain: borrowing LibvirtDomain, at wanted: XMLElement, _ host: borrowing LibvirtHost
    ) throws {
        var definition = try domain.definition()
        if !definition.isVolume(volume.id, at: wanted) {
            definition.relocate(volume.id, as: wanted)
            _ = try host.define(definition.text)
        }
        let needed = Set(try VolumeSecret.all(of: volume.connection).map(\.kind))
        for kind in VolumeSecret.Kind.allCases where !needed.contains(kind) {
            try host.removeSecret(VolumeSecret.id(kind, volume.id))
        }
    }
}

extension DomainDocument {
    fileprivate func isVolume(_ volume: VolumeID, at wanted: XMLElement) -> Bool {
        disk(volume).flatMap(Self.place) == Self.place(wanted)
    }
}

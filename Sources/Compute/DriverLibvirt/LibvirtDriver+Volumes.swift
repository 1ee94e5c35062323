// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import LinuxKit

/// Volumes of guests. What runs and what the next start makes of it are changed one after the other, each only if it
/// needs it, so every call may be repeated from wherever an earlier one stopped.
extension LibvirtDriver {
    /// How often a guest is asked to let a disk go, and how long it may take each time (nova's
    /// `device_detach_attempts` and `device_detach_timeout`).
    private static let unplugAttempts = 8
    private static let unplugPatience = Duration.seconds(15)
    private static let unplugPollInterval = Duration.milliseconds(100)

    package func attachVolume(_ volume: GuestVolume, to server: ServerID) async throws {
        let disk = try await disk(volume, of: server)
        try await openVolumes([volume])
        try await connection.run("attach the volume") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            if try domain.isActive, try domain.liveDocument().disk(volume.id) == nil { try domain.plug(disk.text) }
            var definition = try domain.definition()
            guard definition.disk(volume.id) == nil else { return }
            definition.set(disk)
            _ = try host.define(definition.text)
        }
        try await saveDefinition(of: server)
    }

    package func detachVolume(_ volume: VolumeID, from server: ServerID) async throws {
        try await unplug(volume, from: server)
        try await connection.run("detach the volume") { host in
            if let domain = try host.domain(server) {
                var definition = try domain.definition()
                if definition.disk(volume) != nil {
                    definition.remove(volume)
                    _ = try host.define(definition.text)
                }
            }
            try host.removeSecrets(of: volume)
        }
        try await saveDefinition(of: server)
    }

    /// Returns when QEMU has closed the volume: libvirt takes a disk out of its description only then.
    private func unplug(_ volume: VolumeID, from server: ServerID) async throws {
        var refusal: String?
        for _ in 0..<Self.unplugAttempts {
            refusal = try await askToUnplug(volume, from: server)
            let end = ContinuousClock.now + Self.unplugPatience
            repeat {
                if try await !isOpen(volume, in: server) { return }
                try await Task.sleep(for: Self.unplugPollInterval)
            } while ContinuousClock.now < end
        }
        throw CloudError(
            .conflict, "The guest did not release the volume \(volume).", kind: "DeviceDetachFailed",
            cause: refusal ?? "asked \(Self.unplugAttempts) times")
    }

    /// Returns why libvirt refused: while an earlier request is under way it does, and that is no failure yet.
    private func askToUnplug(_ volume: VolumeID, from server: ServerID) async throws -> String? {
        try await connection.run("detach the volume") { host -> String? in
            guard let domain = try host.domain(server) else { return nil }
            guard try domain.isActive else {
                // A saved memory knows the disk, and could not be woken without it.
                guard try domain.hasSavedState(), try domain.savedDocument().disk(volume) != nil else { return nil }
                throw CloudError.conflict("Instance \(server) is suspended.", kind: "InstanceInvalidState")
            }
            guard let disk = try domain.liveDocument().disk(volume) else { return nil }
            do throws(LibvirtError) {
                try domain.unplug(disk.text)
                return nil
            } catch {
                return error.description
            }
        }
    }

    private func isOpen(_ volume: VolumeID, in server: ServerID) async throws -> Bool {
        try await connection.run("detach the volume") { host in
            guard let domain = try host.domain(server), try domain.isActive else { return false }
            return try domain.liveDocument().disk(volume) != nil
        }
    }

    package func moveVolume(
        _ volume: VolumeID, of server: ServerID, toFile path: String, format: VolumeConnection.Format
    ) async throws {
        try await connection.run("move the volume") { host in
            guard let domain = try host.domain(server) else { return }
            if try domain.isActive {
                let live = try domain.liveDocument()
                if let disk = live.disk(volume), DomainDocument.file(disk) != path {
                    try domain.switchDisks(Self.snapshot(of: live, volume, toFile: path, format: format))
                }
            } else if try domain.hasSavedState() {
                var saved = try domain.savedDocument()
                if let disk = saved.disk(volume), DomainDocument.file(disk) != path {
                    saved.move(volume, toFile: path, format: format.rawValue)
                    try domain.setSavedDocument(saved)
                }
            }
            var definition = try domain.definition()
            guard let disk = definition.disk(volume), DomainDocument.file(disk) != path else { return }
            definition.move(volume, toFile: path, format: format.rawValue)
            _ = try host.define(definition.text)
        }
        try await saveDefinition(of: server)
    }

    /// Names every disk: libvirt would freeze those that are not named.
    static func snapshot(
        of live: DomainDocument, _ volume: VolumeID, toFile path: String, format: VolumeConnection.Format
    ) -> String {
        var xml = XMLWriter()
        xml.element("domainsnapshot") { xml in
            xml.element("disks") { xml in
                for disk in live.disks {
                    guard let target = DomainDocument.target(disk) else { continue }
                    guard DomainDocument.volume(disk) == volume else {
                        xml.element("disk", ["name": target, "snapshot": "no"])
                        continue
                    }
                    xml.element("disk", ["name": target, "snapshot": "external", "type": "file"]) { xml in
                        xml.element("driver", ["type": format.rawValue])
                        xml.element("source", ["file": path]) { xml in
                            if DomainDocument.isEncrypted(disk) { VolumeDisk.writeEncryption(of: volume, to: &xml) }
                        }
                    }
                }
            }
        }
        return xml.text
    }

    package func resizeVolume(_ volume: VolumeID, of server: ServerID, toBytes sizeBytes: Int64) async throws {
        // A guest that is off has nobody who would resize the file for it.
        let idle = try await connection.run("resize the volume") { host -> (path: String, format: String)? in
            guard let domain = try host.domain(server) else { return nil }
            if try domain.isActive {
                if let disk = try domain.liveDocument().disk(volume), let target = DomainDocument.target(disk) {
                    try domain.resize(target, toBytes: sizeBytes)
                }
                return nil
            }
            guard let disk = try domain.definition().disk(volume), !DomainDocument.isEncrypted(disk),
                let path = DomainDocument.file(disk), let format = DomainDocument.format(disk)
            else { return nil }
            return (path, format)
        }
        guard let idle, VolumeConnection.Format(rawValue: idle.format) != nil else { return }
        let tool = DiskImageTool()
        guard try await tool.virtualSize(idle.path, format: idle.format) < sizeBytes else { return }
        try await tool.grow(idle.path, format: idle.format, toBytes: sizeBytes)
    }

    package func prepareVolumes(_ volumes: [GuestVolume], of server: ServerID) async throws {
        let files = try GuestFiles(server, config)
        let kept = try await FileSystem.onThread { try FileSystem.text(files.definition) }
        let document = try await connection.run("prepare the guest's volumes") { host in
            if let domain = try host.domain(server) { return try domain.definition() }
            // libvirt lost it; the guest's folder still describes it.
            guard let kept else { throw Self.noGuest(server) }
            return try host.define(kept).definition()
        }
        guard !volumes.isEmpty || !document.volumes.isEmpty else { return }
        try await openVolumes(volumes)
        let disks = try await elements(volumes, document)
        try await connection.run("prepare the guest's volumes") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            var definition = try domain.definition()
            definition.setVolumes(disks)
            _ = try host.define(definition.text)
            guard try !domain.isActive, try domain.hasSavedState() else { return }
            var saved = try domain.savedDocument()
            for disk in disks {
                guard let volume = DomainDocument.volume(disk) else { continue }
                saved.relocate(volume, as: disk)
            }
            if saved.text != (try domain.savedDocument().text) { try domain.setSavedDocument(saved) }
        }
        try await saveDefinition(of: server)
    }

    // MARK: Parts

    /// Shares and secrets, without which no volume opens.
    func openVolumes(_ volumes: [GuestVolume]) async throws {
        for volume in volumes {
            if let share = volume.connection.share { try await shares.ensureMounted(share) }
            let secrets = try VolumeSecret.all(of: volume.connection)
            guard !secrets.isEmpty else { continue }
            try await connection.run("open the volume") { host in
                for secret in secrets { try host.setSecret(secret) }
            }
        }
    }

    func volumeDisks(
        _ volumes: [GuestVolume], bus: (GuestVolume) -> GuestHardware.DiskBus
    ) async throws -> [VolumeDisk] {
        let initiator = try HostFacts.initiator(config)
        var disks: [VolumeDisk] = []
        for volume in volumes {
            if let share = volume.connection.share { try await shares.ensureMounted(share) }
            disks.append(
                VolumeDisk(
                    volume: volume, bus: bus(volume), cache: try await cache(for: volume.connection),
                    initiator: initiator))
        }
        return disks
    }

    private func cache(for connection: VolumeConnection) async throws -> LibvirtConfig.DiskCache {
        guard config.diskCache == .none, case .file(let path, _) = connection.source,
            let slash = path.lastIndex(of: "/")
        else { return config.diskCache }
        let directory = String(path[..<slash])
        return try await FileSystem.onThread {
            try FileSystem.supportsDirectIO(directory) ? .none : .writeback
        }
    }

    func disk(_ volume: GuestVolume, of server: ServerID) async throws -> XMLElement {
        let document = try await connection.run("attach the volume") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            return try domain.definition()
        }
        return try await elements([volume], document)[0]
    }

    private func elements(_ volumes: [GuestVolume], _ document: DomainDocument) async throws -> [XMLElement] {
        try await volumeDisks(volumes) { Self.bus(of: $0, document) }.map { disk in
            do {
                return try XMLReader.read(disk.xml())
            } catch {
                throw CloudError(.bug, "The volume cannot be attached.", cause: "\(error)")
            }
        }
    }

    /// What is asked for, or what the guest's other disks with such names are on.
    private static func bus(of volume: GuestVolume, _ document: DomainDocument) -> GuestHardware.DiskBus {
        let present = document.bus(ofNamesLike: volume.device)
        if let bus = (volume.bus ?? present).flatMap(GuestHardware.DiskBus.init) { return bus }
        return GuestHardware.DiskBus.allCases.first { volume.device.hasPrefix($0.devicePrefix) } ?? .virtio
    }

    /// The guest's folder describes it as libvirt does.
    func saveDefinition(of server: ServerID) async throws {
        let files = try GuestFiles(server, config)
        let text = try await connection.run("describe the guest") { try $0.domain(server)?.definition().text }
        guard let text else { return }
        try await FileSystem.onThread {
            guard FileSystem.exists(files.directory) else { return }
            try FileSystem.writeAtomically(files.definition, text, mode: 0o600)
        }
    }

    static func noGuest(_ server: ServerID) -> CloudError {
        .notFound("Instance \(server) could not be found.", kind: "InstanceNotFound")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import ComputeContract
import LinuxKit

/// Guests that boot from another disk than their own. The definition that a guest had lies in its folder meanwhile: as
/// long as it does, the guest is rescued.
extension LibvirtDriver {
    package func rescue(_ guest: GuestSpecification, grace: Duration) async throws {
        guard let rescue = guest.rescue else {
            throw CloudError(.bug, "The server cannot be rescued.", cause: "no rescue disk is specified")
        }
        let server = guest.serverID
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            let hardware = try GuestHardware(guest.properties)
            try hardware.check(rescue)
            try ConfigDrive.check(guest.configDrive)
            let attached = rescue.isStable ? guest.volumes ?? [] : []
            let volumes = try await volumeDisks(attached) { hardware.bus($0.bus) }
            let xml = DomainDescription(
                guest: guest, hardware: hardware, files: files, host: try await domainHost(), volumes: volumes
            ).xml()
            try await keepDefinition(of: server, files)
            try await shutDown(server, grace: grace)
            try await GuestDisks(cache: cache).makeRescue(guest, rescue, files)
            try await FileSystem.onThread { try FileSystem.writeAtomically(files.definition, xml, mode: 0o600) }
            try await prepareRuntime(files)
            try await openVolumes(attached)
            try await connection.run("start the guest") { host in
                let domain = try host.define(xml)
                if try domain.powerState() != .running { try domain.start() }
            }
            return (.running, ())
        }
    }

    /// An earlier try may have kept it already, and what libvirt has now may be that try's.
    private func keepDefinition(of server: ServerID, _ files: GuestFiles) async throws {
        guard try await FileSystem.onThread({ !FileSystem.exists(files.ownDefinition) }) else { return }
        let known = try await connection.run("describe the guest") { try $0.domain(server)?.definition().text }
        let text: String
        if let known {
            text = known
        } else {
            guard let kept = try await FileSystem.onThread({ try FileSystem.text(files.definition) }) else {
                throw Self.noGuest(server)
            }
            text = try await connection.run("describe the guest") { try $0.define(kept).definition().text }
        }
        try await FileSystem.onThread { try FileSystem.writeAtomically(files.ownDefinition, text, mode: 0o600) }
    }

    package func unrescue(_ server: ServerID) async throws {
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            guard let own = try await FileSystem.onThread({ try FileSystem.text(files.ownDefinition) }) else {
                guard let power = try await powerState(server) else { throw Self.noGuest(server) }
                return (power, ())
            }
            if try await powerState(server) != nil { try await shutDown(server, grace: .zero) }
            try await FileSystem.onThread { try FileSystem.writeAtomically(files.definition, own, mode: 0o600) }
            try await connection.run("describe the guest") { _ = try $0.define(own) }
            try await FileSystem.onThread {
                for path in files.rescueFiles { try FileSystem.removeTree(path) }
                // The last: it says that there is something to do.
                try FileSystem.removeTree(files.ownDefinition)
            }
            return (.shutdown, ())
        }
    }

    // MARK: Inside

    package func triggerCrashDump(_ server: ServerID) async throws {
        try await connection.run("interrupt the guest") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            guard try domain.isActive else { throw Self.isOff(server) }
            try domain.injectInterrupt()
        }
    }

    package func setPassword(_ password: String, of user: String, in server: ServerID) async throws {
        try await connection.run("set the password") { host in
            guard let domain = try host.domain(server) else { throw Self.noGuest(server) }
            guard try domain.powerState() == .running else { throw Self.isOff(server) }
            do throws(LibvirtError) {
                try domain.setPassword(password, of: user)
            } catch {
                guard error.isCode(VIR_ERR_AGENT_UNRESPONSIVE) || error.isCode(VIR_ERR_CONFIG_UNSUPPORTED) else {
                    throw error
                }
                throw CloudError(
                    .notImplemented, "Unable to set password on instance", cause: error.description)
            }
        }
    }

    private static func isOff(_ server: ServerID) -> CloudError {
        .conflict("Instance \(server) is not running.", kind: "InstanceNotRunning")
    }
}

extension GuestFiles {
    /// What the guest was before it was rescued.
    var ownDefinition: String { "\(directory)/unrescue.xml" }
    /// A second name of the cached image that the guest is rescued by.
    var rescueBase: String { "\(directory)/rescue-base" }
    var rescueRoot: String { "\(directory)/rescue.qcow2" }
    var rescueConfigDrive: String { "\(directory)/rescue-config.iso" }
    var rescueFiles: [String] { [rescueRoot, rescueBase, rescueConfigDrive] }
}

extension GuestHardware {
    /// nova: virt/libvirt/blockinfo.py, `get_rescue_device` and `get_rescue_bus`.
    func check(_ rescue: GuestSpecification.Rescue) throws {
        guard rescue.device == "disk" || rescue.device == "cdrom" else {
            throw CloudError.badRequest(
                "Requested rescue device '\(rescue.device.prefix(64))' is not supported",
                kind: "UnsupportedRescueDevice")
        }
        guard let bus = rescue.bus else { return }
        guard let known = DiskBus(rawValue: bus), known != .ide || !isQ35,
            rescue.device != "cdrom" || known != .virtio
        else {
            throw CloudError.badRequest(
                "Requested rescue bus '\(bus.prefix(64))' is not supported by virt_type 'qemu'",
                kind: "UnsupportedRescueBus")
        }
    }

    func rescueBus(_ rescue: GuestSpecification.Rescue) -> DiskBus {
        rescue.bus.flatMap(DiskBus.init) ?? (rescue.device == "cdrom" ? cdromBus : diskBus)
    }
}

extension GuestDisks {
    /// The disk that a guest is rescued by, and the config drive that goes with it, beside the guest's own.
    func makeRescue(
        _ guest: GuestSpecification, _ rescue: GuestSpecification.Rescue, _ files: GuestFiles
    ) async throws {
        try await FileSystem.onThread {
            guard FileSystem.exists(files.directory) else { throw LibvirtDriver.noGuest(guest.serverID) }
            for path in files.rescueFiles { try FileSystem.removeTree(path) }
        }
        let format = try await cache.place(rescue.image, at: files.rescueBase)
        try await DiskImageTool().createOverlay(
            files.rescueRoot, base: files.rescueBase, baseFormat: format == "iso" ? "raw" : format,
            sizeBytes: rescue.image.virtualSizeBytes)
        guard !guest.configDrive.isEmpty else { return }
        try await ConfigDrive(files: guest.configDrive)
            .write(to: files.rescueConfigDrive, folder: "\(files.directory)/config")
    }
}

extension LibvirtDomain {
    func injectInterrupt() throws(LibvirtError) { try succeed(virDomainInjectNMI(handle, 0)) }

    func setPassword(_ password: String, of user: String) throws(LibvirtError) {
        try succeed(virDomainSetUserPassword(handle, user, password, 0))
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit
import LogKit

/// Guests that move to other flavors and hosts. What a guest was lies in a second folder beside its own, whole: its
/// disks, its definition, its log. One rename puts it there and one brings it back, so there is no state between.
///
/// libvirt keeps its definition of the domain meanwhile, and with it the variables of its firmware.
extension LibvirtDriver {
    package func setAside(_ server: ServerID, named name: String, grace: Duration) async throws {
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            let aside = try files.aside(name)
            if try await FileSystem.onThread({ FileSystem.exists(aside.directory) }) {
                try await powerOff(server)
                return (.shutdown, ())
            }
            try await removeAsides(of: server, except: nil)
            try await shutDown(server, grace: grace)
            try await saveDefinition(of: server)
            try await FileSystem.onThread {
                guard FileSystem.exists(files.definition) else { throw Self.noGuest(server) }
                // Brought back, it tells that it was.
                try FileSystem.writeAtomically(files.asideName, name)
                try FileSystem.rename(files.directory, to: aside.directory)
                try FileSystem.synchronize(files.parent)
            }
            return (.shutdown, ())
        }
    }

    package func resize(_ guest: GuestSpecification, from name: String, starts: Bool) async throws {
        let server = guest.serverID
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            let aside = try files.aside(name)
            guard try await FileSystem.onThread({ FileSystem.exists(aside.directory) }) else {
                throw Self.noGuest(server)
            }
            let hardware = try GuestHardware(guest.properties)
            let layout = DiskLayout(guest: guest, hardware: hardware, files: files)
            let volumes = try await volumeDisks(guest.volumes ?? []) { hardware.bus($0.bus) }
            let xml = DomainDescription(
                guest: guest, hardware: hardware, files: files, host: try await domainHost(), volumes: volumes
            ).xml()
            try await powerOff(server)
            try await GuestDisks(cache: cache).recreate(guest, layout: layout, from: aside)
            try await FileSystem.onThread {
                try FileSystem.writeAtomically(files.taps, guest.nics.map(\.tapName).joined(separator: "\n"))
                try FileSystem.writeAtomically(files.definition, xml, mode: 0o600)
            }
            try await prepareRuntime(files)
            try await openVolumes(guest.volumes ?? [])
            try await connection.run("resize the guest") { host in
                let domain = try host.define(xml)
                if starts, try domain.powerState() != .running { try domain.start() }
            }
            return (starts ? .running : .shutdown, ())
        }
    }

    package func restore(_ server: ServerID, from name: String) async throws -> Bool {
        try await watch.changing(server) {
            let files = try GuestFiles(server, config)
            let aside = try files.aside(name)
            let isThere = try await FileSystem.onThread { FileSystem.exists(aside.directory) }
            guard isThere else {
                let last = try await FileSystem.onThread { try FileSystem.text(files.asideName) }
                return (try await powerState(server), last == name)
            }
            try await powerOff(server)
            let definition = try await FileSystem.onThread { () -> String? in
                try files.removeSockets()
                try FileSystem.removeTree(files.directory)
                try FileSystem.rename(aside.directory, to: files.directory)
                try FileSystem.synchronize(files.parent)
                return try FileSystem.text(files.definition)
            }
            guard let definition else { throw Self.noGuest(server) }
            try await connection.run("restore the guest") { _ = try $0.define(definition) }
            return (.shutdown, true)
        }
    }

    package func discardAside(_ server: ServerID, named name: String) async throws {
        let aside = try GuestFiles(server, config).aside(name)
        try await FileSystem.onThread { try FileSystem.removeTree(aside.directory) }
    }

    /// Removes what is set aside of a guest under any other name.
    func removeAsides(of server: ServerID, except kept: String?) async throws {
        let (directory, prefix) = (config.instancesDirectory, GuestFiles.asidePrefix(server))
        try await FileSystem.onThread {
            for name in try FileSystem.list(directory) where name.hasPrefix(prefix) {
                if let kept, name == prefix + kept { continue }
                try FileSystem.removeTree("\(directory)/\(name)")
            }
        }
    }

    /// At once, with nothing of its memory kept. Not an error when there is no domain.
    private func powerOff(_ server: ServerID) async throws {
        try await connection.run("stop the guest") { host in
            guard let domain = try host.domain(server) else { return }
            switch try domain.powerState() {
            case .shutdown: return
            case .suspended where try domain.hasSavedState(): try domain.dropSavedState()
            default: try domain.powerOff()
            }
        }
    }
}

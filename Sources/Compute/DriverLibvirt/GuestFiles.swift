// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Where one guest's files are. The server id is checked, so no path can leave the instances' folder.
struct GuestFiles: Sendable, Equatable {
    let directory: String
    let serialSocket: String
    let vncSocket: String

    init(_ server: ServerID, _ config: LibvirtConfig) throws {
        guard server.rawValue.utf8.count == 36, UUIDText.isUUID(server.rawValue) else {
            throw CloudError.badRequest("'\(server)' is not a server id.")
        }
        directory = "\(config.instancesDirectory)/\(server)"
        serialSocket = "\(config.runtimeDirectory)/\(server).serial"
        vncSocket = "\(config.runtimeDirectory)/\(server).vnc"
    }

    /// A second name of the cached base image: the guest keeps its base when the cache drops it.
    var base: String { "\(directory)/base" }
    var root: String { "\(directory)/root.qcow2" }
    var cdrom: String { "\(directory)/image.iso" }
    func ephemeral(_ number: Int) -> String { "\(directory)/ephemeral\(number).raw" }
    var swap: String { "\(directory)/swap.raw" }
    var configDrive: String { "\(directory)/config.iso" }
    var consoleLog: ConsoleLog { ConsoleLog(path: "\(directory)/console.log") }
    /// libvirt's definition as it was made, for the case that libvirt lost it.
    var definition: String { "\(directory)/domain.xml" }
    /// The names of its taps, one a line.
    var taps: String { "\(directory)/taps" }

    /// A copy of the root disk. The name is checked, so no path can leave the folder.
    func copy(_ name: String) throws -> String {
        guard UUIDText.isUUID(name) else { throw CloudError.badRequest("'\(name)' is not an id.") }
        return "\(directory)/copy-\(name).qcow2"
    }

    func tapNames() throws -> [String] {
        try FileSystem.text(taps)?.split(separator: "\n").map(String.init) ?? []
    }

    func removeSockets() throws {
        try FileSystem.removeTree(serialSocket)
        try FileSystem.removeTree(vncSocket)
    }
}

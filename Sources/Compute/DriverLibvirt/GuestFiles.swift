// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import LinuxKit

/// Where one guest's files are. The server id is checked, so no path can leave the instances' folder.
struct GuestFiles: Sendable, Equatable {
    let directory: String
    let serialSocket: String
    let vncSocket: String

    /// The folder of all guests.
    let parent: String

    private init(directory: String, serialSocket: String, vncSocket: String, parent: String) {
        self.directory = directory
        self.serialSocket = serialSocket
        self.vncSocket = vncSocket
        self.parent = parent
    }

    init(_ server: ServerID, _ config: LibvirtConfig) throws {
        guard server.rawValue.utf8.count == 36, UUIDText.isUUID(server.rawValue) else {
            throw CloudError.badRequest("'\(server)' is not a server id.")
        }
        parent = config.instancesDirectory
        directory = "\(config.instancesDirectory)/\(server)"
        serialSocket = "\(config.runtimeDirectory)/\(server).serial"
        vncSocket = "\(config.runtimeDirectory)/\(server).vnc"
    }

    /// A second name of the cached base image: the guest keeps its base when the cache drops it.
    var base: String { "\(directory)/base" }
    var root: String { "\(directory)/root.qcow2" }
    var cdrom: String { "\(directory)/image.iso" }
    static let ephemeralPrefix = "ephemeral"
    func ephemeral(_ number: Int) -> String { "\(directory)/\(Self.ephemeralPrefix)\(number).raw" }
    var swap: String { "\(directory)/swap.raw" }
    var configDrive: String { "\(directory)/config.iso" }
    var consoleLog: ConsoleLog { ConsoleLog(path: "\(directory)/console.log") }
    /// libvirt's definition as it was made, for the case that libvirt lost it.
    var definition: String { "\(directory)/domain.xml" }
    /// The names of its taps, one a line.
    var taps: String { "\(directory)/taps" }

    // MARK: Aside

    /// In the folder of a guest that was set aside: as what.
    var asideName: String { "\(directory)/aside" }

    /// What is set aside of this guest as `name`, which is checked, so no path can leave the instances' folder.
    func aside(_ name: String) throws -> GuestFiles {
        guard name.utf8.count == 36, UUIDText.isUUID(name) else {
            throw CloudError.badRequest("'\(name.prefix(64))' is not an id.")
        }
        return GuestFiles(
            directory: "\(directory).\(name)", serialSocket: serialSocket, vncSocket: vncSocket, parent: parent)
    }

    static func asidePrefix(_ server: ServerID) -> String { "\(server)." }

    /// The server that a folder of the instances' folder belongs to.
    static func owner(ofFolder name: String) -> ServerID? {
        let id = name.prefix(36)
        guard UUIDText.isUUID(String(id)), name.utf8.count == 36 || name.dropFirst(36).first == "." else { return nil }
        return ServerID(String(id))
    }

    /// A copy of the root disk. The name is checked, so no path can leave the folder.
    func copy(_ name: String) throws -> String {
        guard UUIDText.isUUID(name) else { throw CloudError.badRequest("'\(name)' is not an id.") }
        return "\(directory)/copy-\(name).qcow2"
    }

    func tapNames() throws -> [String] {
        try FileSystem.text(taps)?.split(separator: "\n").map(String.init) ?? []
    }

    func removeAllButEphemeral() throws {
        guard FileSystem.exists(directory) else { return }
        for name in try FileSystem.list(directory) where !name.hasPrefix(Self.ephemeralPrefix) {
            try FileSystem.removeTree("\(directory)/\(name)")
        }
    }

    func removeSockets() throws {
        try FileSystem.removeTree(serialSocket)
        try FileSystem.removeTree(vncSocket)
    }
}

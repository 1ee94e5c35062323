// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LinuxKit

/// Targets of the kernel (LIO), made by folders of its configuration file system. They live until the host restarts.
///
/// The kernel knows hosts by the name of their initiator alone: one that gives none shares an access list that lets any
/// name in, and the password decides.
struct LIOTargetService: TargetService {
    private static let modules = ["target_core_mod", "target_core_iblock", "target_core_file", "iscsi_target_mod"]
    private static let core = "/sys/kernel/config/target/core"
    private static let fabric = "/sys/kernel/config/target/iscsi"

    let lun = 1
    private let portal: String
    private let changes = AsyncSlots("kernel target", slots: 1)

    init(portal: String) { self.portal = portal }

    func ensureRunning() async throws {
        if FileSystem.exists(Self.fabric) { return }
        if let modprobe = Subprocess.find("modprobe") {
            _ = try await Subprocess.run(modprobe, ["-a", "configfs"] + Self.modules)
        }
        try await onThread {
            if try !Mounts.isMounted("/sys/kernel/config") {
                try Mounts.mount("configfs", at: "/sys/kernel/config", type: "configfs")
            }
            guard FileSystem.exists(Self.core) else {
                throw CloudError(
                    .unavailable, "The export failed.", cause: "the kernel has no target_core_mod: use tgt instead")
            }
            try Self.make(Self.fabric)
        }
    }

    func targets() async throws -> Set<String> {
        try await onThread { Set(try FileSystem.list(Self.fabric).filter { $0.hasPrefix("iqn.") }) }
    }

    func hasSessions(_ name: String) async throws -> Bool {
        try await onThread { try !Self.sessions(Self.group(name)).isEmpty }
    }

    func ensure(_ target: ISCSITarget) async throws {
        try await changes.run {
            try await onThread {
                try makeDevice(target)
                let group = Self.group(target.name)
                try Self.make("\(Self.fabric)/\(target.name)")
                try Self.make(group)
                try Self.make("\(group)/lun/lun_\(lun)")
                try FileSystem.ensureSymlinkOnce(
                    "\(group)/lun/lun_\(lun)/device", to: Self.device(target.name, target.path))
                try makeAccess(target, group)
                try Self.make("\(group)/np/\(portal)")
                try Self.enable(group, true)
            }
        }
    }

    func remove(_ name: String, chapUser: String) async throws {
        try await changes.run {
            try await onThread {
                let group = Self.group(name)
                if FileSystem.exists(group) {
                    // Cuts off who is logged in.
                    try Self.enable(group, false)
                    for host in try FileSystem.list("\(group)/acls") { try removeHost("\(group)/acls/\(host)") }
                    for address in try FileSystem.list("\(group)/np") {
                        try Self.removeFolder("\(group)/np/\(address)")
                    }
                    for unit in try FileSystem.list("\(group)/lun") where unit.hasPrefix("lun_") {
                        try Self.removeLinks("\(group)/lun/\(unit)")
                        try Self.removeFolder("\(group)/lun/\(unit)")
                    }
                    try Self.removeFolder(group)
                }
                try Self.removeFolder("\(Self.fabric)/\(name)")
                for kind in ["iblock_0", "fileio_0"] {
                    try Self.removeFolder("\(Self.core)/\(kind)/\(Self.deviceName(name))")
                }
            }
        }
    }

    /// A block device's size is asked of it each time; a file's is kept by the kernel and said again.
    func refreshSize(_ target: ISCSITarget) async throws {
        guard !target.path.hasPrefix("/dev/") else { return }
        throw CloudError(
            .conflict, "This storage cannot extend a volume that is in use.", kind: "VolumeInUse",
            cause: "the kernel's target keeps the size of a file: use logical volumes, or tgt")
    }

    // MARK: Parts of a target (these block)

    private func makeDevice(_ target: ISCSITarget) throws {
        let device = Self.device(target.name, target.path)
        let isBlock = target.path.hasPrefix("/dev/")
        try Self.make(device.parentFolder)
        try Self.make(device)
        if try FileSystem.text("\(device)/enable") != "1" {
            if isBlock {
                try Self.write("\(device)/control", "udev_path=\(target.path)")
            } else {
                let size = try FileSystem.status(target.path)?.size ?? 0
                try Self.write(
                    "\(device)/control", "fd_dev_name=\(target.path),fd_dev_size=\(size),fd_buffered_io=1")
            }
            try Self.write("\(device)/enable", "1")
        }
        // Blocks that a guest gives back go back to the thin pool.
        if isBlock { try Self.write("\(device)/attrib/emulate_tpu", "1") }
    }

    private func makeAccess(_ target: ISCSITarget, _ group: String) throws {
        let isOpenToAll = target.initiators.isEmpty
        try Self.write("\(group)/attrib/authentication", "1")
        try Self.write("\(group)/attrib/generate_node_acls", isOpenToAll ? "1" : "0")
        try Self.write("\(group)/attrib/cache_dynamic_acls", isOpenToAll ? "1" : "0")
        try Self.write("\(group)/attrib/demo_mode_write_protect", isOpenToAll && !target.isReadOnly ? "0" : "1")
        try Self.write("\(group)/auth/userid", target.chapUser)
        try Self.write("\(group)/auth/password", target.chapPassword)
        for host in try FileSystem.list("\(group)/acls") where !target.initiators.contains(host) {
            try removeHost("\(group)/acls/\(host)")
        }
        for host in target.initiators {
            let folder = "\(group)/acls/\(host)"
            try Self.make(folder)
            try Self.write("\(folder)/auth/userid", target.chapUser)
            try Self.write("\(folder)/auth/password", target.chapPassword)
            try Self.make("\(folder)/lun_\(lun)")
            try FileSystem.ensureSymlinkOnce("\(folder)/lun_\(lun)/unit", to: "\(group)/lun/lun_\(lun)")
            try Self.write("\(folder)/lun_\(lun)/write_protect", target.isReadOnly ? "1" : "0")
        }
    }

    private func removeHost(_ folder: String) throws {
        for unit in try FileSystem.list(folder) where unit.hasPrefix("lun_") {
            try Self.removeLinks("\(folder)/\(unit)")
            try Self.removeFolder("\(folder)/\(unit)")
        }
        try Self.removeFolder(folder)
    }

    /// The kernel refuses to do what is done already.
    private static func enable(_ group: String, _ isEnabled: Bool) throws {
        let wanted = isEnabled ? "1" : "0"
        if try FileSystem.text("\(group)/enable") != wanted { try write("\(group)/enable", wanted) }
    }

    private static func group(_ name: String) -> String { "\(fabric)/\(name)/tpgt_1" }

    private static func deviceName(_ target: String) -> String {
        target.split(separator: ":").last.map(String.init) ?? target
    }

    private static func device(_ target: String, _ path: String) -> String {
        "\(core)/\(path.hasPrefix("/dev/") ? "iblock_0" : "fileio_0")/\(deviceName(target))"
    }

    private static func sessions(_ group: String) throws -> [String] {
        let open = try FileSystem.text("\(group)/dynamic_sessions") ?? ""
        let named = try FileSystem.list("\(group)/acls").filter { host in
            let info = try FileSystem.text("\(group)/acls/\(host)/info") ?? ""
            return !info.hasPrefix("No active iSCSI Session")
        }
        return open.split(separator: "\n").map(String.init) + named
    }

    private static func make(_ folder: String) throws {
        if FileSystem.exists(folder) { return }
        try FileSystem.makeDirectories(folder)
    }

    /// An attribute takes one write, and has no length of its own.
    private static func write(_ path: String, _ value: String) throws { try AttributeFile.write(path, value) }

    private static func removeLinks(_ folder: String) throws {
        for name in try FileSystem.list(folder) { try AttributeFile.removeLink("\(folder)/\(name)") }
    }

    private static func removeFolder(_ folder: String) throws { try AttributeFile.removeFolder(folder) }

    private func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await FileSystem.onThread(body)
    }
}

extension String {
    fileprivate var parentFolder: String { lastIndex(of: "/").map { String(self[..<$0]) } ?? "." }
}

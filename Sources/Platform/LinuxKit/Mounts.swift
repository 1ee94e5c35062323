// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc

/// Mounts in the calling thread's mount namespace.
package enum Mounts {
    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt
        package init(rawValue: UInt) { self.rawValue = rawValue }
        package static let bind = Flags(rawValue: UInt(MS_BIND))
        package static let recursive = Flags(rawValue: UInt(MS_REC))
        package static let isPrivate = Flags(rawValue: UInt(MS_PRIVATE))
        package static let isShared = Flags(rawValue: UInt(MS_SHARED))
        package static let readOnly = Flags(rawValue: UInt(MS_RDONLY))
    }

    package static func mount(
        _ source: String, at target: String, type: String = "none", flags: Flags = [], options: String = ""
    ) throws(SystemError) {
        try check(CLinux.mount(source, target, type, flags.rawValue, options), "mount", target)
    }

    /// Takes a mount away; `lazily`: out of the tree at once, freed when nobody uses it any more.
    package static func unmount(_ target: String, lazily: Bool = false) throws(SystemError) {
        try check(umount2(target, lazily ? Int32(MNT_DETACH) : 0), "umount", target)
    }

    /// Whether something is mounted exactly at `path`.
    package static func isMounted(_ path: String) throws(SystemError) -> Bool {
        let table = try FileSystem.text("/proc/thread-self/mounts", limit: 16 << 20) ?? ""
        return table.split(separator: "\n").contains { line in
            line.split(separator: " ").dropFirst().first.map { $0 == path } ?? false
        }
    }
}

/// Namespaces of the calling thread. Only for threads of one's own: nothing on a shared pool may change its namespace.
package enum Namespaces {
    package struct Kinds: OptionSet, Sendable {
        package let rawValue: Int32
        package init(rawValue: Int32) { self.rawValue = rawValue }
        package static let network = Kinds(rawValue: 0x4000_0000)
        package static let mount = Kinds(rawValue: 0x0002_0000)
        package static let hostname = Kinds(rawValue: 0x0400_0000)
        package static let process = Kinds(rawValue: 0x2000_0000)
    }

    /// Gives the calling thread new namespaces (for `.process`: its next children).
    package static func unshare(_ kinds: Kinds) throws(SystemError) {
        try check(clinux_unshare(kinds.rawValue), "unshare")
    }

    /// Moves the calling thread into the namespace behind a path such as `/proc/1/ns/net`.
    package static func enter(_ path: String, _ kind: Kinds) throws(SystemError) {
        let file = OwnedDescriptor(try check(open(path, O_RDONLY | O_CLOEXEC), "open", path))
        try check(clinux_setns(file.number, kind.rawValue), "setns", path)
    }
}

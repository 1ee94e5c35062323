// SPDX-License-Identifier: Apache-2.0
import CLinux
import Glibc
import LifecycleKit

/// A network namespace with a name, where `ip netns` keeps its own: a bind mount below `/run/netns`.
package struct NetworkNamespace: Hashable, Sendable, CustomStringConvertible {
    private static let directory = "/run/netns"
    private static let maximumNameLength = 128

    package let name: String

    /// Names a namespace; it need not exist. Traps when `name` could leave the folder.
    package init(_ name: String) {
        precondition(
            !name.isEmpty && name.utf8.count <= Self.maximumNameLength && name != "." && name != ".."
                && !name.utf8.contains(UInt8(ascii: "/")) && !name.utf8.contains(0),
            "\(name) names no namespace")
        self.name = name
    }

    package var description: String { name }
    package var path: String { "\(Self.directory)/\(name)" }

    /// Every named namespace of this host.
    package static func list() throws -> [NetworkNamespace] {
        try FileSystem.list(directory).map { NetworkNamespace($0) }
    }

    package var exists: Bool { get throws { try Mounts.isMounted(path) } }

    /// Makes it, with loopback up. Not an error when it is there.
    package func create() async throws {
        try await Self.onThread("netns create") {
            try Self.prepareDirectory()
            if try exists { return }
            // What is there without a mount was left by a crash between the two steps below.
            try FileSystem.removeTree(path)
            try FileSystem.writeAtomically(path, [], mode: 0o444, durably: false)
            do {
                try Namespaces.unshare(.network)
                try Mounts.mount("/proc/thread-self/ns/net", at: path, flags: .bind)
            } catch {
                unlink(path)
                throw error
            }
            try NetworkLinks().setUp("lo")
        }
    }

    /// Removes the name; the namespace goes with the last process in it. Not an error when there is none.
    package func delete() async throws {
        try await Self.onThread("netns delete") {
            if try exists { try Mounts.unmount(path, lazily: true) }
            try FileSystem.removeTree(path)
        }
    }

    /// Runs `body` on a thread of its own inside the namespace. Processes that it starts are inside, too.
    package func run<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await Self.onThread(name) {
            try enter()
            return try body()
        }
    }

    /// A listening TCP socket inside the namespace, usable from outside. The caller closes it.
    package func listen(address: String, port: UInt16, backlog: Int32 = 128) async throws -> Int32 {
        try await run { try Sockets.listen(address: address, port: port, backlog: backlog) }
    }

    /// Moves the calling thread inside, for good.
    func enter() throws(SystemError) { try Namespaces.enter(path, .network) }

    /// Makes the folder a shared mount, as `ip netns` does, so that other mount namespaces see what is mounted in it.
    private static func prepareDirectory() throws {
        try FileSystem.makeDirectories(directory)
        do throws(SystemError) {
            try Mounts.mount("", at: directory, flags: [.isShared, .recursive])
        } catch  where error.code == EINVAL {
            try Mounts.mount(directory, at: directory, flags: [.bind, .recursive])
            try Mounts.mount("", at: directory, flags: [.isShared, .recursive])
        }
    }

    /// A thread whose namespace was changed must not go back to a pool, so each call has its own.
    static func onThread<T: Sendable>(
        _ name: String, _ body: @escaping @Sendable () throws -> T
    ) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            SystemThread.start(name) { continuation.resume(with: Result(catching: body)) }.detach()
        }
    }
}

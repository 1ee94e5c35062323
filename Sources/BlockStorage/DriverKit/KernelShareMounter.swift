// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LifecycleKit
import LinuxKit

/// The kernel's NFS client, by the system's own `mount`, which resolves names and negotiates versions.
package struct KernelShareMounter: ShareMounter {
    private static let timeout = Duration.seconds(60)
    /// Of two that find nothing mounted, the second finds what the first mounted.
    private static let queue = KeyedSerialQueue<String>("mounts of shares")

    private let fileSystem: String

    package init() { self.init(fileSystem: "nfs") }

    /// Of another kind, for hosts without NFS.
    init(fileSystem: String) { self.fileSystem = fileSystem }

    package func ensureMounted(_ share: VolumeConnection.Share) async throws {
        guard share.source.dropFirst().contains(":/"), !share.source.hasPrefix("-"), share.mountPoint.hasPrefix("/"),
            !share.options.hasPrefix("-")
        else { throw Self.failure("'\(share.source)' is no share; expected nfs-server:/export") }
        if try await Self.isMounted(share) { return }
        try await Self.queue.run(share.mountPoint) {
            if try await !Self.isMounted(share) { try await mount(share) }
        }
    }

    private static func isMounted(_ share: VolumeConnection.Share) async throws -> Bool {
        let mounted = try await FileSystem.onThread { try MountTable().mount(at: share.mountPoint)?.source }
        guard mounted == nil || mounted == share.source else {
            throw failure("\(share.mountPoint) has \(mounted ?? "") mounted, not \(share.source)")
        }
        return mounted != nil
    }

    private func mount(_ share: VolumeConnection.Share) async throws {
        guard let program = Subprocess.find("mount") else { throw Self.failure("there is no program 'mount'") }
        try await FileSystem.onThread { try FileSystem.makeDirectories(share.mountPoint) }
        let options = share.options.isEmpty ? [] : ["-o", share.options]
        let result = try await Subprocess.run(
            program, ["-t", fileSystem] + options + ["--", share.source, share.mountPoint], timeout: Self.timeout)
        guard result.isSuccess else {
            throw Self.failure("mount \(share.source): \(result.errorText.suffix(500)); is nfs-common installed?")
        }
    }

    package func withRoot<T: Sendable>(
        of share: VolumeConnection.Share, _ body: @Sendable (_ path: String) async throws -> T
    ) async throws -> T {
        try await ensureMounted(share)
        let root = OwnedDescriptor(try await FileSystem.onThread { try Self.open(share) })
        // A path through the descriptor begins in the file system that was opened, whatever is mounted where by now.
        return try await body("/proc/self/fd/\(root.number)")
    }

    /// Blocks. The root of the share, and of nothing else.
    private static func open(_ share: VolumeConnection.Share) throws -> Int32 {
        let number = Glibc.open(share.mountPoint, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard number >= 0 else { throw failure("\(SystemError("open", share.mountPoint))") }
        let root = OwnedDescriptor(number)
        guard let mount = try MountTable().mount(of: root.number), mount.source == share.source,
            mount.path == share.mountPoint
        else { throw failure("\(share.source) was unmounted from \(share.mountPoint)") }
        return root.release()
    }

    private static func failure(_ cause: String) -> CloudError {
        CloudError(.unavailable, "The share cannot be mounted.", kind: "ShareUnavailable", cause: cause)
    }
}

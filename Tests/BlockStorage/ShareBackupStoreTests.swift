// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import LinuxKit
import TestKit
import Testing

@testable import BlockStorageDriverKit

/// Goal: backups of a share are on the share or nowhere: never in the folder that it is mounted over.
/// Method: a folder that comes and goes in the place of a server; and, where file systems may be mounted, the real
/// mounter with one in memory, which is unmounted at the worst moment.
@Suite("Backups on a share")
struct ShareBackupStoreTests {
    private static let id = VolumeBackupID("11111111-1111-4111-8111-111111111111")

    private static func share(_ mountPoint: String, options: String = "") -> VolumeConnection.Share {
        .init(source: "server:/backups", mountPoint: mountPoint, options: options)
    }

    @Test("comes back from the share; while that is away every call says so, and nothing is written elsewhere")
    func away() async throws {
        try await withTemporaryDirectory { directory in
            try FileSystem.makeDirectories(directory + "/server")
            try FileSystem.writeAtomically(directory + "/volume", [UInt8](repeating: 7, count: 100_000))
            let server = FolderShare(directory + "/server")
            let store = ShareBackupStore(Self.share(directory + "/mount"), mounter: server)
            #expect(try await store.check().hasSuffix("server:/backups"))
            let kept = try await store.keep(Self.id, from: directory + "/volume", parent: nil, cipher: nil)
            #expect(try await store.content(Self.id) == kept)
            try await store.fetch(Self.id, to: directory + "/back", sizeBytes: 0, cipher: nil)
            #expect(try FileSystem.read(directory + "/back", limit: 1 << 20) == [UInt8](repeating: 7, count: 100_000))

            server.setAway(true)
            let other = VolumeBackupID(IDSource.random.uuid())
            for call: @Sendable () async throws -> Void in [
                { _ = try await store.check() }, { _ = try await store.content(Self.id) },
                { try await store.remove(Self.id) }, { _ = try await store.fragments(olderThan: .zero) },
                { _ = try await store.keep(other, from: directory + "/volume", parent: nil, cipher: nil) },
                { try await store.fetch(Self.id, to: directory + "/back", sizeBytes: 0, cipher: nil) },
            ] {
                await #expect { try await call() } throws: { error in
                    (error as? CloudError)?.code == .unavailable
                        && (error as? CloudError)?.message == "The backup store cannot be reached."
                }
            }
            server.setAway(false)
            #expect(try await store.content(Self.id) == kept)
            #expect(!FileSystem.exists(directory + "/mount"))
        }
    }

    @Test("whoever looks after the store knows how it is, without asking it again")
    func watch() async throws {
        try await withTemporaryDirectory { directory in
            try FileSystem.makeDirectories(directory + "/server")
            for isAway in [false, true] {
                let server = FolderShare(directory + "/server")
                server.setAway(isAway)
                let watch = BackupStoreWatch(
                    ShareBackupStore(Self.share(directory + "/mount"), mounter: server))
                #expect { _ = try watch.report() } throws: { ($0 as? CloudError)?.message == "does not answer" }
                try await withServices([watch]) {
                    try await eventually { (try? watch.report()) != nil || isAway }  // nothing known yet
                    if isAway {
                        try await eventually {
                            do { _ = try watch.report() } catch let error as CloudError {
                                return error.message == "The backup store cannot be reached."
                            }
                            return false
                        }
                    }
                }
            }
        }
    }

    @Test("a backup fails with words for its owner while the share is away, and can be made afterwards")
    func sagas() async throws {
        try await withTemporaryDirectory { directory in
            try FileSystem.makeDirectories(directory + "/server")
            let server = FolderShare(directory + "/server")
            let world = try await BlockStorageWorld(mounter: server) { config in
                config.scratchDirectory = directory + "/scratch"
                config.backupDirectory = directory + "/mount"
                config.backupShare = "server:/backups"
            }
            try await world.run {
                let volume = try await world.make(["size": 1])
                server.setAway(true)
                let failed = try await Self.backup(volume, world)
                #expect(failed["status"] == "error")
                #expect(failed["fail_reason"] == "The backup store cannot be reached.")
                #expect(try await world.status(volume) == "available")
                server.setAway(false)
                let made = try await Self.backup(volume, world)
                #expect(made["status"] == "available")
                #expect(!FileSystem.exists(directory + "/mount"))
                let id = try #require(made["id"])
                #expect(FileSystem.exists("\(directory)/server/\(id)/manifest"))
            }
        }
    }

    private static func backup(_ volume: VolumeID, _ world: BlockStorageWorld) async throws -> [String: String] {
        let answer = try await world.call(
            .post, "/backups", ["backup": ["volume_id": .string(volume.rawValue)]], expecting: 202)
        let id = try #require(answer["backup", "id"]?.string)
        try await eventually {
            try await world.call(.get, "/backups/\(id)", expecting: 200)["backup", "status"]?.string != "creating"
        }
        try await eventually { try await world.locks() == 0 }
        let shown = try await world.call(.get, "/backups/\(id)", expecting: 200)
        return [
            "id": id, "status": shown["backup", "status"]?.string ?? "",
            "fail_reason": shown["backup", "fail_reason"]?.string ?? "",
        ]
    }

    // MARK: The real mounter

    /// Whether this process may mount at all.
    private static func canMount() async throws -> Bool {
        guard let mount = Subprocess.find("mount"), let unmount = Subprocess.find("umount") else { return false }
        return try await withTemporaryDirectory { directory in
            guard try await Subprocess.run(mount, ["-t", "tmpfs", "--", "probe", directory]).isSuccess else {
                return false
            }
            return try await Subprocess.run(unmount, [directory]).isSuccess
        }
    }

    @Test(
        "what begins on the share ends there, or fails, when the share is unmounted meanwhile",
        .enabled("needs the right to mount a tmpfs") { try await Self.canMount() })
    func unmounted() async throws {
        try await withTemporaryDirectory { directory in
            let mounter = KernelShareMounter(fileSystem: "tmpfs")
            let (share, unmount) = (Self.share(directory + "/a mount"), try #require(Subprocess.find("umount")))
            for _ in 1...2 { try await mounter.ensureMounted(share) }
            let mounts = try MountTable().mounts
            #expect(mounts.count { $0.path == share.mountPoint } == 1)
            try await mounter.withRoot(of: share) { root in
                try FileSystem.writeAtomically(root + "/before", "1", durably: false)
                try await Subprocess.runChecked(unmount, ["-l", share.mountPoint])
                // Still the share; the folder below it stays empty.
                try FileSystem.writeAtomically(root + "/after", "2", durably: false)
                #expect(try FileSystem.list(root).sorted() == ["after", "before"])
                #expect(try FileSystem.list(share.mountPoint) == [])
            }
            #expect(try FileSystem.list(share.mountPoint) == [])
            // Mounted again, by the next one.
            let store = ShareBackupStore(share, mounter: mounter)
            #expect(try await store.check().hasSuffix("server:/backups"))
            #expect(try MountTable().mount(at: share.mountPoint)?.source == "server:/backups")
            try await Subprocess.runChecked(unmount, [share.mountPoint])
        }
    }

    @Test(
        "another file system at the mount point is not taken for the share",
        .enabled("needs the right to mount a tmpfs") { try await Self.canMount() })
    func otherShare() async throws {
        try await withTemporaryDirectory { directory in
            let mounter = KernelShareMounter(fileSystem: "tmpfs")
            let other = VolumeConnection.Share(source: "server:/other", mountPoint: directory + "/m", options: "")
            try await mounter.ensureMounted(other)
            let store = ShareBackupStore(Self.share(directory + "/m"), mounter: mounter)
            await #expect { _ = try await store.check() } throws: { ($0 as? CloudError)?.code == .unavailable }
            try await Subprocess.runChecked(try #require(Subprocess.find("umount")), [directory + "/m"])
        }
    }

    @Test(
        "a server that does not mount is unavailable, and its folder stays empty",
        arguments: [
            "server", "-o:/x", "", "localhost:/none",
        ])
    func unmountable(_ source: String) async throws {
        try await withTemporaryDirectory { directory in
            let share = VolumeConnection.Share(source: source, mountPoint: directory + "/m", options: "")
            let mounter = KernelShareMounter(fileSystem: "nothing-such")
            await #expect { try await mounter.ensureMounted(share) } throws: { error in
                (error as? CloudError)?.kind == "ShareUnavailable"
            }
            let left = FileSystem.exists(directory + "/m") ? try FileSystem.list(directory + "/m") : []
            #expect(left == [])
        }
    }

    @Test("the kernel's table is read, with blanks in its paths")
    func table() {
        let table = MountTable(
            text: """
                22 1 8:1 / / rw - ext4 /dev/root rw
                36 22 0:50 / /mnt/a\\040b rw,relatime shared:1 master:2 - nfs4 server:/export rw,vers=4.2
                37 22 0:51 / /mnt/a\\040b rw - nfs4 [fd00::1]:/x\\134y rw
                torn
                """)
        #expect(table.mounts.map(\.id) == ["22", "36", "37"])
        #expect(table.mount(at: "/mnt/a b")?.source == "[fd00::1]:/x\\y")
        #expect(table.mount(at: "/mnt") == nil)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit
import TestKit
import Testing

@testable import haneul

/// Goal: `clouds.yaml` is the user's; our entries come and go, and not one other byte changes.
/// Method: files as people write them, before and after.
@Suite("clouds.yaml")
struct CloudsFileTests {
    private static let credentials = SandboxState.Credentials(admin: Secret("first\"secret"), demo: Secret("second"))

    private static func entry(_ name: String, _ user: String, _ password: String) -> String {
        """
          \(name):
            auth:
              auth_url: http://127.0.0.1:8088/identity/v3
              username: \(user)
              password: "\(password)"
              project_name: \(user)
              user_domain_id: default
              project_domain_id: default
            region_name: RegionOne
            identity_api_version: 3

        """
    }
    private static let both = entry("haneul", "demo", "second") + entry("haneul-admin", "admin", #"first\"secret"#)

    /// Documents that have no entry of ours, and the same with both.
    private static let pairs: [(without: String, with: String)] = [
        ("# mine\n", "# mine\nclouds:\n" + both),
        ("clouds:\n  other:\n    auth: {}\n", "clouds:\n  other:\n    auth: {}\n" + both),
        (
            "clouds:   # all of them\n\n  # the first\n  other: {cloud: x}\n",
            "clouds:   # all of them\n\n  # the first\n  other: {cloud: x}\n" + both
        ),
        (
            "cache:\n  expiration: 1\nclouds:\n  other:\n    profile: x\n\n# the end\nlast: 1\n",
            "cache:\n  expiration: 1\nclouds:\n  other:\n    profile: x\n" + both + "\n# the end\nlast: 1\n"
        ),
        (
            "clouds:\n  haneulish:\n    profile: y\nx: {clouds: 1}\n",
            "clouds:\n  haneulish:\n    profile: y\n" + both + "x: {clouds: 1}\n"
        ),
        (
            "base: &base\n  verify: true\n\"clouds\":\n  other:\n    <<: *base\n",
            "base: &base\n  verify: true\n\"clouds\":\n  other:\n    <<: *base\n" + both
        ),
    ]

    /// Gives `body` a file in a directory of its own; nil: there is none.
    private static func with(
        _ text: String?, owner: (user: uid_t, group: gid_t)? = nil, _ body: (CloudsFile) throws -> Void
    ) async throws {
        try await withTemporaryDirectory { directory in
            let file = CloudsFile(path: directory + "/home/.config/openstack/clouds.yaml", owner: owner)
            if let text {
                try FileSystem.makeDirectories(directory + "/home/.config/openstack")
                try FileSystem.writeAtomically(file.path, text, mode: 0o640, durably: false)
            } else {
                try FileSystem.makeDirectories(directory + "/home")
            }
            try body(file)
        }
    }

    private static func text(_ path: String) throws -> String? {
        try FileSystem.read(path, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func status(_ path: String) -> stat {
        var info = stat()
        lstat(path, &info)
        return info
    }

    @Test("entries come and go, and the rest stays byte for byte", arguments: pairs.indices)
    func roundTrip(_ index: Int) async throws {
        let (without, with) = Self.pairs[index]
        try await Self.with(without) { file in
            for _ in 0..<2 {
                try file.merge(Self.credentials, port: 8088)
                #expect(try Self.text(file.path) == with)
            }
            #expect(Self.status(file.path).st_mode & 0o777 == 0o600, "it holds passwords now")
            for _ in 0..<2 {
                try file.remove(Self.credentials)
                #expect(try Self.text(file.path) == without)
            }
        }
    }

    @Test("a file that was not there is made private, and goes with its last entry", arguments: [nil, "", "clouds:\n"])
    func newFile(_ old: String?) async throws {
        try await Self.with(old) { file in
            try file.merge(Self.credentials, port: 8088)
            #expect(try Self.text(file.path) == "clouds:\n" + Self.both)
            if old == nil { #expect(Self.status(file.path).st_mode & 0o777 == 0o600) }
            try file.remove(Self.credentials)
            #expect(!FileSystem.exists(file.path))
            try file.remove(Self.credentials)
        }
    }

    @Test("older entries are replaced where they stand, whatever their form")
    func replacement() async throws {
        let old = """
            clouds:
                first:
                    profile: x
                "haneul":  # old
                    auth:
                        # a remark within

                        username: old
                    verify: false

                # about the last
                last:
                    profile: y

            """
        try await Self.with(old) { file in
            try file.merge(Self.credentials, port: 8088)
            let text = try #require(try Self.text(file.path))
            #expect(text.hasPrefix("clouds:\n    first:\n        profile: x\n    haneul:\n      auth:\n"))
            #expect(
                text.contains("      identity_api_version: 3\n\n    # about the last\n    last:\n        profile: y\n"))
            #expect(!text.contains("old") && !text.contains("remark"))
        }
    }

    @Test("entries of the same names that name another cloud stay")
    func othersEntries() async throws {
        let other = "clouds:\n" + Self.entry("haneul", "demo", "another") + Self.entry("haneul-admin", "admin", "third")
        try await Self.with(other) { file in
            try file.remove(Self.credentials)
            #expect(try Self.text(file.path) == other)
        }
    }

    @Test("other lines keep their carriage returns, and a last line without an end gains one")
    func lineEnds() async throws {
        try await Self.with("clouds:\r\n  other:\r\n    profile: x\r\n") { file in
            try file.merge(Self.credentials, port: 8088)
            try file.remove(Self.credentials)
            #expect(try Self.text(file.path) == "clouds:\r\n  other:\r\n    profile: x\r\n")
        }
        try await Self.with("clouds:\n  other:\n    profile: x") { file in
            try file.merge(Self.credentials, port: 8088)
            #expect(try Self.text(file.path) == "clouds:\n  other:\n    profile: x\n" + Self.both)
        }
    }

    @Test(
        "a document that cannot be changed safely is refused and left alone",
        arguments: [
            "clouds: {other: {profile: x}}\n", "{clouds: {}}\n", "clouds:\n\tother:\n", "- clouds\n",
            "clouds:\n  a: {}\nclouds:\n  b: {}\n", "a: &all {b: {}}\nclouds: *all\n", "clouds: text\n", "a: [\n",
        ])
    func refused(_ text: String) async throws {
        try await Self.with(text) { file in
            let failure = #expect(throws: CommandFailure.self) { try file.merge(Self.credentials, port: 8088) }
            #expect(failure?.description.contains(file.path) == true)
            let kept = try Self.text(file.path)
            #expect(kept == text)
        }
    }

    @Test("a symbolic link stays one, also when nothing is left in its file")
    func symbolicLink() async throws {
        try await Self.with("# mine\n") { file in
            let target = file.path + ".real"
            try FileSystem.rename(file.path, to: target)
            #expect(symlink(target, file.path) == 0)
            try file.merge(Self.credentials, port: 8088)
            #expect(Self.status(file.path).st_mode & S_IFMT == S_IFLNK)
            #expect(try Self.text(target) == "# mine\nclouds:\n" + Self.both)
            try FileSystem.writeAtomically(target, "clouds:\n" + Self.both, durably: false)
            try file.remove(Self.credentials)
            #expect(Self.status(file.path).st_mode & S_IFMT == S_IFLNK)
            #expect(try Self.text(target) == "")
        }
    }

    @Test("under sudo what is made belongs to who called", .enabled(if: geteuid() == 0))
    func ownership() async throws {
        try await Self.with(nil, owner: (12_345, 12_346)) { file in
            try file.merge(Self.credentials, port: 8088)
            let folder = String(file.path.dropLast("/clouds.yaml".count))
            for path in [file.path, folder, String(folder.dropLast("/openstack".count))] {
                #expect(Self.status(path).st_uid == 12_345 && Self.status(path).st_gid == 12_346, "\(path)")
            }
        }
        try await Self.with("# mine\n", owner: (12_345, 12_346)) { file in
            chown(file.path, 23_456, 23_457)
            try file.merge(Self.credentials, port: 8088)
            #expect(Self.status(file.path).st_uid == 23_456 && Self.status(file.path).st_gid == 23_457)
        }
    }
}

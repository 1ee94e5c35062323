// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit
import Glibc
import LinuxKit

/// A user's `clouds.yaml`: the entries `haneul` and `haneul-admin` come and go, every other byte stays.
struct CloudsFile {
    let path: String
    /// Who gets a file that was not there before; nil: the process's own user.
    let owner: (user: uid_t, group: gid_t)?

    private static let section = "clouds"

    /// Of the user who called, also through sudo.
    static var ofCaller: CloudsFile {
        let caller = caller
        var home = getenv("HOME").map { String(cString: $0) } ?? "/root"
        if let caller, let entry = getpwuid(caller.user) { home = String(cString: entry.pointee.pw_dir) }
        return CloudsFile(path: home + "/.config/openstack/clouds.yaml", owner: caller)
    }

    private static var caller: (user: uid_t, group: gid_t)? {
        guard geteuid() == 0, let user = getenv("SUDO_UID").flatMap({ uid_t(String(cString: $0)) }),
            let group = getenv("SUDO_GID").flatMap({ gid_t(String(cString: $0)) })
        else { return nil }
        return (user, group)
    }

    /// Puts both entries in, in place of older ones of the same names.
    func merge(_ credentials: SandboxState.Credentials, port: Int) throws {
        try edit { text throws(YAMLError) in
            var text = text
            for entry in Entry.all(credentials) {
                text = try YAMLEditor.set(text, section: Self.section, key: entry.name, body: entry.lines(port: port))
            }
            return text
        }
    }

    /// Takes both entries out, unless they name another cloud: the password tells.
    func remove(_ credentials: SandboxState.Credentials) throws {
        guard FileSystem.exists(path) else { return }
        try edit { text throws(YAMLError) in
            var text = text
            for entry in Entry.all(credentials) where try entry.isIn(text) {
                text = try YAMLEditor.remove(text, section: Self.section, key: entry.name)
            }
            return text
        }
    }

    private struct Entry {
        let name: String
        let user: String
        let password: Secret

        static func all(_ credentials: SandboxState.Credentials) -> [Entry] {
            [
                Entry(name: "haneul", user: "demo", password: credentials.demo),
                Entry(name: "haneul-admin", user: "admin", password: credentials.admin),
            ]
        }

        /// Each user works in the project of the same name.
        func lines(port: Int) -> [String] {
            [
                "auth:",
                "  auth_url: http://127.0.0.1:\(port)/identity/v3",
                "  username: \(user)",
                "  password: \(YAMLEditor.quote(password.reveal()))",
                "  project_name: \(user)",
                "  user_domain_id: default",
                "  project_domain_id: default",
                "region_name: RegionOne",
                "identity_api_version: 3",
            ]
        }

        func isIn(_ text: String) throws(YAMLError) -> Bool {
            var limits = YAMLLimits()
            limits.allowsAliases = true
            let cloud = try YAMLReader.read(text, limits)?[CloudsFile.section]?[name]
            return cloud?["auth"]?["password"]?.text == password.reveal()
        }
    }

    // MARK: The file

    private func edit(_ change: (String) throws(YAMLError) -> String) throws {
        let limit = YAMLLimits().bytes
        let bytes = try FileSystem.read(path, limit: limit + 1) ?? []
        guard let old = String(validating: bytes, as: UTF8.self) else {
            throw CommandFailure("\(path) is not text in UTF-8. Correct it and repeat the command.")
        }
        let new: String
        do throws(YAMLError) {
            new = try change(old)
        } catch {
            throw CommandFailure(
                "\(path) is written in a way that is not changed safely by a program (\(error)). Give `clouds:` a line "
                    + "of its own with its entries indented below, and repeat the command.")
        }
        guard new != old else { return }
        if new.isEmpty, try FileSystem.status(path)?.isRegularFile == true { unlink(path) } else { try save(new) }
    }

    private func save(_ text: String) throws {
        let folder = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex))
        var made = FileSystem.exists(path) ? [] : [path]
        var parent = folder
        while !parent.isEmpty, !FileSystem.exists(parent) {
            made.append(parent)
            parent = String(parent.prefix(upTo: parent.lastIndex(of: "/") ?? parent.startIndex))
        }
        try FileSystem.makeDirectories(folder, mode: 0o700)
        // A symbolic link stays one: what it points to is written.
        let target = realpath(path, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        var old = stat()
        // It holds passwords now, so what others may do with it ends.
        let mode = stat(path, &old) == 0 ? old.st_mode & 0o700 : 0o600
        try FileSystem.writeAtomically(target ?? path, text, mode: mode)
        if made.isEmpty {
            _ = chown(target ?? path, old.st_uid, old.st_gid)
        } else if let owner {
            for path in made { _ = chown(path, owner.user, owner.group) }
        }
    }
}

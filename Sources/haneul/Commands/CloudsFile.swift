// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

/// The user's `clouds.yaml`: the entries `haneul` and `haneul-admin` come and go, every other byte stays.
enum CloudsFile {
    /// Of the user who called, also through sudo.
    static var path: String { home + "/.config/openstack/clouds.yaml" }

    private static var caller: (user: uid_t, group: gid_t)? {
        guard geteuid() == 0, let user = getenv("SUDO_UID").flatMap({ uid_t(String(cString: $0)) }),
            let group = getenv("SUDO_GID").flatMap({ gid_t(String(cString: $0)) })
        else { return nil }
        return (user, group)
    }

    private static var home: String {
        if let caller, let entry = getpwuid(caller.user) { return String(cString: entry.pointee.pw_dir) }
        return getenv("HOME").map { String(cString: $0) } ?? "/root"
    }

    /// Puts both entries in, in place of older ones of the same names.
    static func merge(_ state: SandboxState, port: Int) throws {
        guard let credentials = try state.credentials() else { return }
        var document = try load()
        document.set("haneul", entry(user: "demo", password: credentials.demo, project: "demo", port: port))
        document.set("haneul-admin", entry(user: "admin", password: credentials.admin, project: "admin", port: port))
        try save(document)
    }

    /// Takes both entries out, unless they name another cloud: the password tells.
    static func remove(from state: SandboxState) throws {
        guard FileSystem.exists(path), let credentials = try state.credentials() else { return }
        var document = try load()
        for (name, password) in [("haneul", credentials.demo), ("haneul-admin", credentials.admin)]
        where document.entry(name)?.contains(where: { $0.contains(password.reveal()) }) == true {
            document.set(name, nil)
        }
        if document.text.isEmpty { unlink(path) } else { try save(document) }
    }

    private static func entry(user: String, password: Secret, project: String, port: Int) -> [String] {
        [
            "    auth:",
            "      auth_url: http://127.0.0.1:\(port)/identity/v3",
            "      username: \(user)",
            "      password: \"\(password.reveal())\"",
            "      project_name: \(project)",
            "      user_domain_id: default",
            "      project_domain_id: default",
            "    region_name: RegionOne",
            "    identity_api_version: 3",
        ]
    }

    private static func load() throws -> CloudsDocument {
        guard let bytes = try FileSystem.read(path, limit: 1 << 20) else { return CloudsDocument(text: "") }
        guard let text = String(validating: bytes, as: UTF8.self), let document = CloudsDocument(checking: text) else {
            throw CommandFailure(
                "\(path) is written in a way that is not changed safely by a program. Give `clouds:` a line of its own "
                    + "with its entries indented below, and repeat the command.")
        }
        return document
    }

    private static func save(_ document: CloudsDocument) throws {
        let folder = String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.endIndex))
        let isNew = !FileSystem.exists(path)
        try FileSystem.makeDirectories(folder, mode: 0o700)
        // A symbolic link stays one: what it points to is written.
        let target = realpath(path, nil).map { pointer in
            defer { free(pointer) }
            return String(cString: pointer)
        }
        var old = stat()
        let mode = stat(path, &old) == 0 ? old.st_mode & 0o777 : 0o600
        try FileSystem.writeAtomically(target ?? path, document.text, mode: mode)
        if !isNew {
            _ = chown(target ?? path, old.st_uid, old.st_gid)
        } else if let caller {
            for made in [path, folder] { _ = chown(made, caller.user, caller.group) }
        }
    }
}

/// The lines of a `clouds.yaml` in block style. Changes whole entries under `clouds:` and nothing else.
struct CloudsDocument {
    private var lines: [String]

    var text: String { lines.isEmpty ? "" : lines.joined(separator: "\n") + "\n" }

    init(text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
    }

    /// Nil when `clouds` is there in another style than a block.
    init?(checking text: String) {
        self.init(text: text)
        guard !lines.contains(where: { $0.contains("\t") && $0.drop(while: { $0 == " " }).first == "\t" }) else { return nil }
        let heads = lines.filter { $0.hasPrefix("clouds") || $0.hasPrefix("\"clouds") || $0.hasPrefix("'clouds") || $0.hasPrefix("{") }
        guard heads.count <= 1, heads.allSatisfy({ Self.isBare($0, key: "clouds") }) else { return nil }
    }

    /// `key:` alone, a comment behind it allowed.
    private static func isBare(_ line: String, key: String) -> Bool {
        guard line.hasPrefix(key + ":") else { return false }
        let rest = line.dropFirst(key.count + 1).drop { $0 == " " || $0 == "\r" }
        return rest.isEmpty || rest.first == "#"
    }

    private static func indent(_ line: String) -> Int? {
        let content = line.drop { $0 == " " }
        return content.isEmpty || content.first == "#" ? nil : line.count - content.count
    }

    private var head: Int? { lines.firstIndex { Self.isBare($0, key: "clouds") } }

    /// How far the entries stand in: as the first one does.
    private var entryIndent: Int {
        guard let head, let first = lines[(head + 1)...].lazy.compactMap(Self.indent).first, first > 0 else { return 2 }
        return first
    }

    /// The entry's first line and the line after its last.
    private func range(_ name: String) -> Range<Int>? {
        guard let head else { return nil }
        let depth = entryIndent
        var start: Int?
        for index in (head + 1)..<max(head + 1, lines.count) {
            guard let indent = Self.indent(lines[index]) else { continue }
            if let start, indent <= depth { return start..<end(of: start, before: index) }
            if indent == 0 { return nil }
            let key = lines[index].drop { $0 == " " }
            if indent == depth, start == nil,
                [name, "\"\(name)\"", "'\(name)'"].contains(where: { Self.isBare(String(key), key: $0) })
            {
                start = index
            }
        }
        return start.map { $0..<end(of: $0, before: lines.count) }
    }

    /// Blank lines and comments behind an entry belong to what follows.
    private func end(of start: Int, before limit: Int) -> Int {
        var end = limit
        while end > start + 1, Self.indent(lines[end - 1]) == nil { end -= 1 }
        return end
    }

    func entry(_ name: String) -> [String]? { range(name).map { Array(lines[$0]) } }

    /// `body` is indented for a depth of 2; nil takes the entry out.
    mutating func set(_ name: String, _ body: [String]?) {
        let depth = entryIndent
        let margin = String(repeating: " ", count: depth)
        let entry = body.map { lines in [margin + name + ":"] + lines.map { margin + $0.dropFirst(2) } } ?? []
        if let range = range(name) {
            lines.replaceSubrange(range, with: entry)
        } else if body != nil {
            if head == nil { lines.append("clouds:") }
            lines.insert(contentsOf: entry, at: (head ?? lines.count - 1) + 1)
        }
        // A `clouds:` that lost its last entry would be null, which clients refuse.
        if let head, !lines[(head + 1)...].contains(where: { (Self.indent($0) ?? 0) > 0 }) { lines.remove(at: head) }
    }
}

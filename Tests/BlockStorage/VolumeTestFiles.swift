// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import ImageContract
import LinuxKit
import Testing

/// A folder for the files of one test, removed at its end.
struct VolumeTestFolder: Sendable {
    let path: String

    init() throws {
        path = "/tmp/haneul-volumes-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try FileSystem.makeDirectories(path)
    }

    func remove() throws { try FileSystem.removeTree(path) }

    func file(_ name: String = "file") -> String { "\(path)/\(name)-\(UInt32.random(in: 0...UInt32.max))" }

    /// Runs `body` with a folder, and removes it whatever happens.
    static func with(_ body: (VolumeTestFolder) async throws -> Void) async throws {
        let folder = try VolumeTestFolder()
        do {
            try await body(folder)
        } catch {
            try folder.remove()
            throw error
        }
        try folder.remove()
    }
}

/// What a volume should hold: runs of a byte on a ground of zeros.
struct VolumeContentSample: Sendable {
    struct Run: Sendable {
        var byte: UInt8
        var offset: Int
        var count: Int
    }
    var sizeBytes: Int64
    var runs: [Run]

    init(sizeGiB: Int, _ runs: [Run] = []) {
        sizeBytes = Int64(sizeGiB) << 30
        self.runs = runs
    }

    static func bytes(_ byte: UInt8, at offset: Int, _ count: Int = 1 << 20) -> Run {
        Run(byte: byte, offset: offset, count: count)
    }

    /// Another one for other runs; the size is not in it.
    var number: Int { runs.reduce(0) { ($0 &* 31 &+ Int($1.byte)) &* 31 &+ $1.offset } }

    func resized(toGiB size: Int) -> VolumeContentSample { VolumeContentSample(sizeGiB: size, runs) }

    func adding(_ run: Run) -> VolumeContentSample {
        var sample = self
        sample.runs.append(run)
        return sample
    }

    /// Later runs win.
    func write(to path: String) throws {
        try FileSystem.makeSparse(path, size: sizeBytes)
        let file = OwnedDescriptor(open(path, O_WRONLY | O_CLOEXEC))
        for run in runs {
            let bytes = [UInt8](repeating: run.byte, count: run.count)
            guard pwrite(file.number, bytes, bytes.count, run.offset) == run.count else {
                throw SystemError("write", path)
            }
        }
    }
}

enum VolumeTool {
    /// Whether two raw files hold the same, byte by byte; holes are zeros.
    static func areEqual(_ left: String, _ right: String) async throws -> Bool {
        let result = try await Subprocess.run(
            "/usr/bin/qemu-img", ["compare", "-f", "raw", "-F", "raw", left, right])
        return result.isSuccess
    }

    /// Does as a guest would that has the connection's disk: commands of `qemu-io`.
    static func asGuest(
        _ connection: VolumeConnection, _ commands: [String], in namespace: NetworkNamespace? = nil,
        secrets directory: String
    ) async throws -> Subprocess.Result {
        var arguments: [String] = connection.isReadOnly ? ["-r"] : []
        let key = "\(directory)/guest-key-\(UInt32.random(in: 0...UInt32.max))"
        defer { try? FileSystem.removeTree(key) }  // the test's folder goes as a whole
        if let passphrase = connection.passphrase {
            try FileSystem.writeAtomically(key, passphrase, mode: 0o600)
            arguments += ["--object", "secret,id=key,file=\(key)"]
        }
        var node: JSON
        switch connection.source {
        case .file(let path, let format):
            node = layer(path, format, connection.passphrase != nil)
            // What is below is said, never looked for.
            var below: JSON = .null
            for one in (connection.layers ?? []).reversed() {
                guard case .object(var fields) = layer(one.path, one.format, one.isEncrypted) else { continue }
                if one.format == .qcow2 { fields["backing"] = below }
                below = .object(fields)
            }
            if case .object(var fields) = node, format == .qcow2 {
                fields["backing"] = below
                node = .object(fields)
            }
        case .iscsi(let target):
            let password = "\(directory)/guest-chap-\(UInt32.random(in: 0...UInt32.max))"
            try FileSystem.writeAtomically(password, target.chapPassword, mode: 0o600)
            arguments += ["--object", "secret,id=chap,file=\(password)"]
            node = wrapped(
                [
                    "driver": "iscsi", "transport": "tcp", "portal": .string(target.portal),
                    "target": .string(target.iqn), "lun": .int(Int64(target.lun)), "user": .string(target.chapUser),
                    "password-secret": "chap", "initiator-name": "iqn.2005-03.org.open-iscsi:test",
                ], connection)
        case .rbd(let image):
            let secret = "\(directory)/guest-cephx-\(UInt32.random(in: 0...UInt32.max))"
            try FileSystem.writeAtomically(secret, image.key, mode: 0o600)
            arguments += ["--object", "secret,id=cephx,format=base64,file=\(secret)"]
            let servers = image.monitors.map { monitor -> JSON in
                let parts = monitor.split(separator: ":").map(String.init)
                return ["host": .string(parts[0]), "port": .string(parts.count > 1 ? parts[1] : "6789")]
            }
            node = wrapped(
                [
                    "driver": "rbd", "pool": .string(image.pool), "image": .string(image.image),
                    "user": .string(image.user), "key-secret": "cephx", "server": .array(servers),
                ], connection)
        }
        arguments += commands.flatMap { ["-c", $0] } + ["json:" + node.text()]
        return try await Subprocess.run("/usr/bin/qemu-io", arguments, timeout: .seconds(120), in: namespace)
    }

    private static func wrapped(_ file: JSON, _ connection: VolumeConnection) -> JSON {
        connection.passphrase == nil
            ? ["driver": "raw", "file": file] : ["driver": "luks", "key-secret": "key", "file": file]
    }

    private static func layer(_ path: String, _ format: VolumeConnection.Format, _ isEncrypted: Bool) -> JSON {
        var fields: [String: JSON] = [
            "driver": .string(format.rawValue), "file": ["driver": "file", "filename": .string(path)],
        ]
        if isEncrypted { fields["encrypt"] = ["format": "luks", "key-secret": "key"] }
        return .object(fields)
    }
}

/// One file's bytes for every image.
struct FileImageSource: ImageSource {
    let path: String
    func fetch(_ id: ImageID, to target: String) async throws {
        try await Subprocess.runChecked("/bin/cp", ["--sparse=always", "--", path, target])
    }
}

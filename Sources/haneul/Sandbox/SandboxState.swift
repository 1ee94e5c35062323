// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit
import ObjectStorageDriverRemote
import SecurityKit

/// Where a cloud on one machine keeps everything it has. Removing this folder removes every trace of it.
struct SandboxState: Sendable {
    static let defaultDirectory = "/var/lib/haneul"
    static let defaultPort = 8088

    let directory: String

    /// State directories of the host's own daemons, each kept under `host/` and bound over its usual path inside.
    static let hostDirectories = [
        "/etc/openvswitch", "/var/lib/openvswitch", "/etc/ovn", "/var/lib/ovn", "/etc/libvirt", "/var/lib/libvirt",
        "/var/cache/libvirt", "/var/log",
    ]

    var hostTree: String { directory + "/host" }
    var logDirectory: String { hostTree + "/var/log" }
    var database: String { directory + "/haneul.db" }
    var configFile: String { directory + "/haneul.yaml" }
    var policyDirectory: String { directory + "/policy" }
    var credentialsFile: String { directory + "/credentials.json" }
    var settingsFile: String { directory + "/sandbox.json" }
    var processFile: String { directory + "/host.pid" }
    var guestImage: String { directory + "/guest.qcow2" }
    /// There once the demo account, its networks, the image and the key pair were made: what is removed later stays away.
    var welcomeFile: String { directory + "/welcomed" }
    /// Without it, passcodes and access keys of users are good for nothing any more.
    var credentialKeysFile: String { directory + "/credential-keys.json" }
    /// Without it, encrypted volumes cannot be opened any more.
    var volumeKeysFile: String { directory + "/volume-keys.json" }
    /// Hosts of the role `storage` are given a copy.
    var storageKeyFile: String { directory + "/object-storage.key" }
    var sshKey: String { directory + "/ssh/id_ecdsa" }

    // MARK: The host's process

    /// The process id of the isolated host's first process, as seen from outside; nil when the host is down.
    ///
    /// The start time tells a reused process id from the one that was written down.
    func runningHost() -> Int32? {
        guard let text = FileSystem.readable(processFile) else { return nil }
        let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" })
        guard fields.count == 2, let process = Int32(fields[0]), Self.startTime(of: process) == String(fields[1]) else {
            return nil
        }
        return process
    }

    func recordHost(_ process: Int32) throws {
        guard let start = Self.startTime(of: process) else { throw CommandFailure("The host ended while it started.") }
        try FileSystem.writeAtomically(processFile, "\(process) \(start)\n", mode: 0o600)
    }

    /// Field 22 of `/proc/PID/stat`: clock ticks since boot. The name in field 2 may hold spaces and parentheses.
    private static func startTime(of process: Int32) -> String? {
        guard let stat = FileSystem.readable("/proc/\(process)/stat"), let end = stat.lastIndex(of: ")") else {
            return nil
        }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 19 && fields[0] != "Z" ? String(fields[19]) : nil
    }

    // MARK: Settings

    /// What `up` was asked for first; a later `up` resumes with the same.
    struct Settings {
        var port: Int
        /// Whether this machine can reach floating addresses.
        var reach: Bool
        /// Whether guests reach what this machine reaches, by NAT.
        var uplink: Bool
        var hostUUID: String

        var json: String {
            var writer = JSONWriter()
            writer.beginObject()
            writer.field("port", port)
            writer.field("reach", reach)
            writer.field("uplink", uplink)
            writer.field("host_uuid", hostUUID)
            writer.endObject()
            return writer.string()
        }
    }

    func settings() throws -> Settings? {
        guard let text = FileSystem.readable(settingsFile) else { return nil }
        guard let json = try? JSONReader.read(text) /* damaged: said below */, let port = json["port"]?.int,
            let host = json["host_uuid"]?.string
        else {
            throw CommandFailure("\(settingsFile) is damaged; restore it, or remove the cloud with `haneul purge`.")
        }
        return Settings(
            port: Int(port), reach: json["reach"]?.bool ?? false, uplink: json["uplink"]?.bool ?? false, hostUUID: host)
    }

    func save(_ settings: Settings) throws {
        try FileSystem.writeAtomically(settingsFile, settings.json + "\n", mode: 0o600)
    }

    // MARK: Credentials

    struct Credentials {
        var admin: Secret
        var demo: Secret

        static func generated() -> Credentials { Credentials(admin: password(), demo: password()) }

        /// 20 characters of 5 bits each: 100 bits, without look-alikes.
        private static func password() -> Secret {
            let alphabet = Array("abcdefghjkmnpqrstuvwxyz23456789A".utf8)
            return Secret(String(decoding: SecureRandom.bytes(20).map { alphabet[Int($0 & 31)] }, as: UTF8.self))
        }
    }

    func credentials() throws -> Credentials? {
        guard let text = FileSystem.readable(credentialsFile) else { return nil }
        guard let json = try? JSONReader.read(text) /* damaged: said below */, let admin = json["admin"]?.string,
            let demo = json["demo"]?.string
        else { throw CommandFailure("\(credentialsFile) is damaged; restore it from a copy.") }
        return Credentials(admin: Secret(admin), demo: Secret(demo))
    }

    /// The keys that seal the passphrases of encrypted volumes, newest first; made at the first call.
    func volumeKeys() throws -> [FernetKey] {
        try Self.keys(in: volumeKeysFile, without: "encrypted volumes cannot be opened")
    }

    /// The keys that seal what Identity's credentials hold, newest first; made at the first call.
    func credentialKeys() throws -> [FernetKey] {
        try Self.keys(in: credentialKeysFile, without: "credentials of users cannot be read")
    }

    private static func keys(in file: String, without loss: String) throws -> [FernetKey] {
        guard let text = try FileSystem.text(file) else {
            let key = FernetKey()
            try FileSystem.writeAtomically(
                file, JSON.object(["keys": .array([.string(key.text)])]).text() + "\n", mode: 0o600)
            return [key]
        }
        let keys = try? JSONReader.read(text)["keys"]?.array?.map { $0.string.flatMap { FernetKey($0) } }  // said below
        guard let keys, !keys.isEmpty, !keys.contains(where: { $0 == nil }) else {
            throw CommandFailure("\(file) is damaged; restore it from a copy: \(loss) without it.")
        }
        return keys.compactMap { $0 }
    }

    /// What this host and those that keep objects for it know each other by; made at the first call.
    func storageKey() throws -> ClusterKey? {
        if !FileSystem.exists(storageKeyFile) {
            try FileSystem.writeAtomically(
                storageKeyFile, Hex.encode(SecureRandom.bytes(ClusterKey.byteCount)) + "\n", mode: 0o600)
        }
        return try ClusterKey.read(storageKeyFile)
    }

    func save(_ credentials: Credentials) throws {
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("admin", credentials.admin.reveal())
        writer.field("demo", credentials.demo.reveal())
        writer.endObject()
        try FileSystem.writeAtomically(credentialsFile, writer.string() + "\n", mode: 0o600)
    }
}

extension FileSystem {
    /// The text of a small file; nil when it is absent or cannot be read.
    static func readable(_ path: String) -> String? {
        (try? text(path)) ?? nil  // the callers say what is wrong when it must be there
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit
import LinuxKit

/// `qemu-img`, always told every file and format. Passphrases go in by its standard input, where no list of processes
/// shows them.
package struct DiskImageTool: Sendable {
    /// How copies treat the rest of the host.
    package struct CopyLimits: Sendable {
        package var parallel: Int
        /// Of each copy. Nil: as fast as it goes.
        package var bytesPerSecond: Int64?
        package var timeout: Duration
        package init(parallel: Int = 2, bytesPerSecond: Int64? = nil, timeout: Duration = .seconds(6 * 3600)) {
            self.parallel = parallel
            self.bytesPerSecond = bytesPerSecond
            self.timeout = timeout
        }
    }

    /// A new layer: what `createLayer` makes.
    package struct Layer: Sendable {
        package var path: String
        package var sizeBytes: Int64
        /// As its header shall name it: relative to the layer's own folder.
        package var backing: (name: String, format: String)?
        package var passphrase: String?
        package init(
            path: String, sizeBytes: Int64, backing: (name: String, format: String)? = nil, passphrase: String? = nil
        ) {
            self.path = path
            self.sizeBytes = sizeBytes
            self.backing = backing
            self.passphrase = passphrase
        }
    }

    private static let program = "/usr/bin/qemu-img"
    private static let timeout = Duration.seconds(120)
    /// Reading a header is quick work; a header that makes it slow or large is an attack.
    private static let inspectionLimits = ["--as=1073741824", "--cpu=30", "--"]
    /// Of util-linux.
    private static let limiter = "/usr/bin/prlimit"
    /// Passphrases of volumes are long random keys, so stretching them makes nothing safer, only slower.
    private static let keyStretchingMilliseconds = 10
    /// QEMU measures how fast the host stretches a key, and gives up where the kernel counts a thread's time coarsely.
    private static let failedMeasurement = "Unable to get accurate CPU usage"
    private static let measurements = 10
    private static let secretID = "key"

    private let limits: CopyLimits
    private let copies: AsyncSlots
    private let namespace: NetworkNamespace?

    /// `namespace`: where storage on the network is reached. Nil: where this process is.
    package init(_ limits: CopyLimits = CopyLimits(), namespace: NetworkNamespace? = nil) {
        self.limits = limits
        self.namespace = namespace
        copies = AsyncSlots("copies of volumes", slots: limits.parallel)
    }

    /// Throws when the program is not there.
    package func check() throws {
        guard FileSystem.exists(Self.program) else {
            throw CloudError(
                .unavailable, "A tool of the storage host is missing.",
                cause: "\(Self.program) is not there: install qemu-utils")
        }
    }

    // MARK: Making and growing

    /// Makes a qcow2 file, for its owner alone. Does not open the layer below, which a guest may be writing.
    package func createLayer(_ layer: Layer) async throws {
        var arguments = ["create", "-q", "-f", "qcow2"]
        if layer.passphrase != nil {
            arguments +=
                secretArguments + [
                    "-o",
                    "encrypt.format=luks,encrypt.key-secret=\(Self.secretID),"
                        + "encrypt.iter-time=\(Self.keyStretchingMilliseconds)",
                ]
        }
        if let backing = layer.backing {
            arguments += ["-u", "-b", backing.name, "-F", backing.format]
        }
        try await run(arguments + [layer.path, "\(layer.sizeBytes)"], passphrase: layer.passphrase)
        let path = layer.path
        try await FileSystem.onThread { try FileSystem.setMode(path, 0o600) }
    }

    /// Puts an empty LUKS container on a raw file or a device that is as large as content and header together. It is
    /// on the disk when this returns.
    package func createLUKS(_ path: String, contentBytes: Int64, passphrase: String) async throws {
        try await run(
            ["create", "-q", "-f", "luks"] + secretArguments + [
                "-o", "key-secret=\(Self.secretID),iter-time=\(Self.keyStretchingMilliseconds)", path,
                "\(contentBytes)",
            ], passphrase: passphrase)
        try await FileSystem.onThread { try FileSystem.synchronize(path) }
    }

    /// Grows an image that nobody has open; never shrinks.
    package func grow(_ node: ImageNode, toBytes size: Int64, passphrase: String?) async throws {
        try await run(
            ["resize", "-q"] + (passphrase == nil ? [] : secretArguments)
                + [node.fileName(secret: Self.secretID), "\(size)"], passphrase: passphrase)
    }

    /// Puts a plain layer that nobody has open on another one below its present one, or on none, after copying what
    /// lies between. Cut short at any moment, the layer reads as before.
    package func rebase(_ path: String, onto backing: (name: String, format: String)?) async throws {
        let target = backing.map { ["-b", $0.name, "-F", $0.format] } ?? ["-b", ""]
        try await copies.run {
            try await run(["rebase", "-q", "-f", "qcow2"] + target + [path], timeout: limits.timeout)
        }
    }

    // MARK: Copying

    /// Copies the content of `source` into `target`, which exists, is at least as large and, but for LUKS, reads as
    /// zeros. The content is on the disk, or in the cluster, when this returns.
    ///
    /// `secretFile` holds the passphrase of the target where it differs from the source's; a file because there is one
    /// standard input.
    package func copy(
        _ source: ImageNode, passphrase: String?, to target: ImageNode, targetPassphrase: String?,
        secretDirectory: String
    ) async throws {
        let rate = limits.bytesPerSecond.map { ["-r", "\($0)"] } ?? []
        var arguments = ["convert", "-q", "-n", "-t", Self.cacheMode(target)] + rate
        if target.readsAsZerosWhenNew { arguments.append("--target-is-zero") }
        var targetSecret = Self.secretID
        var secretFile: String?
        if passphrase != nil || targetPassphrase != nil { arguments += secretArguments }
        if let passphrase, let targetPassphrase, passphrase != targetPassphrase {
            let path = "\(secretDirectory)/key-\(UInt64.random(in: 0...UInt64.max)).tmp"
            try await FileSystem.onThread {
                try FileSystem.writeAtomically(path, targetPassphrase, mode: 0o600, durably: false)
            }
            secretFile = path
            targetSecret = "target-key"
            arguments += ["--object", "secret,id=\(targetSecret),file=\(path)"]
        }
        defer {
            if let secretFile { try? FileSystem.removeTree(secretFile) }  // the sweep takes what stays
        }
        arguments += [
            "-O", target.driver, source.fileName(secret: Self.secretID), target.fileName(secret: targetSecret),
        ]
        let complete = arguments
        try await copies.run {
            try await run(complete, passphrase: passphrase ?? targetPassphrase, timeout: limits.timeout)
            guard let path = target.hostPath else { return }
            try await FileSystem.onThread { try FileSystem.synchronize(path) }
        }
    }

    /// What this host has is flushed after the copy, by us: QEMU would hide that a write was lost, and later calls
    /// would not hear of it any more. What a cluster has only QEMU can flush.
    static func cacheMode(_ target: ImageNode) -> String { target.hostPath == nil ? "writeback" : "unsafe" }

    /// The size of the disk that the image holds, in bytes, read with little memory and time.
    package func inspectForeign(_ path: String, driver: String) async throws -> JSON {
        let node = ImageNode.foreign(path: path, driver: driver).fileName(secret: Self.secretID)
        let result = try await Subprocess.run(
            Self.limiter, Self.inspectionLimits + [Self.program, "info", "--output=json", node])
        guard result.isSuccess else {
            throw CloudError(
                .badRequest, "The image is not what its format says.", kind: "ImageUnacceptable",
                cause: result.errorText)
        }
        return try JSONReader.read(result.stdout)
    }

    // MARK: Private

    private var secretArguments: [String] { ["--object", "secret,id=\(Self.secretID),file=/proc/self/fd/0"] }

    private func run(
        _ arguments: [String], passphrase: String? = nil, timeout: Duration = DiskImageTool.timeout
    ) async throws {
        var text = ""
        for _ in 1...Self.measurements {
            let result = try await Subprocess.run(
                Self.program, arguments, stdin: passphrase.map { Array($0.utf8) } ?? [], timeout: timeout,
                in: namespace)
            if result.isSuccess { return }
            text = result.errorText
            guard text.contains(Self.failedMeasurement) else { break }
        }
        let cause = "qemu-img \(arguments.joined(separator: " ")): \(text.suffix(2000))"
        if text.contains("Failed to get") && text.contains("lock") {
            throw CloudError(.conflict, "The volume is in use.", kind: "VolumeInUse", cause: cause)
        }
        if text.contains("No space left on device") {
            throw CloudError(.unavailable, "The storage has no space left.", cause: cause)
        }
        throw CloudError(.unavailable, "The storage failed.", cause: cause)
    }
}

extension DiskImageTool {
    /// Writes an image's content into a new file, for its owner alone: complete under its name, or not there.
    package func export(
        _ source: ImageNode, sizeBytes: Int64, passphrase: String?, to path: String, format: VolumeConnection.Format,
        secretDirectory: String
    ) async throws {
        let partial = "\(path).part"
        try await FileSystem.onThread { try FileSystem.removeTree(partial) }
        let target: ImageNode
        switch format {
        case .raw:
            try await FileSystem.onThread { try FileSystem.makeSparse(partial, size: sizeBytes) }
            target = .raw(path: partial)
        case .qcow2:
            try await createLayer(.init(path: partial, sizeBytes: sizeBytes))
            target = .qcow2(path: partial, isEncrypted: false, backing: nil)
        }
        do {
            try await copy(
                source, passphrase: passphrase, to: target, targetPassphrase: nil, secretDirectory: secretDirectory)
            try await FileSystem.onThread { try DurableFiles.publish(partial, as: path) }
        } catch {
            try await FileSystem.onThread { try FileSystem.removeTree(partial) }
            throw error
        }
    }
}

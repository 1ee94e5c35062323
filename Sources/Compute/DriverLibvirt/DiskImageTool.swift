// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

/// `qemu-img`, always told the format: it never looks into a tenant's bytes to find out.
struct DiskImageTool: Sendable {
    private static let timeout = Duration.seconds(600)
    /// Reading a header is quick work; a header that makes it slow or large is an attack.
    private static let inspectionLimits = ["--as=1073741824", "--cpu=30", "--"]
    /// Of util-linux.
    private static let limiter = "/usr/bin/prlimit"

    /// Formats count in units of their own, and QEMU rounds up to them.
    private static let roundingBytes: Int64 = 64 << 20

    private let program = Subprocess.find("qemu-img") ?? "/usr/bin/qemu-img"

    /// Throws unless the file stands alone (no backing file, no external data file) and, for QEMU, holds no more than
    /// `sizeBytes`, which Image found in it.
    func checkStandsAlone(_ path: String, format: String, sizeBytes: Int64) async throws {
        let info = try await inspect(["-f", format, path])
        let specific = info["format-specific"]?["data"]
        let kind = specific?["create-type"]?.string
        let hasOtherFiles =
            info["backing-filename"] != nil || info["full-backing-filename"] != nil
            || specific?["data-file"] != nil
            || (format == "vmdk" && kind != "monolithicSparse" && kind != "streamOptimized")
        guard !hasOtherFiles else {
            throw CloudError.badRequest("The image refers to another file.", kind: "ImageUnacceptable")
        }
        guard let size = info["virtual-size"]?.int, Int64(size) <= sizeBytes + Self.roundingBytes else {
            throw CloudError.badRequest(
                "The image is larger than its header says.", kind: "ImageUnacceptable")
        }
    }

    /// A new layer over `base`.
    func createOverlay(_ path: String, base: String, baseFormat: String, sizeBytes: Int64) async throws {
        try await run(["create", "-q", "-f", "qcow2", "-b", base, "-F", baseFormat, path, "\(sizeBytes)"])
    }

    func createBlank(_ path: String, sizeBytes: Int64) async throws {
        try await run(["create", "-q", "-f", "qcow2", path, "\(sizeBytes)"])
    }

    func convert(_ source: String, format: String, to target: String) async throws {
        try await run(["convert", "-q", "-f", format, "-O", "qcow2", source, target])
    }

    /// The size that a guest sees. Header only, with the format given.
    func virtualSize(_ path: String, format: String) async throws -> Int64 {
        guard let size = try await inspect(["-U", "-f", format, path])["virtual-size"]?.int else {
            throw CloudError(.unavailable, "A program of the host failed.", cause: "qemu-img tells no size of \(path)")
        }
        return size
    }

    func grow(_ path: String, format: String, toBytes size: Int64) async throws {
        try await run(["resize", "-q", "-f", format, path, "\(size)"])
    }

    /// Never without the limits.
    private func inspect(_ arguments: [String]) async throws -> JSON {
        let result = try await Subprocess.runChecked(
            Self.limiter, Self.inspectionLimits + [program, "info", "--output=json"] + arguments)
        return try JSONReader.read(result.stdout)
    }

    private func run(_ arguments: [String]) async throws {
        try await Subprocess.runChecked(program, arguments, timeout: Self.timeout)
    }
}

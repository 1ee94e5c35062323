// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

/// Thin logical volumes of one pool.
struct LVMBlockStore: BlockStore {
    private static let timeout = Duration.seconds(120)
    /// What the pool leaves of the group, for its own growth.
    private static let poolShare = "95%FREE"

    let group: String
    let pool: String

    /// A thin snapshot is taken by the kernel between two writes.
    let clonesAtOnce = true

    func path(_ name: String) -> String { "/dev/\(group)/\(name)" }

    func start() async throws {
        guard BlockName.isPlain(group), BlockName.isPlain(pool) else {
            throw CloudError(
                .unavailable, "The volume group cannot be used.", cause: "'\(group)' or '\(pool)' is no LVM name")
        }
        guard Subprocess.find("lvcreate") != nil else {
            throw CloudError(
                .unavailable, "A tool of the storage host is missing.",
                cause: "lvcreate is not there: install lvm2 and thin-provisioning-tools")
        }
        _ = try await lvm("vgs", ["--noheadings", "-o", "vg_name", group])
        if try await poolReport() == nil {
            _ = try await lvm(
                "lvcreate", ["-y", "--type", "thin-pool", "-Z", "y", "-l", Self.poolShare, "-n", pool, group])
        }
        guard let report = try await poolReport(), report.last == "zero" else {
            throw CloudError(
                .unavailable, "The thin pool cannot be used.",
                cause: "\(group)/\(pool) does not zero new blocks: run lvchange -Z y \(group)/\(pool)")
        }
    }

    func space() async throws -> BlockSpace {
        guard let report = try await poolReport(), report.count == 3, let total = Int64(report[0]),
            let used = Double(report[1])
        else { throw CloudError(.unavailable, "The storage failed.", cause: "no report of \(group)/\(pool)") }
        return BlockSpace(totalBytes: total, freeBytes: Int64(Double(total) * (1 - used / 100)))
    }

    func list() async throws -> [BlockObject] { try await report(of: group) }

    func object(_ name: String) async throws -> BlockObject? {
        // A list rather than a question for one, whose failure would have many reasons.
        try await list().first { $0.name == name }
    }

    func make(_ name: BlockName, sizeBytes: Int64) async throws {
        try await remove(name)
        _ = try await lvm(
            "lvcreate", ["-y", "-T", "\(group)/\(pool)", "-V", "\(sizeBytes)b", "-n", name.text])
    }

    func clone(_ source: BlockName, as name: BlockName) async throws {
        try await remove(name)
        _ = try await lvm(
            "lvcreate", ["-y", "-s", "--setactivationskip", "n", "-n", name.text, "\(group)/\(source.text)"])
    }

    func grow(_ name: BlockName, toBytes size: Int64) async throws {
        guard let object = try await object(name.text), object.sizeBytes < size else { return }
        _ = try await lvm("lvextend", ["-L", "\(size)b", "\(group)/\(name.text)"])
    }

    func rename(_ name: String, to target: String) async throws {
        if let old = BlockName(target) { try await remove(old) }
        _ = try await lvm("lvrename", [group, name, target])
    }

    func remove(_ name: BlockName) async throws {
        guard try await object(name.text) != nil else { return }
        _ = try await lvm("lvremove", ["-f", "\(group)/\(name.text)"])
    }

    // MARK: Private

    /// Size, percentage in use, `zero`. Nil: there is no such pool.
    private func poolReport() async throws -> [String]? {
        let lines = try await lvm(
            "lvs",
            [
                "--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "-o",
                "lv_name,lv_size,data_percent,zero", group,
            ])
        return lines.first { $0.first == pool }.map { Array($0.dropFirst()) }
    }

    private func report(of target: String) async throws -> [BlockObject] {
        let lines = try await lvm(
            "lvs",
            [
                "--noheadings", "--units", "b", "--nosuffix", "--separator", "|", "--config",
                "report { time_format=\"%s\" }", "-o", "lv_name,lv_size,lv_time,origin", target,
            ])
        return lines.compactMap { fields in
            guard fields.count >= 3, fields[0] != pool, let size = Int64(fields[1]), let made = Int64(fields[2]) else {
                return nil
            }
            let origin = fields.count > 3 && !fields[3].isEmpty ? fields[3] : nil
            return BlockObject(name: fields[0], sizeBytes: size, madeSeconds: made, origin: origin)
        }
    }

    /// Runs one of LVM's programs; its lines, each as fields.
    private func lvm(_ program: String, _ arguments: [String]) async throws -> [[String]] {
        guard let path = Subprocess.find(program) else {
            throw CloudError(.unavailable, "A tool of the storage host is missing.", cause: "\(program) is not there")
        }
        let result = try await Subprocess.run(path, arguments, timeout: Self.timeout)
        guard result.isSuccess else {
            let text = result.errorText
            let cause = "\(program) \(arguments.joined(separator: " ")): \(text.suffix(1000))"
            if text.contains("in use") {
                throw CloudError(.conflict, "The volume is in use.", kind: "VolumeInUse", cause: cause)
            }
            throw CloudError(.unavailable, "The storage failed.", cause: cause)
        }
        return result.output.split(separator: "\n").map { line in
            line.split(separator: "|", omittingEmptySubsequences: false)
                .map { String($0.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()) }
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import TaskKit

/// Files that bytes pass through on their way between backends, images and backups. Each belongs to the run that is in
/// its name, and may hold what is encrypted elsewhere.
package enum ScratchFiles {
    private static let threads = BlockingPool("scratch", threads: 1)
    /// What a backend calls a file that it is writing.
    private static let partSuffix = ".part"

    /// In a saga's step: the run's own file. `name` is of the program's own making: ids and words.
    package static func path(_ name: String, _ config: BlockStorageConfig) -> String {
        "\(config.scratch)/\(name).\(SagaRun.id)"
    }

    /// Makes the directory, for its owner alone.
    package static func prepare(_ config: BlockStorageConfig) async throws {
        let directory = config.scratch
        do {
            try await threads.run { try BackupFiles.makeDirectories(directory, mode: 0o700) }
        } catch let error as CloudError {
            throw CloudError(.unavailable, "There is no place for the bytes on their way.", cause: "\(error)")
        }
    }

    /// Also what a backend had written of it. Not an error when there is none.
    package static func remove(_ path: String) async throws {
        try await threads.run {
            try BackupFiles.remove(path + partSuffix)
            try BackupFiles.remove(path)
        }
    }

    /// Removes what is older than `age` and whose run has ended; its backend may have gone on writing after that.
    /// Returns the names.
    static func sweep(
        _ config: BlockStorageConfig, olderThan age: Duration, hasNoRun: (SagaRunID) async throws -> Bool
    ) async throws -> [String] {
        let directory = config.scratch
        let old = try await threads.run {
            guard BackupFiles.age(directory) != nil else { return [String]() }
            return try FileCalls.names(in: directory).filter { name in
                run(ofFile: name) != nil && BackupFiles.age("\(directory)/\(name)").map { $0 >= age } ?? false
            }
        }
        var removed: [String] = []
        for name in old {
            guard let run = run(ofFile: name), try await hasNoRun(run) else { continue }
            try await threads.run { try BackupFiles.remove("\(directory)/\(name)") }
            removed.append(name)
        }
        return removed
    }

    /// Nil: it is no file of a run.
    private static func run(ofFile name: String) -> SagaRunID? {
        let whole = name.hasSuffix(partSuffix) ? name.dropLast(partSuffix.count) : name[...]
        guard let point = whole.lastIndex(of: ".") else { return nil }
        let id = String(whole[whole.index(after: point)...])
        return UUIDText.isUUID(id) ? SagaRunID(id) : nil
    }
}

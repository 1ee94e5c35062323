// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Glibc
import LinuxKit
import TaskKit
import TestKit
import Testing

@testable import BlockStorageCore

/// Goal: what passes through the scratch folder, which may be encrypted everywhere else, does not stay there.
/// Method: files of runs that live, ended and never were, in a folder of the test's own.
@Suite("Scratch files")
struct ScratchFilesTests {
    private func put(_ path: String, ageSeconds: Int = 0) throws {
        try FileSystem.writeAtomically(path, "secret", mode: 0o600, durably: false)
        let time = timeval(tv_sec: Glibc.time(nil) - ageSeconds, tv_usec: 0)
        #expect(utimes(path, [time, time]) == 0)
    }

    @Test("what a backend had written goes with the file")
    func removesParts() async throws {
        try await withTemporaryDirectory { directory in
            try put(directory + "/image")
            try put(directory + "/image.part")
            for _ in 1...2 { try await ScratchFiles.remove(directory + "/image") }
            #expect(try FileSystem.list(directory) == [])
        }
    }

    @Test("old files of ended runs are swept, and nothing else")
    func sweeps() async throws {
        try await withTemporaryDirectory { directory in
            let world = try await BlockStorageWorld { $0.scratchDirectory = directory }
            try await world.run {
                let (living, gone): (SagaRunID, SagaRunID) = (world.parts.ids.next(), world.parts.ids.next())
                let hour = 2 * 3600
                try put(directory + "/image-i.\(gone)", ageSeconds: hour)
                try put(directory + "/image-i.\(gone).part", ageSeconds: hour)
                try put(directory + "/backup-b.\(gone)")
                try put(directory + "/volume-v.\(living).part", ageSeconds: hour)
                try put(directory + "/notes.txt", ageSeconds: hour)
                let removed = try await ScratchFiles.sweep(world.parts.config, olderThan: .seconds(3600)) {
                    $0 != living
                }
                #expect(removed.sorted() == ["image-i.\(gone)", "image-i.\(gone).part"])
                #expect(
                    try FileSystem.list(directory).sorted()
                        == ["backup-b.\(gone)", "notes.txt", "volume-v.\(living).part"])
                // The reconciler knows no run of that name, either.
                #expect(try await BackupReconciler(world.parts, sagas: world.sagas).reconcile() == 1)
                #expect(try FileSystem.list(directory).sorted() == ["backup-b.\(gone)", "notes.txt"])
            }
        }
    }

    @Test("a folder that is not there yet is empty")
    func noFolder() async throws {
        var config = BlockStorageConfig()
        config.scratchDirectory = "/tmp/haneul-no-such-folder"
        #expect(try await ScratchFiles.sweep(config, olderThan: .zero) { _ in true } == [])
    }
}

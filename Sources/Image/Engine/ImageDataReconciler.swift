// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LogKit
import TaskKit

/// Keeps rows and files equal: frees images whose upload died or whose import cannot be undone, removes files that no row
/// names, forgets old tasks.
package struct ImageDataReconciler: Reconciler {
    package let name = "image data"
    package let interval: Duration = .seconds(60)

    private let engine: ImageEngine
    private let sagas: SagaRunner
    private let log = Logger("image")

    package init(_ engine: ImageEngine, sagas: SagaRunner) {
        self.engine = engine
        self.sagas = sagas
    }

    package func reconcile() async throws -> Int {
        var repaired = try await freeDeadUploads() + freeLostImports()
        for name in engine.stores.names {
            if let store = engine.stores.store(name) { repaired += try await removeWaste(store, name) }
        }
        try await forgetTasks()
        return repaired
    }

    /// No repair: tasks end like this.
    private func forgetTasks() async throws {
        let (tasks, now) = (engine.tasks, engine.clock.now())
        guard try await engine.database.read({ tx in try tasks.hasExpired(at: now, tx) }) else { return }
        _ = try await engine.database.write { tx in try tasks.purge(at: now, tx) }
    }

    private func freeDeadUploads() async throws -> Int {
        let now = engine.clock.now()
        let limit = now - engine.config.uploadSilence
        let data = engine.data
        let dead = try await engine.database.read { tx in try data.deadUploads(before: limit, tx) }
        for (id, blob) in dead {
            let isFree = try await engine.database.write { tx in try data.abandon(id, blob: blob, at: now, tx) }
            if isFree { await engine.stores.remove(blob, from: engine.stores.names) }
            log.warning("dead upload ended", ["image": id, "blob": blob])
        }
        return dead.count
    }

    /// An import whose run has ended holds its image only when its undo was given up.
    private func freeLostImports() async throws -> Int {
        let (imports, tasks) = (engine.imports, engine.tasks)
        let held = try await engine.database.read { tx in try imports.held(tx) }
        var freed = 0
        for (id, task, stores) in held where try await sagas.hasNoRun(SagaRunID(task.rawValue)) {
            let now = engine.clock.now()
            let end = now + engine.config.taskRetention
            try await engine.database.write { tx in
                try imports.undo(id, task: task, failed: stores, at: now, tx)
                try tasks.end(
                    task, .failure, result: nil, message: "The import could not be undone.", at: now, expiresAt: end, tx
                )
            }
            log.warning("lost import ended", ["image": id, "task": task])
            freed += 1
        }
        return freed
    }

    private func removeWaste(_ store: FileImageStore, _ name: String) async throws -> Int {
        let (data, database) = (engine.data, engine.database)
        let removed = try await store.removeWaste { try await database.read { tx in try data.blobs(of: name, tx) } }
        for file in removed {
            log.warning("image file without an image removed", ["file": file, "store": name])
        }
        return removed.count
    }
}

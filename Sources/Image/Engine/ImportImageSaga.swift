// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LogKit
import SecurityKit
import TaskKit

/// The sagas of Image, for the registry of the process.
package enum ImageSagas {
    package static func register(on registry: SagaRegistry, _ engine: ImageEngine) {
        registry.register(ImportImageSaga.self, engine)
    }
}

/// Brings an image's bytes into stores: fetched from a URL, staged before, or out of another store.
///
/// The image's row names the task as its holder from the start. Undo touches what the task holds, or what an image left
/// behind that is gone; an image that the last step has let go is whole, and stays.
package enum ImportImageSaga: Saga {
    package static let name: StaticString = "image.import"
    package static let deadline = Duration.seconds(24 * 3600)

    package struct Ledger: Codable, Sendable {
        package let task: ImageTaskID
        package let image: ImageID
        package let method: ImageImportMethod
        package var url: String?
        package let blob: String
        package let stores: [String]
        package let allStoresMustSucceed: Bool
        /// What the bytes must be.
        package var claim: ImageHashClaim?
        /// The image was made for this, and goes when it fails.
        package var discardsImage: Bool?
        var placed: [String] = []
        var failed: [String] = []

        package init(
            task: ImageTaskID, image: ImageID, method: ImageImportMethod, url: String? = nil, blob: String,
            stores: [String], allStoresMustSucceed: Bool
        ) {
            self.task = task
            self.image = image
            self.method = method
            self.url = url
            self.blob = blob
            self.stores = stores
            self.allStoresMustSucceed = allStoresMustSucceed
        }

        var isCopy: Bool { method == .copyImage }
    }

    package static let steps: [SagaStep<Self>] = [
        SagaStep("begin", run: begin, undo: letGo),
        SagaStep("fetch", run: fetch),
        SagaStep("place", run: place, undo: unplace),
        SagaStep("finish", run: finish),
    ]

    // MARK: Begin

    private static func begin(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        let (task, now) = (ledger.task, engine.clock.now())
        try await engine.database.write { tx in try engine.tasks.begin(task, at: now, tx) }
    }

    /// Last of all undone: the image is as before the task, and what was brought for it goes.
    private static func letGo(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        guard try await isUndone(ledger, engine) else { return }
        let (ledger, now) = (ledger, engine.clock.now())
        try await engine.database.write { tx in
            try engine.imports.undo(ledger.image, task: ledger.task, failed: ledger.stores, at: now, tx)
        }
        if !ledger.isCopy { await engine.stores.staging.remove(ledger.blob) }
    }

    /// Whether there is something to undo: the image is held, or gone. Not when the last step has let it go.
    private static func isUndone(_ ledger: Ledger, _ engine: ImageEngine) async throws -> Bool {
        try await engine.database.read { tx in
            if let isHeld = try engine.imports.holds(ledger.image, ledger.task, tx), !isHeld {
                // A file that a row names is that image's.
                return try engine.images.image(ledger.image, tx)?.blob != ledger.blob
            }
            return true
        }
    }

    /// The image, which the task must hold.
    private static func held(_ ledger: Ledger, _ engine: ImageEngine) async throws -> Image {
        let image = try await engine.database.read { tx in try engine.images.image(ledger.image, tx) }
        guard let image, image.importTask == ledger.task else { throw ImageEngine.gone(ledger.image) }
        return image
    }

    // MARK: Fetch

    private static func fetch(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        guard ledger.method == .webDownload, let url = ledger.url else { return }
        let (ledger, image, staging) = (ledger, try await held(ledger, engine), engine.stores.staging)
        if image.staged != nil, try await staging.has(ledger.blob) { return }
        // Told when the import began; until the task held the image they could be taken back.
        try ImageEngine.requireFormats(of: image)
        guard engine.downloads.enter(image.owner) else {
            throw SagaRetry(after: .seconds(1 << min(SagaRun.current?.attempt ?? 0, 6)))
        }
        defer { engine.downloads.leave(image.owner) }
        // What a process left that died on the way.
        await staging.remove(ledger.blob)
        let algorithm = ledger.claim.flatMap { DigestAlgorithm(rawValue: $0.algorithm) } ?? .sha512
        let stored = try await engine.keepingAlive(image.id, ledger.blob) {
            let answer = try await engine.fetch(url)
            return try await engine.receive(
                answer.body, sizeBytes: answer.sizeBytes, blob: ledger.blob, in: staging, image: image,
                algorithm: algorithm, check: .atOnce)
        }
        if let claim = ledger.claim, claim.value.lowercased() != stored.hashValue {
            throw CloudError.badRequest(
                "os_hash_value: (\(claim.value)) not matched with actual os_hash_value: (\(stored.hashValue))")
        }
        let now = engine.clock.now()
        let isHeld = try await engine.database.write { tx in
            try engine.imports.setFetched(ledger.image, task: ledger.task, stored, at: now, tx)
        }
        guard isHeld else { throw ImageEngine.gone(ledger.image) }
    }

    // MARK: Place

    private static func place(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        let image = try await held(ledger, engine)
        let sources = ledger.isCopy ? image.stores : [engine.stores.defaultName]
        ledger.placed = []
        ledger.failed = []
        for name in ledger.stores {
            do {
                try await engine.bring(ledger.blob, from: sources, to: name)
                ledger.placed.append(name)
            } catch {
                guard !ledger.allStoresMustSucceed, !Task.isCancelled else { throw error }
                engine.log.warning("image not copied", ["image": ledger.image, "store": name, "error": "\(error)"])
                ledger.failed.append(name)
            }
            try await report(ledger, engine)
        }
        guard ledger.isCopy || !ledger.placed.isEmpty else {
            throw CloudError(.unavailable, "None of the uploads finished!")
        }
    }

    /// Shows how far the task is. A copy is of use at once.
    private static func report(_ ledger: Ledger, _ engine: ImageEngine) async throws {
        let left = ledger.stores.filter { !ledger.placed.contains($0) && !ledger.failed.contains($0) }
        let now = engine.clock.now()
        let isHeld = try await engine.database.write { tx in
            guard
                try engine.imports.setProgress(
                    ledger.image, task: ledger.task, importing: left, failed: ledger.failed, at: now, tx)
            else { return false }
            if ledger.isCopy {
                for name in ledger.placed { try engine.data.addStore(name, to: ledger.image, at: now, tx) }
            }
            return true
        }
        guard isHeld else { throw ImageEngine.gone(ledger.image) }
    }

    private static func unplace(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        guard try await isUndone(ledger, engine) else { return }
        let ledger = ledger
        if ledger.isCopy {
            try await engine.database.write { tx in
                for name in ledger.stores { _ = try engine.data.removeStore(name, from: ledger.image, tx) }
            }
        }
        // What was staged goes with the hold.
        let copies = ledger.stores.filter { ledger.isCopy || $0 != engine.stores.defaultName }
        await engine.stores.remove(ledger.blob, from: copies)
    }

    // MARK: Finish

    private static func finish(_ ledger: inout Ledger, _ engine: ImageEngine) async throws {
        let (ledger, now) = (ledger, engine.clock.now())
        try await engine.database.write { tx in
            if try engine.tasks.task(ledger.task, at: now, tx)?.status == .success { return }
            guard try settle(ledger, engine, at: now, tx) else { throw ImageEngine.gone(ledger.image) }
            try engine.tasks.end(
                ledger.task, .success, result: ["image_id": .string(ledger.image.rawValue)], message: "", at: now,
                expiresAt: now + engine.config.taskRetention, tx)
        }
        if !ledger.isCopy, !ledger.placed.contains(engine.stores.defaultName) {
            await engine.stores.staging.remove(ledger.blob)
        }
    }

    /// The image is active and nobody's any more. False: the task had lost it.
    private static func settle(
        _ ledger: Ledger, _ engine: ImageEngine, at time: Timestamp, _ tx: any Transaction
    ) throws -> Bool {
        if !ledger.isCopy {
            guard let image = try engine.images.image(ledger.image, tx), image.importTask == ledger.task,
                let stored = image.staged?.data
            else { return false }
            guard
                try engine.data.activate(
                    image.id, from: .importing, blob: ledger.blob, stored,
                    virtualSizeBytes: engine.virtualSize(stored, of: image), in: ledger.placed, at: time, tx)
            else { return false }
        }
        return try engine.imports.release(ledger.image, task: ledger.task, at: time, tx)
    }

    package static func failed(_ ledger: Ledger, _ error: CloudError, _ engine: ImageEngine) async throws {
        let now = engine.clock.now()
        try await engine.database.write { tx in
            try engine.tasks.end(
                ledger.task, .failure, result: nil, message: error.message, at: now,
                expiresAt: now + engine.config.taskRetention, tx)
            if ledger.discardsImage == true, try engine.images.image(ledger.image, tx)?.status == .queued {
                _ = try engine.images.delete(ledger.image, tx)
            }
        }
    }
}

extension ImageEngine {
    /// Puts the blob into the store `name`, out of the first of `sources` that has it. Nothing to do when it is there.
    func bring(_ blob: String, from sources: [String], to name: String) async throws {
        guard let target = stores.store(name) else {
            throw CloudError(.unavailable, "The store \(name) is not available.")
        }
        for source in sources.compactMap({ stores.store($0) })
        where try await source.copy(blob, to: target, on: stores.copiers) { return }
        throw CloudError(.unavailable, "The image data is not available.", cause: "blob \(blob) has no file")
    }
}

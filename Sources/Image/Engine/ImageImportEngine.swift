// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

extension PolicyName {
    package static let copyImage: PolicyName = "copy_image"
}

/// Imports and copies: takes the image, makes the task, and leaves the work to a saga.
package struct ImageImportEngine: Sendable {
    private let engine: ImageEngine
    private let sagas: SagaRunner

    package init(_ engine: ImageEngine, sagas: SagaRunner) {
        self.engine = engine
        self.sagas = sagas
    }

    /// Begins an import. What can be told at once is refused at once; the rest shows in the task.
    package func begin(_ draft: ImageImportDraft, of id: ImageID, for context: CallContext) async throws {
        if draft.method == .webDownload, engine.config.importFilter.url(draft.url) == nil {
            throw ImageEngine.filtered(draft.url ?? "None")
        }
        let rule: PolicyName = draft.method == .copyImage ? .copyImage : .modifyImage
        let image = try await engine.database.read { tx in try engine.access.load(id, for: rule, context, tx).image }
        try check(image, draft.method)
        let stores = try stores(of: draft, image)
        guard !stores.isEmpty else { return }
        if draft.method == .glanceDirect, let staged = image.staged, let blob = image.blob {
            // What was staged was looked at as it came; the formats may have been told since.
            try await engine.holding(blob, in: engine.stores.staging, of: id) {
                try engine.checkFormat(staged.data.inspection, image)
            }
        }
        let ledger = ImportImageSaga.Ledger(
            task: engine.ids.next(), image: id, method: draft.method, url: draft.url,
            blob: draft.method == .webDownload ? engine.newBlob(id) : image.blob ?? engine.newBlob(id), stores: stores,
            allStoresMustSucceed: draft.allStoresMustSucceed)
        let input: JSON = .object([
            "image_id": .string(id.rawValue), "import_req": draft.request, "backend": .array(stores.map(JSON.string)),
        ])
        try await start(ledger, .apiImport, input, of: image, context)
    }

    private func check(_ image: Image, _ method: ImageImportMethod) throws {
        switch method {
        case .copyImage:
            guard image.status == .active else {
                throw CloudError.conflict("Only images with status active can be targeted for copying")
            }
        case .webDownload, .glanceDirect:
            if image.status == .active {
                throw CloudError.conflict("Image with status active cannot be target for import")
            }
        }
        if method == .webDownload, image.status != .queued {
            throw CloudError.conflict("Image needs to be in 'queued' state to use '\(method.rawValue)' method")
        }
        if method == .glanceDirect, image.status != .uploading || image.staged == nil {
            throw CloudError.conflict("Image needs to be staged before 'glance-direct' method can be used")
        }
        guard image.containerFormat != nil else {
            throw CloudError.conflict("'container_format' needs to be set before import")
        }
        guard image.diskFormat != nil else { throw CloudError.conflict("'disk_format' needs to be set before import") }
        if image.importTask != nil { throw CloudError.conflict("Image has active task") }
    }

    /// The stores to fill. Empty: a copy finds the image everywhere.
    private func stores(of draft: ImageImportDraft, _ image: Image) throws -> [String] {
        let asked = draft.isForAllStores ? engine.stores.names : draft.stores ?? [engine.stores.defaultName]
        for name in asked where !engine.stores.has(name) {
            throw CloudError.conflict("Unknown scheme '\(name.prefix(64))' found in URI")
        }
        let stores = Set(asked).sorted()
        guard draft.method == .copyImage else { return stores }
        if draft.isForAllStores { return stores.filter { !image.stores.contains($0) } }
        for name in stores where image.stores.contains(name) {
            throw CloudError.badRequest("Image is already present at store '\(name)'")
        }
        return stores
    }

    /// The image, the task and the run begin together, or none of them.
    private func start(
        _ ledger: ImportImageSaga.Ledger, _ kind: ImageTask.Kind, _ input: JSON, of image: Image,
        _ context: CallContext, creating draft: Image? = nil
    ) async throws {
        let now = engine.clock.now()
        let task = task(ledger.task, kind, input, image: kind == .imported ? nil : image.id, now, context)
        // One name for the task and its run.
        let run = SagaRunID(ledger.task.rawValue)
        let limits = try await engine.quotaLimits(of: context.projectID)
        let isStaged = ledger.method == .glanceDirect
        let size = Int((image.sizeBytes ?? 0) >> 20)
        try await engine.database.write { tx in
            try engine.checkQuota(
                limits, context.projectID,
                adding: isStaged ? [.imageSizeTotal: size] : [.imageStageTotal: size, .imageCountUploading: 0], tx)
            if let draft {
                try engine.checkQuota(limits, draft.owner, adding: [.imageCountTotal: 1], tx)
                try engine.images.insert(draft, tx)
            }
            let isTaken = try engine.imports.claim(
                image.id, from: image.status, task: task.id, blob: ledger.blob, stores: ledger.stores, at: now, tx)
            guard isTaken else {
                throw CloudError.conflict(
                    "New operation on image '\(image.id)' is not permitted as prior operation is still in progress")
            }
            try engine.tasks.insert(task, tx)
            try sagas.start(ImportImageSaga.self, id: run, ledger: ledger, in: tx)
        }
    }

    private func task(
        _ id: ImageTaskID, _ kind: ImageTask.Kind, _ input: JSON, image: ImageID?, _ now: Timestamp,
        _ context: CallContext
    ) -> ImageTask {
        var task = ImageTask(
            id: id, kind: kind, owner: context.projectID, imageID: image, input: input, createdAt: now)
        task.userID = context.principal.userID.rawValue
        task.requestID = context.requestID
        return task
    }

    // MARK: Locations

    /// Makes the bytes at a URL the image's own: they are copied in, so that nobody can change them behind its back.
    package func addLocation(_ text: String, claim: ImageHashClaim?, to id: ImageID, for context: CallContext)
        async throws
    {
        let image = try await engine.database.read { tx in
            try engine.access.load(id, for: .addImageLocation, context, tx).image
        }
        guard image.status == .queued else {
            throw CloudError.conflict(
                "It's not allowed to add locations if image status is \(image.status.rawValue).")
        }
        let isOfService = context.principal.hasRole("service")
        guard isOfService || engine.config.allowsWebLocations else {
            throw CloudError.forbidden("http store must be enabled to use location API by normal user.")
        }
        guard engine.config.importFilter.url(text) != nil, engine.fetcher != nil else {
            throw CloudError.badRequest(
                "URI for location does not pass filtering: \(text.prefix(ImportURL.maximumLength))")
        }
        if image.importTask != nil { throw CloudError.conflict("Image has active task") }
        var ledger = ImportImageSaga.Ledger(
            task: engine.ids.next(), image: id, method: .webDownload, url: text, blob: engine.newBlob(id),
            stores: [engine.stores.defaultName], allStoresMustSucceed: true)
        ledger.claim = claim
        var validation: [String: JSON] = [:]
        if let claim { validation = ["os_hash_algo": .string(claim.algorithm), "os_hash_value": .string(claim.value)] }
        let input: JSON = .object([
            "image_id": .string(id.rawValue), "loc_url": .string(text), "validation_data": .object(validation),
        ])
        try await start(ledger, .locationImport, input, of: image, context)
    }

    // MARK: Tasks of their own

    /// Makes a task that makes an image of a URL. The image is there at once, and goes when the task fails.
    package func createTask(importing draft: ImageDraft, from text: String, input: JSON, for context: CallContext)
        async throws -> ImageTask
    {
        guard engine.config.importFilter.url(text) != nil, engine.fetcher != nil else {
            throw CloudError.badRequest("URI for legacy import task does not pass filtering: \(text.prefix(1024))")
        }
        guard draft.diskFormat != nil, draft.containerFormat != nil else {
            throw CloudError.badRequest("Properties disk_format, container_format must be set prior to saving data.")
        }
        let image = try engine.newImage(draft, for: context)
        var ledger = ImportImageSaga.Ledger(
            task: engine.ids.next(), image: image.id, method: .webDownload, url: text, blob: engine.newBlob(image.id),
            stores: [engine.stores.defaultName], allStoresMustSucceed: true)
        ledger.discardsImage = true
        try await start(ledger, .imported, input, of: image, context, creating: image)
        let (id, now) = (ledger.task, engine.clock.now())
        guard let task = try await engine.database.read({ tx in try engine.tasks.task(id, at: now, tx) }) else {
            throw CloudError(.bug, "The task could not be created.")
        }
        return task
    }
}

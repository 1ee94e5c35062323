// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import LogKit
import PolicyKit
import TaskKit

/// Images without their bytes: create, list, show, change, delete, tags, activation.
package struct ImageEngine: Sendable {
    package let config: ImageConfig
    let database: any Database
    let files: FileImageStore
    package let stores: ImageFileStores
    /// What fetches images from URLs; nil where nothing does.
    let fetcher: (any ImageFetcher)?
    let downloads = DownloadPlaces()
    /// What projects may have by Identity's limits; nil where nothing bounds them.
    let quotas: (any ImageQuotaSource)?
    let clock: WallClock
    let ids: IDSource
    let access = ImageAccess()
    let images = ImageStore()
    let data = ImageDataStore()
    let members = ImageMemberStore()
    let tasks = ImageTaskStore()
    let imports = ImageImportStore()
    let cache = ImageCacheStore()
    /// Wakes the reconciler of the cache; without it the timer does.
    let wakes: ReconcilerWakes?
    let log = Logger("image")

    package init(
        config: ImageConfig, database: any Database, files: FileImageStore, fetcher: (any ImageFetcher)? = nil,
        quotas: (any ImageQuotaSource)? = nil, wakes: ReconcilerWakes? = nil, clock: WallClock, ids: IDSource
    ) {
        self.config = config
        self.database = database
        self.files = files
        self.fetcher = fetcher
        self.quotas = quotas
        self.wakes = wakes
        stores = ImageFileStores(files, config)
        self.clock = clock
        self.ids = ids
    }

    /// Creates the directories of all stores. Before anything else.
    package func prepare() async throws { try await stores.prepare() }

    /// How clients may bring an image in two calls: what this cloud has the parts for.
    package var importMethods: [ImageImportMethod] {
        ImageImportMethod.allCases.filter { method in
            switch method {
            case .glanceDirect: true
            case .webDownload: fetcher != nil
            case .copyImage: stores.names.count > 1
            }
        }
    }

    // MARK: Create

    package func create(_ draft: ImageDraft, for context: CallContext) async throws -> Image {
        let image = try newImage(draft, for: context)
        let limits = try await quotaLimits(of: image.owner)
        try await database.write { tx in
            try checkQuota(limits, image.owner, adding: [.imageCountTotal: 1], tx)
            try images.insert(image, tx)
        }
        return image
    }

    /// The image that the caller describes and may make. It is not stored.
    func newImage(_ draft: ImageDraft, for context: CallContext) throws -> Image {
        var image = Image(
            id: draft.id ?? ids.next(), owner: draft.owner ?? context.projectID, createdAt: clock.now())
        image.name = draft.name
        image.visibility = draft.visibility ?? .shared
        image.diskFormat = draft.diskFormat
        image.containerFormat = draft.containerFormat
        image.minDiskGiB = draft.minDiskGiB
        image.minRAMMiB = draft.minRAMMiB
        image.isProtected = draft.isProtected
        image.isHidden = draft.isHidden
        image.properties = draft.properties
        image.tags = draft.tags
        try authorizeCreate(image, context)
        try checkLimits(image)
        return image
    }

    private func authorizeCreate(_ image: Image, _ context: CallContext) throws {
        let proposed = VisibleImage(image: image, member: nil)
        do {
            try proposed.authorize(.addImage, context)
        } catch {
            guard image.owner != context.projectID, let owner = image.owner else { throw error }
            throw CloudError.forbidden("You are not permitted to create images owned by '\(owner)'")
        }
        try authorizeVisibility(image.visibility, proposed, context)
    }

    private func authorizeVisibility(_ visibility: Image.Visibility, _ image: VisibleImage, _ context: CallContext)
        throws
    {
        switch visibility {
        case .public: try image.authorize(.publicizeImage, context)
        case .community: try image.authorize(.communitizeImage, context)
        case .private, .shared: break
        }
    }

    private func checkLimits(_ image: Image) throws {
        if image.properties.count > config.maximumProperties {
            throw CloudError(
                .tooLarge,
                """
                The limit has been exceeded on the number of allowed image properties. \
                Attempted: \(image.properties.count), Maximum: \(config.maximumProperties)
                """)
        }
        if image.tags.count > config.maximumTags { throw tagLimit(image.tags.count) }
    }

    private func tagLimit(_ count: Int) -> CloudError {
        CloudError(
            .tooLarge,
            """
            The limit has been exceeded on the number of allowed image tags. \
            Attempted: \(count), Maximum: \(config.maximumTags)
            """)
    }

    // MARK: Read

    package func image(_ id: ImageID, for context: CallContext) async throws -> Image {
        try await database.read { tx in try access.load(id, context, tx).image }
    }

    /// One page, and whether another may follow. `marker` is the last image of the page before.
    package func list(_ query: ImageListQuery, marker: ImageID?, for context: CallContext) async throws
        -> (images: [Image], hasMore: Bool)
    {
        context.authorizeListing()
        var query = query
        query.viewer = context.projectID
        query.isAdmin = context.allows(.contextIsAdmin, [:])
        query.limit = min(query.limit, config.maximumPageSize)
        let page = query
        return try await database.read { tx in
            var page = page
            if let marker {
                do {
                    page.marker = try access.load(marker, context, tx).image
                } catch let error as CloudError where error.code == .notFound {
                    throw CloudError.badRequest(error.message)
                }
            }
            let images = try self.images.list(page, tx)
            return (images, !images.isEmpty && images.count == page.limit)
        }
    }

    // MARK: Change

    package func update(_ id: ImageID, _ changes: [ImageChange], for context: CallContext) async throws -> Image {
        let now = clock.now()
        return try await database.write { tx in
            var visible = try access.load(id, context, tx)
            let isAdmin = context.allows(.contextIsAdmin, [:])
            for change in changes {
                if change.field == "visibility", let visibility = try change.visibility() {
                    try authorizeVisibility(visibility, visible, context)
                }
                try visible.authorize(.modifyImage, context)
                try change.apply(to: &visible.image, isAdmin: isAdmin)
            }
            guard !changes.isEmpty else { return visible.image }
            try checkLimits(visible.image)
            visible.image.updatedAt = now
            guard try images.update(visible.image, tx) else {
                throw CloudError.notFound("No image found with ID \(id)")
            }
            return visible.image
        }
    }

    package func addTag(_ tag: String, to id: ImageID, for context: CallContext) async throws {
        let now = clock.now()
        try await database.write { tx in
            let image = try access.load(id, for: .modifyImage, context, tx).image
            guard !image.tags.contains(tag) else { return }
            guard image.tags.count < config.maximumTags else { throw tagLimit(image.tags.count + 1) }
            try images.addTag(tag, to: id, tx)
            try images.touch(id, at: now, tx)
        }
    }

    package func removeTag(_ tag: String, from id: ImageID, for context: CallContext) async throws {
        let now = clock.now()
        try await database.write { tx in
            _ = try access.load(id, for: .modifyImage, context, tx)
            guard try images.removeTag(tag, from: id, tx) else { throw CloudError.notFound("") }
            try images.touch(id, at: now, tx)
        }
    }

    package func deactivate(_ id: ImageID, for context: CallContext) async throws {
        try await setStatus(id, .deactivateRequested, "deactivate", rule: .deactivateImage, context)
    }

    package func reactivate(_ id: ImageID, for context: CallContext) async throws {
        try await setStatus(id, .reactivateRequested, "reactivate", rule: .reactivateImage, context)
    }

    private func setStatus(
        _ id: ImageID, _ event: Image.Event, _ verb: String, rule: PolicyName, _ context: CallContext
    ) async throws {
        let now = clock.now()
        try await database.write { tx in
            let image = try access.load(id, for: rule, context, tx).image
            guard let next = image.status.after(event) else {
                throw CloudError.forbidden("Not allowed to \(verb) image in status '\(image.status.rawValue)'")
            }
            guard next != image.status else { return }
            guard try data.setStatus(id, from: image.status, to: next, at: now, tx) else {
                throw CloudError.conflict("The image changed meanwhile; repeat the request.")
            }
        }
    }

    // MARK: Delete

    /// The row goes first, then the file: what a crash leaves between the two is waste that the reconciler finds.
    package func delete(_ id: ImageID, for context: CallContext) async throws {
        let (blob, holders) = try await database.write { tx -> (String?, [String]) in
            let image = try access.load(id, for: .deleteImage, context, tx).image
            guard !image.isProtected else {
                throw CloudError.forbidden("Image \(id) is protected and cannot be deleted.")
            }
            guard try images.delete(id, tx) else { throw CloudError.notFound("Failed to find image \(id) to delete") }
            // A running upload or import owns its files until it sees that its image has gone.
            let isWhole = image.hasData || image.staged != nil && image.importTask == nil
            return (isWhole ? image.blob : nil, image.stores.isEmpty ? [stores.defaultName] : image.stores)
        }
        if let blob { await stores.remove(blob, from: holders) }
    }
}

/// A new image as the caller describes it.
package struct ImageDraft: Sendable {
    package var id: ImageID?
    package var name: String?
    package var owner: ProjectID?
    package var visibility: Image.Visibility?
    package var diskFormat: String?
    package var containerFormat: String?
    package var minDiskGiB: Int64 = 0
    package var minRAMMiB: Int64 = 0
    package var isProtected = false
    package var isHidden = false
    package var properties: [String: String] = [:]
    package var tags: [String] = []

    package init() {}
}

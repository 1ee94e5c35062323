// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import PolicyKit
import TaskKit

/// What users do with volumes. Creation is in `VolumeEngine+Create`, actions in `VolumeEngine+Actions`.
package struct VolumeEngine: Sendable {
    package let parts: BlockStorageParts
    let sagas: SagaRunner
    var stores: BlockStorageStores { parts.stores }

    package init(_ parts: BlockStorageParts, sagas: SagaRunner) {
        self.parts = parts
        self.sagas = sagas
    }

    // MARK: Load

    /// One volume that the caller may see and act on by `policy` (the route's rule when nil). Another project's volume
    /// is as absent as one that never was.
    package func volume(
        _ id: VolumeID, for context: CallContext, as policy: PolicyName? = nil
    ) async throws -> Volume {
        let stores = stores
        return try await parts.database.read { try Self.load(id, context, policy, stores, $0) }
    }

    static func load(
        _ id: VolumeID, _ context: CallContext, _ policy: PolicyName?, _ stores: BlockStorageStores,
        _ transaction: any Transaction
    ) throws -> Volume {
        guard UUIDText.isUUID(id.rawValue), let volume = try stores.volumes.volume(id, transaction),
            context.sees(volume.projectID)
        else { throw VolumeErrors.notFound(id) }
        try context.authorize(target(volume), as: policy)
        return volume
    }

    package static func target(_ volume: Volume) -> PolicyTarget {
        PolicyTarget(project: volume.projectID, user: volume.userID)
    }

    // MARK: Views

    /// Volumes with what a detailed view shows beside the rows.
    package struct Page: Sendable {
        package var volumes: [Volume]
        package var hasMore = false
        /// All that the filters match; when it was asked for.
        package var count: Int?
        package var attachments: [VolumeID: [VolumeAttachment]] = [:]
        package var typeNames: [VolumeTypeID: String] = [:]
        /// `service_uuid` of each backend.
        package var serviceIDs: [String: String] = [:]
        package var consistencyGroups: Set<VolumeGroupID> = []
    }

    /// `query` is limited to what the caller may see by who builds it: the routes, by policy.
    package func list(
        _ query: VolumeQuery, isDetailed: Bool, isCounted: Bool, for context: CallContext
    ) async throws -> Page {
        context.authorizeListing()
        let stores = stores
        return try await parts.database.read { transaction in
            var volumes = try query.run(transaction)
            let limit = query.limit ?? Int.max
            let hasMore = volumes.count > limit
            if hasMore { volumes.removeLast(volumes.count - limit) }
            var page = isDetailed ? try Self.page(volumes, stores, transaction) : Page(volumes: volumes)
            page.hasMore = hasMore
            if isCounted { page.count = try query.count(transaction) }
            return page
        }
    }

    package func page(of volume: Volume) async throws -> Page {
        let stores = stores
        return try await parts.database.read { try Self.page([volume], stores, $0) }
    }

    private static func page(
        _ volumes: [Volume], _ stores: BlockStorageStores, _ transaction: any Transaction
    ) throws -> Page {
        var page = Page(volumes: volumes)
        guard !volumes.isEmpty else { return page }
        page.attachments = try stores.attachments.attachments(ofVolumes: volumes.map(\.id), transaction)
        page.typeNames = try stores.types.types(Set(volumes.map(\.typeID)), transaction).mapValues(\.name)
        let backends = try stores.backends.all(transaction).map { ($0.address, $0.serviceID) }
        page.serviceIDs = Dictionary(backends, uniquingKeysWith: { first, _ in first })
        let groups = Set(volumes.compactMap(\.groupID)).sorted()
        page.consistencyGroups = try stores.groups.consistencyGroups(among: groups, transaction)
        return page
    }

    package struct Summary: Sendable {
        package var count = 0
        package var sizeGiB = 0
        package var metadata: [String: [String]] = [:]
    }

    package func summary(_ query: VolumeQuery, for context: CallContext) async throws -> Summary {
        context.authorizeListing()
        return try await parts.database.read { transaction in
            var summary = Summary()
            for volume in try query.run(transaction) {
                summary.count += 1
                summary.sizeGiB += volume.sizeGiB
                for (key, value) in volume.metadata where summary.metadata[key]?.contains(value) != true {
                    summary.metadata[key, default: []].append(value)
                }
            }
            return summary
        }
    }

    // MARK: Change

    /// Reads the row, changes it with `body`, and writes it, in one transaction.
    @discardableResult
    package func edit(
        _ id: VolumeID, for context: CallContext, as policy: PolicyName? = nil,
        _ body: @escaping @Sendable (inout Volume) throws -> Void
    ) async throws -> Volume {
        let (stores, now) = (stores, parts.clock.now())
        return try await parts.database.write { transaction in
            var volume = try Self.load(id, context, policy, stores, transaction)
            try body(&volume)
            try stores.volumes.update(volume, at: now, transaction)
            volume.updatedAt = now
            return volume
        }
    }

    /// Waits for the end of the run that holds the volume. Throws what it failed with.
    package func settled(_ volume: Volume) async throws {
        if let run = volume.sagaRun { try await sagas.runToEnd(run) }
    }

    // MARK: Delete

    package struct DeleteOptions: Sendable {
        package var isForced = false
        package var deletesSnapshots = false
        package var isUnmanaged = false
        package init(isForced: Bool = false, deletesSnapshots: Bool = false, isUnmanaged: Bool = false) {
            self.isForced = isForced
            self.deletesSnapshots = deletesSnapshots
            self.isUnmanaged = isUnmanaged
        }
    }

    package func delete(
        _ id: VolumeID, _ options: DeleteOptions, for context: CallContext, as policy: PolicyName? = nil
    ) async throws {
        let (stores, parts, sagas, request) = (stores, parts, sagas, context.requestID)
        let isAdministrator = context.allowsAllProjects
        try await parts.database.write { transaction in
            let volume = try Self.load(id, context, policy, stores, transaction)
            try Self.begin(
                deletionOf: volume, options, isAdministrator: isAdministrator, request: request, parts, sagas,
                transaction)
        }
    }

    /// Moves the row and starts the saga, in the caller's transaction; for services, and for groups that go with their
    /// volumes.
    package static func begin(
        deletionOf volume: Volume, _ options: DeleteOptions, isAdministrator: Bool, request: String,
        allowsGroup: Bool = false, _ parts: BlockStorageParts, _ sagas: SagaRunner, _ transaction: any Transaction
    ) throws {
        let (stores, now, run) = (parts.stores, parts.clock.now(), parts.ids.next(SagaRunTag.self))
        if options.isUnmanaged, volume.keyID != nil {
            throw CloudError.badRequest("Unmanaging encrypted volumes is not supported.", kind: "Invalid")
        }
        if let backend = volume.backend, !options.isUnmanaged,
            try stores.backends.backend(backend, transaction)?.isFrozen == true
        {
            throw VolumeErrors.invalidInput("The backend of the volume is frozen.")
        }
        let snapshots = try stores.snapshots.snapshots(of: volume.id, transaction)
        let event: VolumeEvent =
            options.isUnmanaged ? .workRequested(.unmanage) : options.isForced ? .deleteForced : .deleteRequested
        let attachments = try stores.attachments.attachments(of: volume.id, transaction)
        let isHeld = attachments.contains { $0.status != .errorAttaching && $0.status != .detached }
        let isMigrating = volume.migration.map { !["success", "error", "deleting"].contains($0) } ?? false
        let isDeletable: (VolumeSnapshot) -> Bool = { snapshot in
            snapshot.groupSnapshotID == nil
                && (options.isForced || [.available, .error, .deleting, .errorDeleting].contains(snapshot.status))
                && (isAdministrator || snapshot.projectID == volume.projectID)
        }
        let snapshotsAllow =
            options.deletesSnapshots ? snapshots.allSatisfy(isDeletable) : snapshots.isEmpty
        // A volume that no backend has seen is but a row.
        let isUnplaced = volume.host == nil && volume.sagaRun == nil
        guard !isHeld, !isMigrating, allowsGroup || volume.groupID == nil, snapshotsAllow,
            let state = volume.state.after(isUnplaced ? .deleteForced : event),
            try stores.volumes.move(volume, to: state, run: run, at: now, transaction)
        else { throw undeletable(options) }
        for snapshot in snapshots {
            _ = try stores.snapshots.move(snapshot, to: .deleting, run: run, at: now, transaction)
        }
        try sagas.start(
            DeleteVolumeSaga.self, id: run,
            ledger: .init(
                volume: volume.id, requestID: request, isUnmanaged: options.isUnmanaged,
                deletesSnapshots: options.deletesSnapshots), in: transaction)
    }

    /// Deletes what was made on the way to something that failed. Not an error when it is gone.
    func discard(_ id: VolumeID, request: String) async throws {
        let (stores, parts, sagas) = (stores, parts, sagas)
        try await parts.database.write { transaction in
            guard let volume = try stores.volumes.volume(id, transaction) else { return }
            try Self.begin(
                deletionOf: volume, .init(isForced: true), isAdministrator: true, request: request, parts, sagas,
                transaction)
        }
    }

    private static func undeletable(_ options: DeleteOptions) -> CloudError {
        let status =
            options.isForced
            ? ""
            : "status must be available or error or error_restoring or error_extending or error_managing and "
        return VolumeErrors.invalidVolume(
            "Volume \(status)must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, "
                + "or be disassociated from snapshots after volume transfer.")
    }
}

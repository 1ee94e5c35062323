// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import NetworkContract
import PlacementContract
import PolicyKit
import QuotaKit
import SecurityKit
import TaskKit

extension ServerEngine {
    package struct Created: Sendable {
        package var servers: [ServerID]
        package var reservationID: String
    }

    /// What the draft refers to, found and checked.
    private struct Resolved: Sendable {
        var project: ProjectID
        var flavor: Flavor
        var disks: BlockDeviceResolver.Plan
        var image: ImageInfo { disks.image }
        var key: KeyPair?
        var host: HostRequest
        var networks: [NetworkPlan]
        var group: ServerGroup?
    }

    /// Refuses what cannot be; accepts the rest at once. Rows, timeline and runs come in one transaction.
    package func create(_ draft: ServerDraft, for context: CallContext) async throws -> Created {
        let resolved = try await resolve(draft, context)
        let actor = Requester(context.principal, project: resolved.project)
        let (stores, sagas, parts, request) = (stores, sagas, parts, context.requestID)
        let now = parts.clock.now()
        return try await parts.database.write { transaction in
            let count = try Self.countWithinQuota(draft, resolved, actor.userID, parts, transaction)
            var number = try stores.servers.nextNumber(transaction)
            let reservation = "r-" + parts.ids.hex().prefix(8)
            var created: [ServerID] = []
            for index in 0..<count {
                let run: SagaRunID = parts.ids.next()
                let plans = resolved.networks.map { plan in
                    CreateServerSaga.PortPlan(
                        id: plan.existing ?? parts.ids.next(), isExisting: plan.existing != nil, request: plan.request)
                }
                var server = try Self.row(
                    draft, resolved, id: parts.ids.next(), number: number, index: index, count: count,
                    actor: actor, reservation: reservation, at: now, parts.config)
                server.sagaRun = run
                let tags = zip(plans, resolved.networks).compactMap { plan, wish in
                    wish.tag.map { (plan.id.rawValue, $0) }
                }
                try stores.servers.insert(server, try Self.extras(resolved, tags), transaction)
                let volumes = try Self.insertDisks(resolved.disks, of: server, at: now, parts, transaction)
                if !draft.tags.isEmpty { try stores.servers.setTags(server.id, draft.tags, at: nil, transaction) }
                if let group = resolved.group { try stores.groups.addMember(server.id, to: group.id, transaction) }
                try stores.actions.begin(
                    server.id, action: "create", event: "compute__do_build_and_run_instance", request: request,
                    user: actor.userID, project: actor.projectID, at: now, transaction)
                try sagas.start(
                    CreateServerSaga.self, id: run,
                    ledger: .init(
                        server: server.id, requestID: request, actor: actor, hostRequest: resolved.host,
                        resources: Self.resources(resolved), plans: plans,
                        adminPassword: server.hasConfigDrive ? draft.adminPassword : nil,
                        files: server.hasConfigDrive ? draft.files : [], volumes: volumes),
                    in: transaction)
                created.append(server.id)
                number += 1
            }
            return Created(servers: created, reservationID: String(reservation))
        }
    }

    // MARK: Rows

    private static func row(
        _ draft: ServerDraft, _ resolved: Resolved, id: ServerID, number: Int64, index: Int, count: Int,
        actor: Requester, reservation: String, at now: Timestamp, _ config: ComputeConfig
    ) throws -> Server {
        let name = count > 1 ? "\(draft.name)-\(index + 1)" : draft.name
        let hostname =
            draft.hostname ?? Hostname.sanitized(name, fallback: "server-\(id.rawValue)")
        return Server(
            id: id, number: number, projectID: actor.projectID, userID: actor.userID, name: name,
            hostname: hostname, description: draft.description, state: .new, power: .noState, sagaRun: nil,
            host: nil, hypervisorHostname: nil, zone: nil, pinnedZone: draft.zone, reservationID: reservation,
            launchIndex: index, imageID: draft.imageID.map { ID($0) },
            imageProperties: StoredMap.text(shownProperties(resolved.image)), flavor: resolved.flavor.snapshot,
            keyName: draft.keyName, hasConfigDrive: draft.hasConfigDrive || config.forcesConfigDrive,
            metadata: StoredMap.text(draft.metadata), tags: "[]", accessIPv4: draft.accessIPv4,
            accessIPv6: draft.accessIPv6, diskConfig: draft.diskConfig, lockedBy: nil, lockedReason: nil,
            trustedCertificates: draft.trustedCertificates.map { JSON.array($0.map(JSON.string)).text() },
            schedulerHints: draft.schedulerHints.text(), fault: nil, createdAt: now, updatedAt: now, launchedAt: nil,
            terminatedAt: nil, isDeleted: false, userData: draft.userData)
    }

    /// nova 2.98 shows those that mean something to Compute.
    static func shownProperties(_ image: ImageInfo) -> [String: String] {
        image.properties.filter { name, _ in
            ["hw_", "os_", "img_"].contains { name.hasPrefix($0) } && name != "os_hash_algo" && name != "os_hash_value"
        }
    }

    private static func extras(_ resolved: Resolved, _ tags: [(String, String)]) throws -> ServerStore.Extras {
        ServerStore.Extras(
            keyData: resolved.key?.publicKey, keyType: resolved.key?.type,
            networkTags: StoredMap.text(Dictionary(tags, uniquingKeysWith: { first, _ in first })), guestPassword: "",
            imageSnapshot: try JSONValueEncoder.text(resolved.image))
    }

    private static func resources(_ resolved: Resolved) -> ResourceRequest {
        ResourceRequest(
            resolved.flavor.snapshot, resolved.flavor.extraSpecs, imageProperties: resolved.image.properties,
            imageBytes: resolved.image.virtualSizeBytes, isVolumeBacked: resolved.disks.isVolumeBacked)
    }

    /// As many servers as the project may have, from `minCount` to `maxCount`. Throws `.overQuota` below that.
    private static func countWithinQuota(
        _ draft: ServerDraft, _ resolved: Resolved, _ user: UserID, _ parts: ComputeParts,
        _ transaction: any Transaction
    ) throws -> Int {
        let used = try parts.stores.servers.usage(of: resolved.project, transaction)
        let each = ["instances": 1, "cores": resolved.flavor.vcpus, "ram": resolved.flavor.memoryMiB]
        func usage(_ resource: String) -> Int {
            switch resource {
            case "instances": used.instances
            case "cores": used.cores
            default: used.memoryMiB
            }
        }
        let limits = try parts.quotas.limits(of: resolved.project, transaction)
        let own = try parts.stores.userQuotas.limits(of: user, in: resolved.project, transaction)
        let ownUse = own.isEmpty ? [:] : try parts.serverUsage(of: user, in: resolved.project, transaction)
        var count = draft.maxCount
        for (resource, amount) in each where amount > 0 {
            if let limit = limits[resource], limit >= 0 {
                count = min(count, max(0, limit - usage(resource)) / amount)
            }
            if let limit = own[resource], limit >= 0 {
                count = min(count, max(0, limit - (ownUse[resource] ?? 0)) / amount)
            }
        }
        count = max(count, draft.minCount)
        let wanted = each.mapValues { amount in
            let (product, isTooLarge) = amount.multipliedReportingOverflow(by: count)
            return isTooLarge ? Int.max : product
        }
        try parts.quotas.check(resolved.project, wanted, transaction, usage: usage)
        try parts.checkUserQuota(user, in: resolved.project, wanted, transaction) { ownUse[$0] ?? 0 }
        try checkGroupRoom(count, resolved, parts, transaction)
        return count
    }

    private static func checkGroupRoom(
        _ count: Int, _ resolved: Resolved, _ parts: ComputeParts, _ transaction: any Transaction
    ) throws {
        guard let group = resolved.group else { return }
        try parts.quotas.check(resolved.project, ["server_group_members": count], transaction) { _ in
            try parts.stores.groups.members(of: group.id, transaction).count
        }
    }

    // MARK: Resolve

    private func resolve(_ draft: ServerDraft, _ context: CallContext) async throws -> Resolved {
        let project = try context.requireProject()
        let target = PolicyTarget(["project_id": project.rawValue, "user_id": context.principal.userID.rawValue])
        let flavor = try await flavor(draft.flavorID, context)
        if let userData = draft.userData, Base64.decode(userData) == nil {
            throw CloudError.badRequest("User data needs to be valid base 64.", kind: "InstanceUserDataMalformed")
        }
        if !draft.blockDevices.isEmpty {
            try context.authorize(target, as: "os_compute_api:servers:create:attach_volume")
        }
        let disks = try await BlockDeviceResolver(parts: parts, flavor: flavor, context: context, draft: draft).plan()
        let image = disks.image
        try Self.checkBootable(image, with: flavor.snapshot, isVolumeBacked: disks.isVolumeBacked)
        if !disks.isVolumeBacked, flavor.rootGiB == 0,
            !context.allows("os_compute_api:servers:create:zero_disk_flavor", target)
        {
            throw CloudError.forbidden(
                "Only volume-backed servers are allowed for flavors with zero disk.",
                kind: "BootFromVolumeRequiredForZeroDiskFlavor")
        }
        try await checkQuotaOfFiles(draft, project)
        let key = try await key(draft.keyName, context)
        let (host, group) = try await hostRequest(draft, image, flavor, project, context, target)
        let networks = try await networks(draft, context, target)
        return Resolved(
            project: project, flavor: flavor, disks: disks, key: key, host: host, networks: networks, group: group)
    }

    private func flavor(_ id: String, _ context: CallContext) async throws -> Flavor {
        guard let flavor = try await FlavorEngine.visible(id, for: context, parts) else {
            throw CloudError.badRequest("Flavor \(id.prefix(255)) could not be found.", kind: "FlavorNotFound")
        }
        return flavor
    }

    /// The disk as it is: in the formats that Image inspects before it makes an image active.
    static let bootableContainers: Set<String> = ["bare", "ami", "ari", "aki"]

    static func checkBootable(_ image: ImageInfo, with flavor: FlavorSnapshot, isVolumeBacked: Bool) throws {
        guard image.status == "active" else {
            throw CloudError.badRequest("Image \(image.id) is not active.", kind: "ImageNotActive")
        }
        try checkMemory(image, with: flavor)
        guard !isVolumeBacked else { return }
        // Image does not look into these, so nobody knows what is in them, nor how large it is.
        guard let container = image.containerFormat, Self.bootableContainers.contains(container) else {
            throw CloudError.badRequest(
                "Image \(image.id) is unacceptable: a server cannot boot from its container format.",
                kind: "ImageUnacceptable")
        }
        try checkDisk(image, with: flavor)
    }

    static func checkMemory(_ image: ImageInfo, with flavor: FlavorSnapshot) throws {
        guard image.minRAMMiB <= flavor.memoryMiB else {
            throw CloudError.badRequest(
                "Flavor's memory is too small for requested image.", kind: "FlavorMemoryTooSmall")
        }
    }

    static func checkDisk(_ image: ImageInfo, with flavor: FlavorSnapshot) throws {
        guard flavor.rootGiB > 0 else { return }
        let disk = Int64(flavor.rootGiB) << 30
        guard image.virtualSizeBytes <= disk else {
            throw CloudError.badRequest(
                "Flavor's disk is too small for requested image. Flavor disk is \(disk) bytes, image is "
                    + "\(image.virtualSizeBytes) bytes.", kind: "FlavorDiskSmallerThanImage")
        }
        guard image.minDiskGiB <= flavor.rootGiB else {
            throw CloudError.badRequest(
                "Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is "
                    + "\(disk) bytes, minimum size is \(Int64(image.minDiskGiB) << 30) bytes.",
                kind: "FlavorDiskSmallerThanMinDisk")
        }
    }

    func checkQuotaOfFiles(_ draft: ServerDraft, _ project: ProjectID) async throws {
        let quotas = parts.quotas
        let limits = try await parts.database.read { try quotas.limits(of: project, $0) }
        func exceeds(_ resource: String, _ value: Int) -> Bool {
            limits[resource].map { $0 >= 0 && value > $0 } ?? false
        }
        if exceeds("metadata_items", draft.metadata.count) {
            throw CloudError(
                .overQuota, "Maximum number of metadata items exceeds \(limits["metadata_items"] ?? 0)",
                kind: "MetadataLimitExceeded")
        }
        if exceeds("injected_files", draft.files.count) {
            throw CloudError(.overQuota, "Personality file limit exceeded.", kind: "OnsetFileLimitExceeded")
        }
        for file in draft.files {
            if exceeds("injected_file_path_bytes", file.path.utf8.count) {
                throw CloudError(
                    .overQuota, "Personality file path exceeds maximum", kind: "OnsetFilePathLimitExceeded")
            }
            if exceeds("injected_file_content_bytes", file.content.count) {
                throw CloudError(
                    .overQuota, "Personality file content exceeds maximum", kind: "OnsetFileContentLimitExceeded")
            }
        }
    }

    func key(_ name: String?, _ context: CallContext) async throws -> KeyPair? {
        guard let name else { return nil }
        let (stores, user) = (stores, context.principal.userID)
        guard let key = try await parts.database.read({ try stores.keyPairs.keyPair(name, of: user, $0) }) else {
            throw CloudError.badRequest("Invalid key_name provided.", kind: "KeypairNotFound")
        }
        return key
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit
import LogKit

/// The parts of Block Storage as administrators see them: backends, and what runs beside them on each host.
package struct BlockStorageServiceEngine: Sendable {
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    package static let volumeBinary = "cinder-volume"
    package static let schedulerBinary = "cinder-scheduler"
    package static let backupBinary = "cinder-backup"

    package struct Service: Sendable {
        package var binary: String
        package var host: String
        package var zone: String
        package var isUp: Bool
        package var seenAt: Timestamp
        /// Of a `cinder-volume`.
        package var backend: VolumeBackend?

        package var topic: String { binary }
        package var isDisabled: Bool { backend?.isDisabled ?? false }
    }

    package func backends() async throws -> [VolumeBackend] {
        let stores = parts.stores
        return try await parts.database.read { try stores.backends.all($0) }
    }

    package func isUp(_ backend: VolumeBackend) -> Bool {
        backend.isUp(at: parts.clock.now(), limit: parts.config.backendTimeout)
    }

    /// Scheduler and backups are this program's own: they are up when it answers.
    package func services() async throws -> [Service] {
        let (backends, now, zone) = (try await backends(), parts.clock.now(), parts.config.defaultZone)
        var hosts: [String] = []
        for backend in backends {
            let host = backend.address.split(separator: "@").first.map(String.init) ?? backend.address
            if !hosts.contains(host) { hosts.append(host) }
        }
        var services: [Service] = []
        if let first = hosts.first {
            services.append(
                Service(binary: Self.schedulerBinary, host: first, zone: zone, isUp: true, seenAt: now))
        }
        services += backends.map {
            Service(
                binary: Self.volumeBinary, host: $0.address, zone: $0.zone, isUp: isUp($0), seenAt: $0.lastSeenAt,
                backend: $0)
        }
        services += hosts.map {
            Service(binary: Self.backupBinary, host: $0, zone: zone, isUp: true, seenAt: now)
        }
        return services
    }

    private static func notFound(_ host: String, _ binary: String) -> CloudError {
        .notFound(
            "Service \(binary.prefix(255)) could not be found on host \(host.prefix(255)).", kind: "ServiceNotFound")
    }

    /// New volumes go elsewhere while it is disabled.
    package func setDisabled(
        _ host: String, _ binary: String, _ isDisabled: Bool, reason: String?
    ) async throws {
        guard try await services().contains(where: { $0.host == host && $0.binary == binary }) else {
            throw Self.notFound(host, binary)
        }
        guard binary == Self.volumeBinary else {
            throw VolumeErrors.invalidInput("\(binary) is a part of every controller and cannot be disabled.")
        }
        let (stores, now) = (parts.stores, parts.clock.now())
        let isFound = try await parts.database.write {
            try stores.backends.setDisabled(host, isDisabled, reason: isDisabled ? reason : nil, at: now, $0)
        }
        guard isFound else { throw Self.notFound(host, binary) }
    }

    package func setFrozen(_ host: String, _ isFrozen: Bool) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        let isFound = try await parts.database.write { try stores.backends.setFrozen(host, isFrozen, at: now, $0) }
        guard isFound else {
            throw VolumeErrors.invalidInput("Service \(host.prefix(255)) could not be found.")
        }
    }

    // MARK: Log levels

    /// One program runs everything, so there is one level.
    package var logLevel: String {
        switch Logger.level {
        case .debug: "DEBUG"
        case .info: "INFO"
        case .warning: "WARNING"
        case .error: "ERROR"
        }
    }

    /// Throws `.badRequest` for a word that is no level.
    package func setLogLevel(_ word: String) throws {
        switch word.uppercased() {
        case "DEBUG": Logger.setLevel(.debug)
        case "INFO": Logger.setLevel(.info)
        case "WARNING", "WARN": Logger.setLevel(.warning)
        case "ERROR", "CRITICAL": Logger.setLevel(.error)
        default:
            throw VolumeErrors.invalidInput(
                "\(word.prefix(64)) is not a valid log level. Valid values are DEBUG, INFO, WARNING, ERROR.")
        }
    }

    // MARK: Pools

    package func pools() async throws -> [BackendView] {
        let parts = parts
        return try await parts.database.read { try VolumeScheduler(parts).views($0) }
    }

    /// Whether a pool can hold volumes of the type.
    package func specs(ofType name: String) async throws -> [String: String] {
        let stores = parts.stores
        guard let type = try await parts.database.read({ try stores.types.find(name, $0) }) else {
            throw VolumeTypeEngine.notFound(name)
        }
        return type.extraSpecs
    }

    // MARK: Zones and hosts

    /// Names of zones, and whether some enabled backend of each is up.
    package func zones() async throws -> [(name: String, isAvailable: Bool)] {
        var zones: [String: Bool] = [:]
        for backend in try await backends() {
            zones[backend.zone] = zones[backend.zone] ?? false || (isUp(backend) && !backend.isDisabled)
        }
        if zones.isEmpty { zones[parts.config.defaultZone] = true }
        return zones.sorted { $0.key < $1.key }.map { (name: $0.key, isAvailable: $0.value) }
    }

    package struct HostUse: Sendable {
        /// Nil: all together.
        package var project: ProjectID?
        package var volumes = 0
        package var volumeGiB = 0
        package var snapshots = 0
        package var snapshotGiB = 0
    }

    package func use(ofHost host: String) async throws -> [HostUse] {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard try stores.backends.backend(host, transaction) != nil else {
                throw CloudError.notFound("Host \(host.prefix(255)) could not be found.", kind: "HostNotFound")
            }
            var (total, projects) = (HostUse(), [ProjectID: HostUse]())
            for volume in try stores.volumes.volumes(onBackend: host, transaction) {
                projects[volume.projectID, default: HostUse(project: volume.projectID)].volumes += 1
                projects[volume.projectID]?.volumeGiB += volume.sizeGiB
                total.volumes += 1
                total.volumeGiB += volume.sizeGiB
            }
            for snapshot in try stores.snapshots.snapshots(onBackend: host, transaction) {
                projects[snapshot.projectID, default: HostUse(project: snapshot.projectID)].snapshots += 1
                projects[snapshot.projectID]?.snapshotGiB += snapshot.sizeGiB
                total.snapshots += 1
                total.snapshotGiB += snapshot.sizeGiB
            }
            return [total] + projects.sorted { $0.key < $1.key }.map(\.value)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import LifecycleKit
import LogKit

/// Keeps records of exports and the target's targets the same.
struct ISCSIExporter: Sendable {
    private let service: any TargetService
    private let records: ISCSIExportRecords
    private let namePrefix: String
    private let portal: String
    private let path: @Sendable (_ object: String) -> String
    /// One volume's record and target change together; `restore` takes each volume's turn like everybody else.
    private let queue = KeyedSerialQueue<VolumeID>("exports")
    private let log = Logger("iscsi")

    init(
        service: any TargetService, records: ISCSIExportRecords, namePrefix: String, portal: String,
        path: @escaping @Sendable (String) -> String
    ) {
        self.service = service
        self.records = records
        self.namePrefix = namePrefix
        self.portal = portal
        self.path = path
    }

    func prepare() async throws {
        try await records.prepare()
        try await service.ensureRunning()
    }

    /// Makes targets again that have a record and are gone: the target was restarted.
    func restore() async throws {
        try await service.ensureRunning()
        let present = try await service.targets()
        for record in try await records.all() where !present.contains(name(record.volume)) {
            try await queue.run(record.volume) {
                // Taken back meanwhile, perhaps.
                guard let record = try await records.record(of: record.volume) else { return }
                do {
                    try await service.ensure(target(record))
                    log.info("export restored", ["volume": record.volume])
                } catch {
                    // One device that is missing keeps no other volume away.
                    log.error("export not restored", ["volume": record.volume, "error": "\(error)"])
                }
            }
        }
    }

    func add(
        _ volume: VolumeID, object: BlockName, _ connector: HostConnector, isReadOnly: Bool
    ) async throws -> VolumeConnection.ISCSI {
        let host = ISCSIExport.Host(
            name: connector.host, address: connector.ip, initiator: connector.initiator, isReadOnly: isReadOnly)
        guard Self.isAddress(host.address) || host.initiator.map(Self.isInitiator) == true else {
            throw CloudError(
                .badRequest, "The connector has no address that a volume could be exported to.",
                kind: "InvalidConnector")
        }
        return try await queue.run(volume) {
            var record =
                try await records.record(of: volume)
                ?? ISCSIExport(
                    volume: volume, object: object.text, chapUser: CHAPSecret.make(),
                    chapPassword: CHAPSecret.make(), hosts: [])
            record.object = object.text
            record.hosts.removeAll { $0.name == host.name }
            record.hosts.append(host)
            // Written first: what the target has without a record would outlive everybody who knows of it.
            try await records.save(record)
            try await service.ensure(target(record))
            return VolumeConnection.ISCSI(
                portal: portal, iqn: name(volume), lun: service.lun, chapUser: record.chapUser,
                chapPassword: record.chapPassword)
        }
    }

    func remove(_ volume: VolumeID, _ connector: HostConnector) async throws {
        try await queue.run(volume) {
            guard var record = try await records.record(of: volume) else { return }
            record.hosts.removeAll { $0.name == connector.host }
            guard record.hosts.isEmpty else {
                try await records.save(record)
                return try await service.ensure(target(record))
            }
            try await drop(record)
        }
    }

    func remove(_ volume: VolumeID) async throws {
        try await queue.run(volume) {
            if let record = try await records.record(of: volume) { try await drop(record) }
        }
    }

    func isInUse(_ volume: VolumeID) async throws -> Bool { try await service.hasSessions(name(volume)) }

    func refreshSize(_ volume: VolumeID) async throws {
        try await queue.run(volume) {
            if let record = try await records.record(of: volume) { try await service.refreshSize(target(record)) }
        }
    }

    /// Runs `body` while nothing has the volume's device open.
    func withoutTarget(_ volume: VolumeID, _ body: @Sendable () async throws -> Void) async throws {
        try await queue.run(volume) {
            guard let record = try await records.record(of: volume) else { return try await body() }
            try await service.remove(name(volume), chapUser: record.chapUser)
            try await body()
            try await service.ensure(target(record))
        }
    }

    // MARK: Private

    private func name(_ volume: VolumeID) -> String { "\(namePrefix)volume-\(volume)" }

    /// The record goes last, so that a crash leaves something to repeat with.
    private func drop(_ record: ISCSIExport) async throws {
        try await service.remove(name(record.volume), chapUser: record.chapUser)
        try await records.remove(record.volume)
    }

    private func target(_ record: ISCSIExport) -> ISCSITarget {
        // A target lets a host in that fits either list, and anybody may claim a name: so only where there is no
        // address.
        let named = record.hosts.filter { !Self.isAddress($0.address) }
        return ISCSITarget(
            name: name(record.volume), path: path(record.object), chapUser: record.chapUser,
            chapPassword: record.chapPassword,
            addresses: Set(record.hosts.map(\.address).filter(Self.isAddress)),
            initiators: Set(named.compactMap(\.initiator).filter(Self.isInitiator)),
            isReadOnly: !record.hosts.isEmpty && record.hosts.allSatisfy(\.isReadOnly))
    }

    private static func isAddress(_ text: String) -> Bool { IPAddress(text) != nil }

    private static func isInitiator(_ text: String) -> Bool {
        ["iqn.", "eui.", "naa."].contains { text.hasPrefix($0) } && text.utf8.count <= 223
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || [UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":")].contains(byte)
            }
    }
}

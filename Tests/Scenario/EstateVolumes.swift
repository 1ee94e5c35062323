// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import HTTPKit
import TestKit
import Testing

/// Tenant A's block storage.
extension Estate {
    static let newestVolumes: HTTPHeaders = ["OpenStack-API-Version": "volume 3.71"]
    private static let root = "/volume/v3"
    /// Volumes by what they are for: each is A's, blank, of 1 GiB.
    private static let purposes = [
        "volume", "victim", "free", "attached", "kept", "given", "handed", "giving", "handing", "data", "next", "joining",
    ]

    mutating func fillVolumes() async throws {
        try await cloud.call(
            .put, "\(Self.root)/os-quota-sets/\(cloud.a.project)", cloud.admin,
            [
                "quota_set": [
                    "volumes": 60, "snapshots": 60, "backups": 60, "groups": 60, "gigabytes": 200,
                    "backup_gigabytes": 200,
                ]
            ], expecting: 200)
        try await fillVolumeTypes()
        try await fillGroupTypes()
        for name in Self.purposes { try await makeVolume(name, ["metadata": ["alpha": "alpha"]]) }
        try await makeMessage()
        try await volumesSettled()
        own("/volume {volume_id}", volume("volume"))
        samples["/compute/v2.1/os-volumes/{volume_id}"] = volume("volume")
        samples["\(Self.root)/volumes/{volume_id}/action {volume_id}"] = volume("victim")
        try await fillCopies()
        try await fillGroups()
        try await fillConnections()
        for (name, sample) in [
            ("{key}", "alpha"), ("{host}", TestCloud.backend), ("{cluster}", "none"), ("{alias}", "os-volume-transfer"),
            ("{quota_project}", cloud.a.project), ("{quota_class}", "default"), ("{default_project}", cloud.a.project),
        ] {
            samples["/volume \(name)"] = sample
        }
        for name in ["foreign", "strange"] { cloud.storage.addForeign(name, sizeGiB: 1) }
    }

    /// The id of the volume for a purpose.
    func volume(_ purpose: String) -> String { others["volume \(purpose)"] ?? "no volume" }

    private func make(
        _ path: String, _ key: String, _ fields: JSON, _ token: String? = nil
    ) async throws -> String {
        try await cloud.make(
            "\(Self.root)/\(path)", key, fields, token ?? cloud.a.member, headers: Self.newestVolumes)
    }

    private mutating func makeVolume(_ purpose: String, _ more: [String: JSON] = [:]) async throws {
        let fields: [String: JSON] = ["name": .string("alpha-\(purpose)"), "size": 1]
        let id = try await make("volumes", "volume", .object(fields.merging(more) { $1 }))
        others["volume \(purpose)"] = id
        secrets.insert(id)
    }

    private func volumesSettled() async throws {
        try await cloud.settled("volumes", cloud.a.member)
    }

    // MARK: Kinds

    private mutating func fillVolumeTypes() async throws {
        func type(_ name: String, _ specs: [String: JSON]) async throws -> String {
            let id = try await make(
                "types", "volume_type",
                [
                    "name": .string(name), "os-volume-type-access:is_public": false, "description": "alpha",
                    "extra_specs": .object(specs),
                ], cloud.admin)
            try await cloud.call(
                .post, "\(Self.root)/types/\(id)/action", cloud.admin,
                ["addProjectAccess": ["project": .string(cloud.a.project)]], expecting: 202)
            return id
        }
        let zones = "RESKEY:availability_zones"
        own("/volume {type_id}", try await type("alpha-type", [zones: "nova", "alpha": "alpha"]))
        samples["\(Self.root)/types/{type_id}/extra_specs/{key}"] = zones
        let (bare, sealed) = (try await type("alpha-bare", [:]), try await type("alpha-sealed", [:]))
        samples["\(Self.root)/types/{type_id}/encryption {type_id}"] = bare
        samples["\(Self.root)/types/{type_id}/encryption/{key} {type_id}"] = sealed
        samples["\(Self.root)/types/{type_id}/encryption/{key}"] = "cipher"
        samples["\(Self.root)/volumes/{volume_id}/encryption/{key}"] = "encryption_key_id"
        try await cloud.call(
            .post, "\(Self.root)/types/\(sealed)/encryption", cloud.admin,
            ["encryption": ["provider": "luks", "cipher": "aes-xts-plain64", "key_size": 256, "control_location": "front-end"]],
            expecting: 200)
        others["type used"] = try await type("alpha-used", [:])
        others["type nowhere"] = try await type("alpha-nowhere", ["volume_backend_name": "nowhere"])
        samples["/volume {qos_id}"] = try await make(
            "qos-specs", "qos_specs", ["name": "alpha-qos", "consumer": "front-end", "alpha": "1"], cloud.admin)
        try await cloud.call(
            .put, "\(Self.root)/default-types/\(cloud.a.project)", cloud.admin,
            ["default_type": ["volume_type": "__DEFAULT__"]], headers: Self.newestVolumes, expecting: 200)
    }

    private mutating func fillGroupTypes() async throws {
        own(
            "/volume {group_type_id}",
            try await make(
                "group_types", "group_type",
                ["name": "alpha-kind", "is_public": false, "group_specs": ["alpha": "alpha"]], cloud.admin))
        others["group type"] = try await make(
            "group_types", "group_type",
            ["name": "kind", "group_specs": ["consistent_group_snapshot_enabled": "<is> True"]], cloud.admin)
    }

    /// A volume that no backend can hold leaves word of it.
    private mutating func makeMessage() async throws {
        try await makeVolume("failed", ["volume_type": .string(others["type nowhere"] ?? "")])
        let (path, cloud) = ("\(Self.root)/messages", cloud)
        try await eventually("A message") {
            let messages = try await cloud.call(.get, path, cloud.a.member, headers: Self.newestVolumes)
            return messages["messages", "0", "id"]?.string != nil
        }
        let messages = try await cloud.call(.get, path, cloud.a.member, headers: Self.newestVolumes, expecting: 200)
        own("/volume {message_id}", try #require(messages["messages", "0", "id"]?.string))
    }

    // MARK: Copies

    private mutating func fillCopies() async throws {
        let (kept, cloud) = (JSON.string(volume("kept")), cloud)
        own(
            "/volume {snapshot_id}",
            try await make(
                "snapshots", "snapshot",
                ["name": "alpha-snapshot", "volume_id": .string(volume("volume")), "metadata": ["alpha": "alpha"]]))
        samples["/compute {snapshot_id}"] = self["/volume {snapshot_id}"]
        own(
            "/volume {backup_id}",
            try await make("backups", "backup", ["name": "alpha-backup", "volume_id": kept]))
        try await cloud.settled("snapshots", cloud.a.member)
        try await cloud.settled("backups", cloud.a.member)
        // The record of a backup that is there no more.
        let lost = try await make("backups", "backup", ["name": "alpha-lost", "volume_id": kept])
        try await cloud.settled("backups", cloud.a.member)
        let record = try await cloud.call(
            .get, "\(Self.root)/backups/\(lost)/export_record", cloud.admin, expecting: 200)
        others["backup service"] = record["backup-record", "backup_service"]?.string
        others["backup url"] = record["backup-record", "backup_url"]?.string
        try await cloud.call(.delete, "\(Self.root)/backups/\(lost)", cloud.a.member, expecting: 202)
        try await eventually("The backup goes") {
            try await cloud.call(.get, "\(Self.root)/backups/\(lost)", cloud.a.member).status == 404
        }
    }

    private mutating func fillGroups() async throws {
        func group(_ name: String) async throws -> String {
            try await make(
                "groups", "group",
                [
                    "name": .string(name), "group_type": .string(others["group type"] ?? ""),
                    "volume_types": ["__DEFAULT__"],
                ])
        }
        let group = (try await group("alpha-group"), try await group("alpha-empty"))
        own("/volume {group_id}", group.0)
        own("\(Self.root)/groups/{group_id}/action {group_id}", group.1)
        try await makeVolume("grouped", ["group_id": .string(group.0), "volume_type": "__DEFAULT__"])
        try await volumesSettled()
        own(
            "/volume {group_snapshot_id}",
            try await make("group_snapshots", "group_snapshot", ["name": "alpha-frozen", "group_id": .string(group.0)]))
        try await cloud.settled("group_snapshots", cloud.a.member)
    }

    // MARK: Connections

    private mutating func fillConnections() async throws {
        own(
            "/volume {attachment_id}",
            try await make("attachments", "attachment", ["volume_uuid": .string(volume("attached"))]))
        for (path, purpose) in [("os-volume-transfer", "given"), ("volume-transfers", "handed")] {
            let made = try await cloud.call(
                .post, "\(Self.root)/\(path)", cloud.a.member,
                ["transfer": ["volume_id": .string(volume(purpose)), "name": "alpha-gift"]], headers: Self.newestVolumes,
                expecting: 202)
            own("\(Self.root)/\(path)/{transfer_id}", try #require(made["transfer", "id"]?.string))
            others["key \(path)"] = made["transfer", "auth_key"]?.string
        }
        let data = volume("data")
        try await cloud.call(
            .post, "/compute/v2.1/servers/\(self["/compute {server_id}"])/os-volume_attachments", cloud.a.member,
            ["volumeAttachment": ["volumeId": .string(data)]], expecting: 200)
        own("/compute {volume_id}", data)
        try await cloud.waitUntil(volume: data, is: "in-use", cloud.a.member)
    }
}

extension TestCloud {
    /// Waits until nothing of a collection of Block Storage is on its way.
    func settled(
        _ collection: String, _ token: String, at location: SourceLocation = #_sourceLocation
    ) async throws {
        let path = "/volume/v3/\(collection)/detail"
        try await eventually("\(collection) settle") {
            let list = try await call(.get, path, token, headers: Estate.newestVolumes, expecting: 200, at: location)
            return (list[collection]?.array ?? []).allSatisfy { $0["status"]?.string?.hasSuffix("ing") == false }
        }
    }

    /// Nil: gone.
    func status(ofVolume id: String, _ token: String) async throws -> String? {
        let answer = try await call(.get, "/volume/v3/volumes/\(id)", token, headers: Estate.newestVolumes)
        return answer.status == 404 ? nil : answer["volume", "status"]?.string
    }

    func waitUntil(volume id: String, is status: String?, _ token: String) async throws {
        try await eventually("Volume \(id) \(status ?? "gone")") {
            let now = try await self.status(ofVolume: id, token)
            if let now, now.hasPrefix("error"), status?.hasPrefix("error") != true {
                throw CloudError(.bug, "the volume is in \(now)")
            }
            return now == status
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import BlockStorageCore
import TestKit
import Testing

/// Goal: types of volumes and of groups, their specifications, access, encryption and QoS behave as upstream's.
/// Method: calls through the router, as administrator and as user.
@Suite("Routes of volume types")
struct VolumeTypeRoutesTests {
    private func make(
        _ world: BlockStorageWorld, _ name: String, _ fields: [String: JSON] = [:]
    ) async throws -> String {
        let body = fields.merging(["name": .string(name)]) { first, _ in first }
        let answer = try await world.call(
            .post, "/types", ["volume_type": .object(body)], as: "admin", expecting: 200)
        return try #require(answer["volume_type", "id"]?.string)
    }

    @Test("a new cloud has one type, which is the default and stays")
    func defaultType() async throws {
        let world = try await BlockStorageWorld()
        let list = try await world.call(.get, "/types", expecting: 200)
        #expect(list["volume_types"]?.array?.count == 1)
        let shown = try await world.call(.get, "/types/default", expecting: 200)
        #expect(shown["volume_type", "name"] == "__DEFAULT__")
        #expect(shown["volume_type", "os-volume-type-access:is_public"] == true)
        let id = try #require(shown["volume_type", "id"]?.string)
        try await world.call(.delete, "/types/\(id)", as: "admin", expecting: 400)
        try await VolumeTypeEngine(world.parts).bootstrap()
        #expect(try await world.call(.get, "/types")["volume_types"]?.array?.count == 1)
    }

    @Test("administrators make, change and delete types; users see what they may")
    func lifecycle() async throws {
        let world = try await BlockStorageWorld()
        let body: JSON = ["volume_type": ["name": "fast", "extra_specs": ["multiattach": "<is> True", "secret": "x"]]]
        try await world.call(.post, "/types", body, expecting: 403)
        let id = try await make(world, "fast", ["extra_specs": ["multiattach": "<is> True", "secret": "x"]])
        try await world.call(.post, "/types", body, as: "admin", expecting: 409)
        let user = try await world.call(.get, "/types/\(id)", expecting: 200)
        #expect(user["volume_type", "extra_specs"] == ["multiattach": "<is> True"])
        #expect(user["volume_type"]?["qos_specs_id"] == nil)
        let admin = try await world.call(.get, "/types/\(id)", as: "admin", expecting: 200)
        #expect(admin["volume_type", "extra_specs", "secret"] == "x")
        #expect(admin["volume_type"]?["qos_specs_id"] == .null)
        let changed = try await world.call(
            .put, "/types/\(id)", ["volume_type": ["name": "faster", "description": "d", "is_public": false]],
            as: "admin", expecting: 200)
        #expect(changed["volume_type", "name"] == "faster")
        try await world.call(.put, "/types/\(id)", ["volume_type": [:]], as: "admin", expecting: 400)
        try await world.call(.get, "/types/\(id)", expecting: 404)
        #expect(try await world.call(.get, "/types?is_public=none", as: "admin")["volume_types"]?.array?.count == 2)
        #expect(try await world.call(.get, "/types", as: "admin")["volume_types"]?.array?.count == 1)
        try await world.call(.delete, "/types/\(id)", as: "admin", expecting: 202)
        try await world.call(.get, "/types/\(id)", as: "admin", expecting: 404)
    }

    @Test("a private type is for the projects that were given it")
    func access() async throws {
        let world = try await BlockStorageWorld()
        let id = try await make(world, "private", ["os-volume-type-access:is_public": false])
        try await world.call(.get, "/types/\(id)", expecting: 404)
        let add: JSON = ["addProjectAccess": ["project": "project-demo"]]
        try await world.call(.post, "/types/\(id)/action", add, expecting: 403)
        try await world.call(.post, "/types/\(id)/action", add, as: "admin", expecting: 202)
        try await world.call(.post, "/types/\(id)/action", add, as: "admin", expecting: 409)
        try await world.call(.get, "/types/\(id)", expecting: 200)
        try await world.call(.get, "/types/\(id)", as: "other", expecting: 404)
        let list = try await world.call(.get, "/types/\(id)/os-volume-type-access", as: "admin", expecting: 200)
        #expect(list["volume_type_access", "0", "project_id"] == "project-demo")
        let remove: JSON = ["removeProjectAccess": ["project": "project-demo"]]
        try await world.call(.post, "/types/\(id)/action", remove, as: "admin", expecting: 202)
        try await world.call(.post, "/types/\(id)/action", remove, as: "admin", expecting: 404)
        try await world.call(.get, "/types/\(id)", expecting: 404)
        let open = try await make(world, "open")
        try await world.call(.get, "/types/\(open)/os-volume-type-access", as: "admin", expecting: 404)
        try await world.call(.post, "/types/\(open)/action", add, as: "admin", expecting: 400)
    }

    @Test("specifications are added, read, changed and removed, until volumes rely on them")
    func extraSpecs() async throws {
        let world = try await BlockStorageWorld()
        let id = try await make(world, "typed")
        let path = "/types/\(id)/extra_specs"
        try await world.call(.post, path, ["extra_specs": ["a": "1", "b": "2"]], as: "admin", expecting: 200)
        #expect(try await world.call(.get, path, as: "admin", expecting: 200)["extra_specs", "b"] == "2")
        #expect(try await world.call(.get, path, expecting: 200)["extra_specs"] == [:])
        #expect(try await world.call(.put, path + "/a", ["a": "3"], as: "admin", expecting: 200)["a"] == "3")
        try await world.call(.put, path + "/a", ["b": "3"], as: "admin", expecting: 400)
        try await world.call(.post, path, ["extra_specs": ["no good": "1"]], as: "admin", expecting: 400)
        #expect(try await world.call(.get, path + "/a", as: "admin", expecting: 200)["a"] == "3")
        try await world.call(.get, path + "/a", expecting: 404)
        try await world.call(.delete, path + "/a", as: "admin", expecting: 202)
        try await world.call(.delete, path + "/a", as: "admin", expecting: 404)
        try await world.call(.delete, path + "/b", as: "admin", expecting: 202)
        try await world.run {
            _ = try await world.make(["size": 1, "volume_type": "typed"])
            try await world.call(.post, path, ["extra_specs": ["a": "1"]], as: "admin", expecting: 400)
            try await world.call(.delete, "/types/\(id)", as: "admin", expecting: 400)
        }
    }

    @Test("encryption is set once, changed and taken away")
    func encryption() async throws {
        let world = try await BlockStorageWorld()
        let id = try await make(world, "sealed")
        let path = "/types/\(id)/encryption"
        #expect(try await world.call(.get, path, as: "admin", expecting: 200).body == [:])
        let body: JSON = ["encryption": ["provider": "luks", "control_location": "front-end", "key_size": 256]]
        try await world.call(.post, path, body, expecting: 403)
        try await world.call(.post, path, ["encryption": ["provider": "luks"]], as: "admin", expecting: 400)
        let made = try await world.call(.post, path, body, as: "admin", expecting: 200)
        #expect(made["encryption", "volume_type_id"]?.string == id)
        let key = try #require(made["encryption", "encryption_id"]?.string)
        try await world.call(.post, path, body, as: "admin", expecting: 400)
        try await world.call(.put, path + "/" + key, ["encryption": ["key_size": 512]], as: "admin", expecting: 200)
        let shown = try await world.call(.get, path, as: "admin", expecting: 200)
        #expect(shown["key_size"] == 512)
        #expect(shown["provider"] == "luks")
        #expect(try await world.call(.get, path + "/provider", as: "admin", expecting: 200)["provider"] == "luks")
        try await world.call(.delete, path + "/" + key, as: "admin", expecting: 202)
        try await world.call(.delete, path + "/" + key, as: "admin", expecting: 404)
    }

    @Test("QoS specifications belong to types, and do not go while they do")
    func qos() async throws {
        let world = try await BlockStorageWorld()
        let type = try await make(world, "limited")
        let body: JSON = ["qos_specs": ["name": "gold", "consumer": "front-end", "total_iops_sec": 500]]
        try await world.call(.post, "/qos-specs", body, expecting: 403)
        let made = try await world.call(.post, "/qos-specs", body, as: "admin", expecting: 200)
        let id = try #require(made["qos_specs", "id"]?.string)
        #expect(made["qos_specs", "specs"] == ["total_iops_sec": "500"])
        #expect(made["qos_specs", "consumer"] == "front-end")
        try await world.call(.post, "/qos-specs", body, as: "admin", expecting: 409)
        try await world.call(
            .post, "/qos-specs", ["qos_specs": ["name": "x", "consumer": "nobody"]], as: "admin", expecting: 400)
        let one = "/qos-specs/\(id)"
        let update: JSON = ["qos_specs": ["read_iops_sec": "5"]]
        #expect(try await world.call(.put, one, update, as: "admin", expecting: 200).body == update)
        try await world.call(.put, one + "/delete_keys", ["keys": ["read_iops_sec"]], as: "admin", expecting: 202)
        try await world.call(.put, one + "/delete_keys", ["keys": ["read_iops_sec"]], as: "admin", expecting: 404)
        try await world.call(.get, one + "/associate", as: "admin", expecting: 400)
        try await world.call(.get, one + "/associate?vol_type_id=\(type)", as: "admin", expecting: 202)
        let found = try await world.call(.get, one + "/associations", as: "admin", expecting: 200)
        #expect(found["qos_associations", "0", "name"] == "limited")
        #expect(try await world.call(.get, "/types/\(type)", as: "admin")["volume_type", "qos_specs_id"]?.string == id)
        try await world.call(.delete, one, as: "admin", expecting: 400)
        try await world.call(.get, one + "/disassociate?vol_type_id=\(type)", as: "admin", expecting: 202)
        #expect(try await world.call(.get, one + "/associations", as: "admin")["qos_associations"] == [])
        try await world.call(.get, one + "/associate?vol_type_id=\(type)", as: "admin", expecting: 202)
        try await world.call(.get, one + "/disassociate_all", as: "admin", expecting: 202)
        try await world.call(.get, one + "/associate?vol_type_id=\(type)", as: "admin", expecting: 202)
        try await world.call(.delete, one + "?force=True", as: "admin", expecting: 202)
        try await world.call(.get, one, as: "admin", expecting: 404)
        #expect(try await world.call(.get, "/types/\(type)", as: "admin")["volume_type", "qos_specs_id"] == .null)
    }

    @Test("limits of the front end grow with the volume where they say so")
    func limits() {
        var specs = QoSSpecs(
            id: QoSSpecsID("q"), name: "q", consumer: .both,
            specs: ["read_iops_sec": "100", "total_bytes_sec_per_gb": "10", "total_bytes_sec_per_gb_min": "50"],
            createdAt: Timestamp(seconds: 0))
        #expect(specs.limits(sizeGiB: 2)?.totalBytesPerSecond == 50)
        #expect(specs.limits(sizeGiB: 8)?.totalBytesPerSecond == 80)
        #expect(specs.limits(sizeGiB: 8)?.readOperationsPerSecond == 100)
        specs.consumer = .backEnd
        #expect(specs.limits(sizeGiB: 8) == nil)
    }

    @Test("a project's default type is an administrator's choice")
    func projectDefault() async throws {
        let world = try await BlockStorageWorld()
        let id = try await make(world, "own")
        let path = "/default-types/project-demo"
        let body: JSON = ["default_type": ["volume_type": "own"]]
        try await world.call(.put, path, body, expecting: 403)
        try await world.call(.get, path, as: "admin", expecting: 404)
        let set = try await world.call(.put, path, body, as: "admin", expecting: 200)
        #expect(set["default_type", "volume_type_id"]?.string == id)
        try await world.call(
            .put, path, ["default_type": ["volume_type": "none"]], as: "admin", expecting: 400)
        #expect(try await world.call(.get, "/types/default")["volume_type", "name"] == "own")
        #expect(try await world.call(.get, "/types/default", as: "other")["volume_type", "name"] == "__DEFAULT__")
        #expect(try await world.call(.get, "/default-types", as: "admin")["default_types"]?.array?.count == 1)
        try await world.call(.delete, "/types/\(id)", as: "admin", expecting: 400)
        try await world.call(.delete, path, as: "admin", expecting: 204)
        try await world.call(.get, path, as: "admin", version: "3.61", expecting: 404)
        #expect(try await world.call(.get, "/types/default")["volume_type", "name"] == "__DEFAULT__")
    }

    @Test("lists have pages, in the order that is asked for, and refuse what they do not offer")
    func pages() async throws {
        let world = try await BlockStorageWorld()
        for name in ["a", "b", "c"] { _ = try await make(world, name) }
        let first = try await world.call(.get, "/types?sort=name:asc&limit=2", expecting: 200)
        let names = first["volume_types"]?.array?.compactMap { $0["name"]?.string }
        #expect(names == ["__DEFAULT__", "a"])
        let next = try #require(first["volume_type_links", "0", "href"]?.string)
        let query = try #require(next.split(separator: "?").last)
        #expect(next.hasPrefix(BlockStorageWorld.origin + "/volume/v3/project-demo/types?"))
        let second = try await world.call(.get, "/types?\(query)", expecting: 200)
        #expect(second["volume_types"]?.array?.compactMap { $0["name"]?.string } == ["b", "c"])
        try await world.call(.get, "/types?limit=-1", expecting: 400)
        try await world.call(.get, "/types?sort=nothing", expecting: 400)
        try await world.call(.get, "/types?sort=name:asc&sort_key=name", expecting: 400)
        try await world.call(.get, "/types?marker=none", expecting: 404)
        try await world.call(.get, "/types?foo=1", expecting: 400)
        try await world.call(.get, "/types?foo=1", version: "3.0", expecting: 200)
    }

    @Test("group types have specifications, too")
    func groupTypes() async throws {
        let world = try await BlockStorageWorld()
        let body: JSON = ["group_type": ["name": "crew", "group_specs": ["a": "1"]]]
        try await world.call(.post, "/group_types", body, expecting: 403)
        try await world.call(.post, "/group_types", body, as: "admin", version: "3.10", expecting: 404)
        let made = try await world.call(.post, "/group_types", body, as: "admin", expecting: 202)
        let id = try #require(made["group_type", "id"]?.string)
        try await world.call(.post, "/group_types", body, as: "admin", expecting: 409)
        #expect(try await world.call(.get, "/group_types/\(id)", expecting: 200)["group_type"]?["group_specs"] == nil)
        let specs = "/group_types/\(id)/group_specs"
        try await world.call(.post, specs, ["group_specs": ["b": "2"]], as: "admin", expecting: 202)
        #expect(try await world.call(.get, specs, as: "admin")["group_specs"] == ["a": "1", "b": "2"])
        #expect(try await world.call(.put, specs + "/b", ["b": "3"], as: "admin", expecting: 200)["b"] == "3")
        #expect(try await world.call(.get, specs + "/b", as: "admin", expecting: 200)["b"] == "3")
        try await world.call(.delete, specs + "/b", as: "admin", expecting: 202)
        try await world.call(.get, specs + "/b", as: "admin", expecting: 404)
        let changed = try await world.call(
            .put, "/group_types/\(id)", ["group_type": ["name": "new", "is_public": false]], as: "admin",
            expecting: 200)
        #expect(changed["group_type", "name"] == "new")
        try await world.call(.get, "/group_types/\(id)", expecting: 404)
        try await world.call(.get, "/group_types/default", expecting: 404)
        try await world.call(.delete, "/group_types/\(id)", as: "admin", expecting: 202)
    }
}

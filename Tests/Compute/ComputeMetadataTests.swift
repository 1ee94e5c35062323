// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import Testing

/// Goal: a guest learns of itself what upstream's metadata service tells, by network and by config drive alike.
@Suite("Compute's metadata")
struct ComputeMetadataTests {
    private static let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me"

    private func boot(_ world: ComputeWorld) async throws -> ServerID {
        try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "mine", "public_key": .string(Self.key)]], expecting: 200)
        return ServerID(
            try await world.boot(
                "web one",
                [
                    "key_name": "mine", "user_data": "IyEvYmluL3NoCg==", "metadata": ["role": "web"],
                    "config_drive": true,
                    "adminPass": "secret", "personality": [["path": "/etc/motd", "contents": "aGk="]],
                ]))
    }

    private func text(_ answer: MetadataAnswer?) throws -> String {
        String(decoding: try #require(answer).body, as: UTF8.self)
    }

    @Test("EC2's tree lists and answers")
    func ec2() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let (id, engine) = (try await boot(world), MetadataEngine(world.parts))
            func get(_ path: String) async throws -> String {
                try text(try await engine.metadata(of: id, in: "project-demo", path: path))
            }
            #expect(try await get("/").hasSuffix("2009-04-04\nlatest"))
            #expect(try await get("/latest") == "meta-data/\nuser-data")
            #expect(try await get("/latest/meta-data/").contains("placement/\npublic-hostname"))
            #expect(try await get("/latest/meta-data/hostname") == "web-one.novalocal")
            #expect(try await get("/latest/meta-data/instance-id") == "i-00000001")
            #expect(try await get("/latest/meta-data/local-ipv4") == "10.0.0.11")
            #expect(try await get("/latest/meta-data/public-keys/") == "0=mine")
            #expect(try await get("/latest/meta-data/public-keys/0") == "openssh-key")
            #expect(try await get("/latest/meta-data/public-keys/0/openssh-key") == Self.key)
            #expect(try await get("/2009-04-04/meta-data/instance-type") == "m1.tiny")
            #expect(try await get("/latest/user-data") == "#!/bin/sh\n")
            #expect(try await !get("/1.0/meta-data/").contains("placement"))
            for path in ["/latest/nothing", "/2001-01-01/meta-data", "/latest/meta-data/hostname/x", "/latest/../x"] {
                #expect(try await engine.metadata(of: id, in: "project-demo", path: path) == nil, "\(path)")
            }
            #expect(try await engine.metadata(of: "none", in: "project-demo", path: "/latest/meta-data") == nil)
            // A port of another project that names this server's id.
            #expect(try await engine.metadata(of: id, in: "project-other", path: "/latest/user-data") == nil)
        }
    }

    @Test("OpenStack's documents")
    func openStack() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let (id, engine) = (try await boot(world), MetadataEngine(world.parts))
            func get(_ path: String) async throws -> String {
                try text(try await engine.metadata(of: id, in: "project-demo", path: path))
            }
            #expect(try await get("/openstack").hasPrefix("2012-08-10\n"))
            #expect(try await get("/openstack/2012-08-10") == "meta_data.json\nuser_data")
            #expect(try await get("/openstack/latest").hasSuffix("network_data.json\nvendor_data2.json"))
            let data = try JSONReader.read(try await get("/openstack/latest/meta_data.json"))
            #expect(data["uuid"]?.string == id.rawValue)
            #expect(data["meta"] == ["role": "web"])
            #expect(data["hostname"] == "web-one.novalocal")
            #expect(data["name"] == "web one")
            #expect(data["public_keys"] == ["mine": .string(Self.key)])
            #expect(data["random_seed"]?.string?.count == 684)
            #expect(data["admin_pass"] == nil)
            let old = try JSONReader.read(try await get("/openstack/2012-08-10/meta_data.json"))
            #expect(old["random_seed"] == nil && old["project_id"] == nil)
            let network = try JSONReader.read(try await get("/openstack/latest/network_data.json"))
            #expect(network["links"]?.array?.first?["type"] == "ovs")
            #expect(network["networks"]?.array?.first?["type"] == "ipv4_dhcp")
            #expect(network["services"] == [["address": "10.0.0.2", "type": "dns"]])
            #expect(try await get("/openstack/latest/password") == "")
        }
    }

    @Test("a guest tells its password once, and its owner reads and clears it")
    func password() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let (id, engine) = (try await boot(world), MetadataEngine(world.parts))
            let path = "/openstack/latest/password"
            func keep(_ text: String, _ path: String, in project: ProjectID = "project-demo") async throws -> Bool {
                try await engine.keepPassword(Array(text.utf8), of: id, in: project, path: path)
            }
            #expect(try await !keep("x", "/openstack/2012-08-10/password"))
            #expect(try await !keep("x", "/openstack/latest/meta_data.json"))
            #expect(try await !keep("x", "/latest/password"))
            #expect(try await !keep("x", path, in: "project-other"))
            let long = String(repeating: "x", count: MetadataEngine.maximumPasswordBytes + 1)
            await #expect(throws: CloudError.self) { try await keep(long, path) }
            await #expect(throws: CloudError.self) {
                try await engine.keepPassword([0xFF], of: id, in: "project-demo", path: path)
            }
            #expect(try await keep("c2VhbGVk", path))
            await #expect(throws: CloudError.self) { try await keep("again", "/openstack/2013-04-04/password") }
            #expect(try text(try await engine.metadata(of: id, in: "project-demo", path: path)) == "c2VhbGVk")
            let own = "/servers/\(id)/os-server-password"
            try await world.call(.get, own, as: "other", expecting: 404)
            #expect(try await world.call(.get, own, expecting: 200)["password"] == "c2VhbGVk")
            try await world.call(.delete, own, expecting: 204)
            #expect(try await world.call(.get, own, expecting: 200)["password"] == "")
            #expect(try await keep("bmV3", path))
        }
    }

    @Test("the config drive has the same, and the password and files that the network never shows")
    func configDrive() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await boot(world)
            let drive = try #require(world.hypervisor.inventory[id]?.specification.configDrive)
            let files = Dictionary(drive.map { ($0.path, $0.content) }, uniquingKeysWith: { first, _ in first })
            #expect(files.count == drive.count)
            let data = try JSONReader.read(try #require(files["openstack/latest/meta_data.json"]))
            #expect(data["admin_pass"] == "secret")
            #expect(data["files"] == [["content_path": "/content/0000", "path": "/etc/motd"]])
            #expect(files["openstack/content/0000"] == Array("hi".utf8))
            #expect(files["openstack/latest/user_data"] == Array("#!/bin/sh\n".utf8))
            #expect(files["openstack/2018-08-27/network_data.json"] != nil)
            let ec2 = try JSONReader.read(try #require(files["ec2/latest/meta-data.json"]))
            #expect(ec2["public-keys"]?["0"]?["openssh-key"]?.string == Self.key)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import TestKit
import Testing

/// What operators and services ask of Compute, and what flavors and keys may be.
@Suite("Operation of Compute")
struct ComputeOperationTests {
    @Test("diagnostics of a running guest, in upstream's two shapes")
    func diagnostics() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            let path = "/servers/\(id)/diagnostics"
            try await world.call(.get, path, expecting: 403)
            try await world.call(.get, path, as: "other", expecting: 404)
            let old = try await world.call(.get, path, as: "admin", version: "2.47", expecting: 200)
            #expect(old["cpu0_time"] == 1_000_000_000)
            #expect(old["memory"] == 524_288)
            let new = try await world.call(.get, path, as: "admin", version: "2.48", expecting: 200)
            #expect(new["state"] == "running")
            #expect(new["driver"] == "libvirt")
            #expect(new["num_cpus"] == 1)
            #expect(new["num_nics"] == 1)
            #expect(new["memory_details"] == ["maximum": 512, "used": 512])
            #expect(new["nic_details", "0", "rx_rate"] == .null)
            try await world.call(.post, "/servers/\(id)/action", ["os-stop": nil], expecting: 202)
            try await world.settled(id)
            try await world.call(.get, path, as: "admin", version: "2.48", expecting: 409)
            try await world.call(.get, "/servers/\(id)/topology", version: "2.77", expecting: 404)
            let topology = try await world.call(.get, "/servers/\(id)/topology", version: "2.78", expecting: 200)
            #expect(topology.body == ["nodes": [], "pagesize_kb": .null])
        }
    }

    @Test("there are no shared file systems, and a server that runs could take none")
    func shares() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let path = "/servers/\(try await world.boot())/shares"
            let body: JSON = ["share": ["share_id": "66666666-6666-4666-8666-666666666666"]]
            try await world.call(.get, path, version: "2.96", expecting: 404)
            #expect(try await world.call(.get, path, version: "2.97", expecting: 200)["shares"] == [])
            try await world.call(.post, path, body, version: "2.97", expecting: 409)
            try await world.call(.post, path, ["share": ["share_id": "x"]], version: "2.97", expecting: 400)
            try await world.call(.get, path + "/x", version: "2.97", expecting: 404)
            try await world.call(.get, path, as: "other", version: "2.97", expecting: 404)
        }
    }

    @Test("hosts as they were shown until 2.42, and which of them have audited usage")
    func hosts() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            _ = try await world.boot()
            try await world.call(.get, "/os-hosts", expecting: 403)
            let hosts = try await world.call(.get, "/os-hosts", as: "admin", version: "2.42", expecting: 200)
            #expect(hosts["hosts"]?.array?.count == 3)
            let here = try await world.call(.get, "/os-hosts?zone=nova", as: "admin")
            #expect(here["hosts"] == [["host_name": "node-1", "service": "compute", "zone": "nova"]])
            #expect(try await world.call(.get, "/os-hosts?zone=none", as: "admin")["hosts"] == [])
            let shown = try await world.call(.get, "/os-hosts/node-1", as: "admin", expecting: 200)
            #expect(shown["host", "0", "resource", "project"] == "(total)")
            #expect(shown["host", "2", "resource", "memory_mb"] == 512)
            #expect(shown["host", "3", "resource", "project"] == "project-demo")
            try await world.call(.get, "/os-hosts/none", as: "admin", expecting: 404)
            try await world.call(.put, "/os-hosts/node-1", ["status": "off"], as: "admin", expecting: 400)
            try await world.call(.put, "/os-hosts/node-1", [:], as: "admin", expecting: 400)
            try await world.call(.put, "/os-hosts/none", ["status": "enable"], as: "admin", expecting: 404)
            try await world.call(.get, "/os-hosts/none/reboot", as: "admin", expecting: 404)
            try await world.call(.get, "/os-hosts", as: "admin", version: "2.43", expecting: 404)
            let log = "/os-instance_usage_audit_log"
            try await world.call(.get, log, expecting: 403)
            let all = try await world.call(.get, log, as: "admin", expecting: 200)
            #expect(all["instance_usage_audit_logs", "hosts_not_run"] == ["node-1"])
            let before = try await world.call(
                .get, log + "/2026-01-15%252010%253A00%253A00", as: "admin", expecting: 200)
            #expect(before["instance_usage_audit_log", "period_beginning"] == "2025-12-01 00:00:00")
            #expect(before["instance_usage_audit_log", "period_ending"] == "2026-01-01 00:00:00")
            try await world.call(.get, log + "/invalid_time", as: "admin", expecting: 400)
        }
    }

    @Test("an aggregate's hosts fetch images ahead; what an aggregate refuses has upstream's status")
    func aggregates() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            try await world.call(.get, "/os-aggregates/-1", as: "admin", expecting: 404)
            try await world.call(.get, "/os-aggregates/x", as: "admin", expecting: 400)
            let made = try await world.call(
                .post, "/os-aggregates", ["aggregate": ["name": "rack"]], as: "admin", expecting: 200)
            let path = "/os-aggregates/\(try #require(made["aggregate", "id"]?.int))"
            let body: JSON = ["cache": [["id": .string(ComputeWorld.image)]]]
            try await world.call(.post, path + "/images", body, as: "admin", version: "2.80", expecting: 404)
            try await world.call(.post, path + "/images", body, as: "admin", version: "2.81", expecting: 400)
            try await world.call(
                .post, path + "/action", ["add_host": ["host": "node-1"]], as: "admin", expecting: 200)
            try await world.call(.post, path + "/images", body, version: "2.81", expecting: 403)
            let twice: JSON = ["cache": [["id": .string(ComputeWorld.image)], ["id": .string(ComputeWorld.image)]]]
            try await world.call(.post, path + "/images", twice, as: "admin", version: "2.81", expecting: 400)
            try await world.call(.post, path + "/images", body, as: "admin", version: "2.81", expecting: 202)
            try await eventually { world.hypervisor.cachedImages == [ComputeWorld.image] }
            _ = try await world.boot()
            try await world.call(
                .put, path, ["aggregate": ["availability_zone": "east"]], as: "admin", expecting: 400)
        }
    }

    @Test("an event is told its own status")
    func events() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            func event(_ name: String, _ server: String, _ tag: String? = nil) -> JSON {
                var fields: [String: JSON] = ["name": .string(name), "server_uuid": .string(server)]
                if let tag { fields["tag"] = .string(tag) }
                return .object(fields)
            }
            let nobody = "99999999-9999-4999-8999-999999999999"
            let path = "/os-server-external-events"
            let good = try await world.call(
                .post, path, ["events": [event("network-changed", id)]], as: "admin", expecting: 200)
            #expect(good["events", "0", "code"] == 200)
            let mixed = try await world.call(
                .post, path,
                [
                    "events": [
                        event("network-changed", nobody), event("volume-extended", id), event("power-update", id, "x"),
                    ]
                ],
                as: "admin", version: "2.76", expecting: 207)
            #expect(mixed["events"]?.array?.map { $0["code"] } == [404, 400, 200])
            #expect(mixed["events", "0", "status"] == "failed")
            try await world.call(
                .post, path, ["events": [event("volume-extended", id, "v")]], as: "admin", version: "2.50",
                expecting: 400)
            try await world.call(.post, path, ["events": [event("network-changed", id)]], expecting: 403)
        }
    }

    @Test("usage by pages from 2.40 on")
    func usage() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let ids = [try await world.boot("a"), try await world.boot("b")]
            let path = "/os-simple-tenant-usage/project-demo?start=2020-01-01T00:00:00"
            let whole = try await world.call(.get, path, version: "2.39", expecting: 200)
            #expect(whole["tenant_usage", "server_usages"]?.array?.count == 2)
            #expect(whole["tenant_usage_links"] == nil)
            let first = try await world.call(.get, path + "&limit=1", version: "2.40", expecting: 200)
            #expect(first["tenant_usage", "server_usages", "0", "instance_id"]?.string == ids[0])
            #expect(first["tenant_usage_links", "0", "rel"] == "next")
            let second = try await world.call(.get, path + "&limit=2&marker=\(ids[0])", version: "2.40", expecting: 200)
            #expect(second["tenant_usage", "server_usages", "0", "instance_id"]?.string == ids[1])
            #expect(second["tenant_usage_links"] == nil)
            try await world.call(.get, path + "&marker=none", version: "2.40", expecting: 400)
            try await world.call(.get, path + "&x=1", version: "2.75", expecting: 400)
            let all = try await world.call(
                .get, "/os-simple-tenant-usage?start=2020-01-01T00:00:00.5&detailed=1", as: "admin", expecting: 200)
            #expect(all["tenant_usages", "0", "tenant_id"] == "project-demo")
            try await world.call(.get, "/os-simple-tenant-usage?start=2020", as: "admin", expecting: 400)
            try await world.call(
                .get, "/os-simple-tenant-usage?start=2020-01-02T00:00:00&end=2020-01-01T00:00:00", as: "admin",
                expecting: 400)
        }
    }

    @Test("limits of one user are within those of the project, and hold")
    func userQuotas() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let path = "/os-quota-sets/project-demo"
            let user = path + "?user_id=user-demo"
            try await world.call(.put, path, ["quota_set": ["instances": 5]], as: "admin", expecting: 200)
            try await world.call(.put, user, ["quota_set": ["instances": 6]], as: "admin", expecting: 400)
            try await world.call(.put, user, ["quota_set": ["instances": -1]], as: "admin", expecting: 400)
            let set = try await world.call(.put, user, ["quota_set": ["instances": 1]], as: "admin", expecting: 200)
            #expect(set["quota_set", "instances"] == 1)
            #expect(try await world.call(.get, user)["quota_set", "instances"] == 1)
            #expect(try await world.call(.get, path)["quota_set", "instances"] == 5)
            // What users have been given, the project keeps.
            try await world.call(.put, path, ["quota_set": ["instances": 0]], as: "admin", expecting: 400)
            _ = try await world.boot()
            try await world.call(.post, "/servers", ComputeWorld.server("two"), expecting: 403)
            #expect(
                try await world.call(.get, "/os-quota-sets/project-demo/detail?user_id=user-demo")[
                    "quota_set", "instances"] == ["in_use": 1, "limit": 1, "reserved": 0])
            try await world.call(.delete, user, as: "admin", expecting: 202)
            #expect(try await world.call(.get, user)["quota_set", "instances"] == 5)
            _ = try await world.boot("two")
            try await world.call(.get, user + "&x=1", version: "2.75", expecting: 400)
            try await world.call(.get, "/os-quota-sets/missing", as: "admin", expecting: 400)
            try await world.call(.put, "/os-quota-sets/missing", ["quota_set": [:]], as: "admin", expecting: 400)
            let gold = "/os-quota-class-sets/gold"
            try await world.call(.put, gold, ["quota_class_set": ["instances": 7]], as: "admin", expecting: 200)
            let shown = try await world.call(.get, gold, as: "admin", version: "2.50", expecting: 200)
            #expect(shown["quota_class_set", "instances"] == 7)
            #expect(shown["quota_class_set", "server_groups"] == 10)
            #expect(shown["quota_class_set", "floating_ips"] == nil)
            #expect(try await world.call(.get, gold, as: "admin")["quota_class_set", "server_groups"] == nil)
            #expect(try await world.call(.get, path + "/defaults")["quota_set", "instances"] == 100)
        }
    }

    @Test("certificates are keys for those who cannot use ssh")
    func certificates() async throws {
        let world = try await ComputeWorld()
        let made = try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "win", "type": "x509"]], version: "2.2", expecting: 201)
        let certificate = try #require(made["keypair", "public_key"]?.string)
        #expect(certificate.hasPrefix("-----BEGIN CERTIFICATE-----"))
        #expect(made["keypair", "fingerprint"]?.string?.count == 59)
        #expect(made["keypair", "private_key"]?.string?.isEmpty == false)
        #expect(try await world.call(.get, "/os-keypairs/win", version: "2.2")["keypair", "type"] == "x509")
        let again = try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "same", "type": "x509", "public_key": .string(certificate)]],
            version: "2.92", expecting: 201)
        #expect(again["keypair", "fingerprint"] == made["keypair", "fingerprint"])
        #expect(again["keypair", "private_key"] == nil)
        try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "bad", "type": "x509", "public_key": "ssh-rsa AAAA"]],
            version: "2.2", expecting: 400)
        try await world.call(
            .post, "/os-keypairs", ["keypair": ["name": "old", "type": "x509"]], version: "2.1", expecting: 400)
    }

    @Test("who may use a flavor: public ones have a list until 2.6; projects must be there")
    func flavorAccess() async throws {
        let world = try await ComputeWorld()
        func add(_ project: String) -> JSON { ["addTenantAccess": ["tenant": .string(project)]] }
        try await world.call(
            .post, "/flavors/1/action", add("project-demo"), as: "admin", version: "2.7", expecting: 409)
        try await world.call(
            .post, "/flavors/1/action", add("project-demo"), as: "admin", version: "2.6", expecting: 200)
        try await world.call(.post, "/flavors/1/action", add("missing"), as: "admin", expecting: 400)
        try await world.call(
            .post, "/flavors/1/action", ["removeTenantAccess": ["tenant": "missing"]], as: "admin", expecting: 404)
    }

    @Test(
        "from 2.86 on extra specs must mean something",
        arguments: [
            ("hw:cpu_policy", "dedicated", true), ("hw:cpu_policy", "sharrred", false),
            ("hw:cpu_polic", "shared", false),
            ("mine", "x", true), ("mine:too", "x", true), ("hw:numa_cpus.0", "0-3,^2", true),
            ("hw:numa_cpus.a", "0", false),
            ("hw:numa_mem.1", "0", false), ("hw:mem_page_size", "2MB", true), ("hw:mem_page_size", "big", false),
            ("quota:disk_read_bytes_sec", "1", true), ("quota:disk_read_bytes", "1", false),
            ("quota:vif_inbound_peak", "-1", false), ("quota:cpu_quota", "-1", true), ("resources:VCPU", "2", true),
            ("resources1:CUSTOM_A", "2", true), ("resources:NOTHING", "2", false), ("trait:CUSTOM_A", "required", true),
            ("trait:HW_CPU_X86_VMX", "wanted", false), ("hw_rng:allowed", "True", true),
            ("hw_rng:allowed", "perhaps", false),
            ("capabilities:cpu_info:features", "x", true), ("capabilities:none", "x", false),
            ("aggregate_instance_extra_specs:ssd", "true", true), ("pci_passthrough:alias", "a1:2,b1:1", true),
            ("pci_passthrough:alias", "a1", false), ("group_policy", "none", true), ("group_policy", "any", false),
            ("hw:redirected_usb_ports", "16", false), ("os:secure_boot", "required", true),
        ] as [(String, String, Bool)])
    func extraSpecs(_ name: String, _ value: String, _ isGood: Bool) {
        #expect((ExtraSpecRules.refusal(name, value) == nil) == isGood)
    }

    @Test("the API checks extra specs in the versions that do")
    func extraSpecVersions() async throws {
        let world = try await ComputeWorld()
        let body: JSON = ["extra_specs": ["hw:cpu_polic": "shared"]]
        try await world.call(.post, "/flavors/1/os-extra_specs", body, as: "admin", version: "2.86", expecting: 400)
        try await world.call(.post, "/flavors/1/os-extra_specs", body, as: "admin", version: "2.85", expecting: 200)
        try await world.call(
            .put, "/flavors/1/os-extra_specs/hw:cpu_policy", ["hw:cpu_policy": "x"], as: "admin", version: "2.86",
            expecting: 400)
    }

    @Test("hints: a query counts where the operator lets it; nearness is refused")
    func hints() async throws {
        let world = try await ComputeWorld { $0.allowsHostQueries = true }
        try await world.run {
            func body(_ hints: JSON) -> JSON {
                guard case .object(var fields) = ComputeWorld.server() else { return nil }
                fields["os:scheduler_hints"] = hints
                return .object(fields)
            }
            try await world.call(.post, "/servers", body(["build_near_host_ip": "10.0.0.1"]), expecting: 400)
            try await world.call(.post, "/servers", body(["query": "no query"]), expecting: 400)
            try await world.call(.post, "/servers", body(["query": #"["exec", 1]"#]), expecting: 400)
            for (query, status) in [(#"[">=","$vcpus_total",1]"#, "ACTIVE"), (#"["<","$vcpus_total",1]"#, "ERROR")] {
                let made = try await world.call(.post, "/servers", body(["query": .string(query)]), expecting: 202)
                let id = try #require(made["server", "id"]?.string)
                try await world.settled(id)
                #expect(try await world.status(id) == status, "\(query)")
            }
        }
    }

    @Test(
        "queries over hosts",
        arguments: [
            (#"["and",[">=","$a",2],["<","$a",4]]"#, true), (#"["or",["=","$a",1],["=","$b","x"]]"#, true),
            (#"["not",["=","$a",3]]"#, false), (#"["in","$b","x","y"]"#, true), (#"["in","$b","y"]"#, false),
            (#"["=","$none",1]"#, false), (#"["=","$a"]"#, false), (#"[">","$b",1]"#, false), ("[]", true),
        ] as [(String, Bool)])
    func queries(_ text: String, _ isMet: Bool) throws {
        let variables: HostQuery.Variables = { ["a": .int(3), "b": .string("x")][$0] }
        #expect(HostQuery.isMet(try HostQuery.read(text), by: variables) == isMet)
    }

    @Test("from 2.102 on no parameter is ignored; flavors are found by name")
    func strictQueries() async throws {
        let world = try await ComputeWorld()
        for path in ["/os-availability-zone", "/extensions", "/flavors/1", "/flavors/1/os-extra_specs", "/os-server-groups"] {
            try await world.call(.get, path, version: "2.102", expecting: 200)
            try await world.call(.get, path + "?x=1", version: "2.74", expecting: 200)
            try await world.call(.get, path + "?x=1", version: "2.102", expecting: 400)
        }
        let found = try await world.call(.get, "/flavors?name=small", version: "2.102", expecting: 200)
        #expect(found["flavors"]?.array?.count == 1)
        try await world.call(.get, "/flavors?name=small", version: "2.101", expecting: 400)
        #expect(try await world.call(.get, "/flavors?name=small", version: "2.74")["flavors"]?.array?.count == 5)
        try await world.call(.get, "/flavors?sort_key=rxtx_factor", version: "2.102", expecting: 400)
    }

    @Test("servers that boot from volumes have a second name until 2.102")
    func volumesBoot() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let id = try await world.boot()
            #expect(try await world.call(.get, "/os-volumes_boot/\(id)", expecting: 200)["server", "id"]?.string == id)
            #expect(
                try await world.call(.get, "/os-volumes_boot/detail", version: "2.102")["servers"]?.array?.count == 1)
            try await world.call(.post, "/os-volumes_boot/\(id)/action", ["lock": nil], expecting: 202)
            try await world.call(.get, "/os-volumes_boot", version: "2.103", expecting: 404)
        }
    }

    @Test("snapshots that a host is asked for: accepted, and Block Storage hears that there is none")
    func assistedSnapshots() async throws {
        let world = try await ComputeWorld()
        try await world.run {
            let volume = world.volumes.add()
            let snapshot = "66666666-6666-4666-8666-666666666666"
            let path = "/os-assisted-volume-snapshots"
            let body: JSON = [
                "snapshot": [
                    "volume_id": .string(volume.rawValue),
                    "create_info": ["snapshot_id": .string(snapshot), "type": "qcow2", "new_file": "new"],
                ]
            ]
            try await world.call(.post, path, body, expecting: 403)
            try await world.call(.post, path, body, as: "admin", expecting: 400)
            _ = try await world.boot("one", world.attached(volume))
            let made = try await world.call(.post, path, body, as: "admin", expecting: 200)
            #expect(made["snapshot"] == ["id": .null, "volumeId": .string(volume.rawValue)])
            #expect(world.neighbours.calls.last?.path.hasSuffix("/snapshots/\(snapshot)/action") == true)
            let info = #"%7B%22volume_id%22%3A%22\#(volume.rawValue)%22%7D"#
            try await world.call(.delete, "\(path)/None?delete_info=\(info)", as: "admin", expecting: 204)
            try await world.call(.delete, "\(path)/None?delete_info=x", as: "admin", expecting: 400)
            try await world.call(.delete, "\(path)/None", as: "admin", expecting: 400)
        }
    }
}

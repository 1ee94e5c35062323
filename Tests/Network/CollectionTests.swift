// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkCore
import Testing

/// Goal: lists are filtered, sorted, paged and trimmed as clients expect; tags, quotas, revisions work on any object.
@Suite("Collections")
struct CollectionTests {
    @Test("pages forward and back, by links, in any order")
    func paging() async throws {
        let world = try await NetworkWorld()
        for name in ["d", "b", "a", "c", "b"] { _ = try await world.make("network", ["name": .string(name)]) }
        let all = try await world.get("networks?sort_key=name&sort_dir=desc")["networks"]?.names
        #expect(all == ["d", "c", "b", "b", "a"])
        var seen: [String] = []
        var next: String? = "networks?sort_key=name&sort_dir=asc&limit=2"
        while let path = next {
            let page = try await world.get(path)
            seen += page["networks"]?.names ?? []
            let link = page["networks_links"]?.array?.first { $0["rel"] == "next" }?["href"]?.string
            next = link.map { String($0.dropFirst("http://cloud/network/v2.0/".count)) }
        }
        #expect(seen == ["a", "b", "b", "c", "d"])
        let last = try #require(try await world.get("networks?name=d")["networks"]?.array?.first).id
        let back = try await world.get("networks?sort_key=name&sort_dir=asc&limit=2&page_reverse=True&marker=\(last)")
        #expect(back["networks"]?.names == ["b", "c"])
        #expect(try await world.get("networks")["networks_links"] == nil)
    }

    @Test("what is own, on own networks and shared comes in one order, each once")
    func visibleParts() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let shared = try await world.make("network", ["name": "shared", "shared": true], as: .admin)
        for index in 0..<4 {
            let name = JSON.string("n\(index % 2)")
            _ = try await world.make("network", ["name": name])
            _ = try await world.make("network", ["name": name, "shared": true], as: .admin)
            _ = try await world.make("port", ["network_id": .string(network), "name": name])
            _ = try await world.make("port", ["network_id": .string(network), "name": name], as: .admin)
            _ = try await world.make("port", ["network_id": .string(shared.id), "name": name], as: .admin)
        }
        let orders = [
            "sort_key=id&sort_dir=asc", "sort_key=name&sort_dir=desc",
            "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc",
        ]
        for (kind, count) in [("networks", 10), ("ports", 9)] {
            for order in orders {
                let whole = try await world.get("\(kind)?\(order)")[kind]?.array?.map(\.id) ?? []
                #expect(whole.count == count, "\(kind)?\(order)")
                var pages: [String] = []
                while pages.count < count {
                    let marker = pages.last.map { "&marker=\($0)" } ?? ""
                    let page = try await world.get("\(kind)?\(order)&limit=3\(marker)")[kind]?.array?.map(\.id) ?? []
                    if page.isEmpty { break }
                    pages += page
                }
                #expect(pages == whole, "\(kind)?\(order)")
            }
        }
    }

    @Test("a filter of more values than a statement takes is the caller's mistake")
    func longFilters() async throws {
        let world = try await NetworkWorld()
        _ = try await world.make("network", ["tags": ["a"], "mtu": 1400])
        let numbers = (0..<1200).map { "\($0)" }
        for filter in [
            "tags-any=" + numbers.joined(separator: ","), "tags=" + numbers.joined(separator: ","),
            numbers.map { "mtu=\($0)" }.joined(separator: "&"),
        ] {
            #expect(try await world.get("networks?" + filter).status == 400)
        }
        let same = Array(repeating: "a", count: 1200).joined(separator: ",")
        #expect(try await world.get("networks?tags=\(same)")["networks"]?.array?.count == 1)
        let flags = Array(repeating: "shared=false&admin_state_up=true", count: 1200).joined(separator: "&")
        #expect(try await world.get("networks?\(flags)")["networks"]?.array?.count == 1)
        let ids = numbers.map { "id=\($0)" }.joined(separator: "&")
        #expect(try await world.get("networks?\(ids)")["networks"]?.array?.isEmpty == true)
    }

    @Test("filters and fields")
    func filters() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        _ = try await world.make("network", ["name": "other", "admin_state_up": false])
        let port = try await world.make("port", ["network_id": .string(network), "name": ""])
        func count(_ path: String, _ key: String) async throws -> Int? { try await world.get(path)[key]?.array?.count }
        #expect(try await count("networks?name=net&name=other", "networks") == 2)
        #expect(try await count("networks?admin_state_up=False", "networks") == 1)
        #expect(try await count("networks?router:external=False&shared=False", "networks") == 2)
        #expect(try await count("networks?tenant_id=p-demo&project_id=p-demo", "networks") == 2)
        #expect(try await count("networks?project_id=p-other", "networks") == 0)
        #expect(try await count("networks?subnets=\(subnet)", "networks") == 1)
        #expect(try await count("ports?fixed_ips=ip_address%3D\(port.firstAddress)", "ports") == 1)
        #expect(try await count("ports?fixed_ips=subnet_id%3D\(subnet)", "ports") == 2)
        #expect(try await count("ports?fixed_ips=ip_address_substr%3D10.0.0", "ports") == 2)
        #expect(try await count("ports?device_owner=network:distributed", "ports") == 1)
        #expect(try await count("ports?name=&device_owner=", "ports") == 1)
        #expect(try await count("subnets?cidr=10.0.0.0/24&ip_version=4&enable_dhcp=true", "subnets") == 1)
        let trimmed = try await world.get("networks?fields=id&fields=name&name=net")["networks"]?.array?.first
        #expect(trimmed?.object?.keys.sorted() == ["id", "name"])
        #expect(try await world.get("networks/\(network)?fields=mtu")["network"] == ["mtu": 1442])
    }

    @Test("times are filtered by the second, and by what changed since")
    func times() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", ["name": "n"])
        let created = try #require(network["created_at"]?.string)
        func count(_ query: String) async throws -> Int? {
            try await world.get("networks?\(query)")["networks"]?.array?.count
        }
        #expect(try await count("created_at=\(created)") == 1)
        #expect(try await count("updated_at=2001-01-01T00:00:00Z") == 0)
        #expect(try await count("changed_since=2001-01-01T00:00:00") == 1)
        #expect(try await count("changed_since=\(created)") == 1)
        #expect(try await count("changed_since=9000-01-01T00:00:00Z") == 0)
        #expect(try await world.get("networks?changed_since=yesterday").fault == "InvalidInput")
    }

    @Test("tags of every kind of object")
    func tags() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let path = "networks/\(network)/tags"
        #expect(try await world.call(.put, path, ["tags": ["a", "b"]])["tags"] == ["a", "b"])
        #expect(try await world.call(.put, path + "/c").status == 201)
        #expect(try await world.get(path)["tags"] == ["a", "b", "c"])
        #expect(try await world.get(path + "/c").status == 204)
        #expect(try await world.call(.delete, path + "/c").status == 204)
        #expect(try await world.get(path + "/c").fault == "TagNotFound")
        #expect(try await world.call(.post, path, ["tags": ["d"]]).status == 201)
        _ = try await world.make("network", ["name": "plain"])
        func names(_ filter: String) async throws -> [String]? {
            try await world.get("networks?" + filter)["networks"]?.names
        }
        #expect(try await names("tags=a,b") == ["net"])
        #expect(try await names("tags=a,x") == [])
        #expect(try await names("tags-any=a,x") == ["net"])
        #expect(try await names("not-tags=a") == ["plain"])
        #expect(try await names("not-tags-any=x,d") == ["plain"])
        #expect(try await world.call(.delete, path).status == 204)
        #expect(try await world.get(path)["tags"] == [])
    }

    @Test("services see objects, and not their tags")
    func tagsOfServices() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        for object in ["networks/\(network)", "subnets/\(subnet)", "ports/\(port)"] {
            #expect(try await world.call(.put, "\(object)/tags/a").status == 201)
            #expect(try await world.get(object, as: .nova).status == 200)
            #expect(try await world.get("\(object)/tags", as: .nova).status == 403)
            #expect(try await world.get("\(object)/tags/a", as: .nova).status == 403)
            #expect(try await world.get("\(object)/tags/a", as: .other).status == 404)
            #expect(try await world.get("\(object)/tags/a", as: .reader).status == 204)
        }
    }

    @Test("a project's manager lists the quotas of that project, an administrator everybody's")
    func quotaLists() async throws {
        let world = try await NetworkWorld()
        for project in ["p-demo", "p-other"] {
            _ = try await world.call(.put, "quotas/\(project)", ["quota": ["network": 9]], as: .admin)
        }
        func projects(_ user: NetworkWorld.User) async throws -> [String]? {
            try await world.get("quotas", as: user)["quotas"]?.array?.compactMap { $0["project_id"]?.string }.sorted()
        }
        #expect(try await projects(.admin) == ["p-demo", "p-other"])
        #expect(try await projects(.manager) == ["p-demo"])
        #expect(try await world.get("quotas").status == 403)
        #expect(try await world.get("quotas/p-demo", as: .reader).status == 200)
        for path in ["quotas/p-other", "quotas/p-other/details"] {
            #expect(try await world.get(path, as: .manager).status == 403)
        }
    }

    @Test("quotas are counted, and refuse with 409")
    func quotas() async throws {
        let world = try await NetworkWorld()
        let set = try await world.call(.put, "quotas/p-demo", ["quota": ["network": 1]], as: .admin)
        #expect(set["quota", "network"] == 1)
        _ = try await world.make("network", [:])
        let refused = try await world.call(.post, "networks", ["network": [:]])
        #expect(refused.status == 409 && refused.fault == "OverQuota")
        let details = try await world.get("quotas/p-demo/details", as: .admin)
        #expect(details["quota", "network"] == ["limit": 1, "used": 1, "reserved": 0])
        #expect(try await world.call(.put, "quotas/p-demo", ["quota": ["network": 0]], as: .admin).status == 400)
        #expect(
            try await world.call(.put, "quotas/p-demo", ["quota": ["network": 0, "force": true]], as: .admin).status
                == 200)
        #expect(try await world.call(.put, "quotas/p-demo", ["quota": ["network": 9]]).status == 403)
        #expect(try await world.get("quotas/p-demo", as: .other).status == 403)
        #expect(try await world.call(.delete, "quotas/p-demo", as: .admin).status == 204)
        #expect(try await world.get("quotas/p-demo/default", as: .admin)["quota", "network"] == 100)
    }

    @Test("If-Match holds an update to a revision")
    func revisions() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", ["name": "n"]).id
        let change: JSON = ["network": ["name": "m"]]
        let path = "networks/\(network)"
        #expect(try await world.call(.put, path, change, ifMatch: "revision_number=7").status == 412)
        #expect(try await world.call(.put, path, change, ifMatch: "revision_number=1").status == 200)
        #expect(try await world.call(.delete, path, ifMatch: "revision_number=1").status == 412)
        #expect(try await world.get(path)["network", "revision_number"] == 2)
        let group = try await world.make("security_group", ["name": "g"])
        let rule = "security-group-rules/" + (group["security_group_rules"]?.array?.first?.id ?? "")
        #expect(try await world.call(.delete, rule, ifMatch: "revision_number=9").status == 412)
        #expect(try await world.call(.delete, rule, ifMatch: "revision_number=1").status == 204)
        let pool = try await world.make("subnetpool", ["prefixes": ["10.20.0.0/24"]]).id
        let more: JSON = ["prefixes": ["10.30.0.0/24"]]
        let prefixes = "subnetpools/\(pool)/add_prefixes"
        #expect(try await world.call(.put, prefixes, more, ifMatch: "revision_number=9").status == 412)
        #expect(try await world.call(.put, prefixes, more, ifMatch: "revision_number=1").status == 200)
    }

    @Test("what an operator looks at")
    func operators() async throws {
        let world = try await NetworkWorld()
        let (network, _) = try await world.makeNetwork()
        let agents = try await world.get("agents", as: .admin)["agents"]?.array ?? []
        #expect(agents.count == 2)
        #expect(try await world.get("agents/\(agents.last?.id ?? "")", as: .admin)["agent", "alive"] == true)
        #expect(try await world.get("agents")["agents"] == [])
        #expect(try await world.get("agents/\(agents.last?.id ?? "")").status == 404)
        let availability = try await world.get("network-ip-availabilities/\(network)", as: .admin)
        #expect(availability["network_ip_availability", "total_ips"] == 253)
        #expect(availability["network_ip_availability", "used_ips"] == 1)
        #expect(try await world.get("extensions")["extensions"]?.array?.count ?? 0 > 40)
        #expect(try await world.get("extensions/router")["extension", "alias"] == "router")
        #expect(try await world.get("availability_zones")["availability_zones"]?.array?.count == 2)
    }

    @Test("an MTU is never below what its subnets need; totals of IPv6 are whole")
    func limits() async throws {
        let world = try await NetworkWorld()
        let network = try await world.make("network", ["mtu": 1280]).id
        let small = try await world.make("network", ["mtu": 1279]).id
        func subnet(_ network: String) async throws -> NetworkWorld.Answer {
            try await world.call(
                .post, "subnets",
                ["subnet": ["network_id": .string(network), "cidr": "2001:db8::/64", "ip_version": 6]])
        }
        #expect(try await subnet(network).status == 201)
        #expect(try await subnet(small).fault == "NetworkMTUSubnetConflict")
        #expect(
            try await world.call(.put, "networks/\(network)", ["network": ["mtu": 1279]]).fault
                == "NetworkMTUSubnetConflict")
        let availability = try await world.get("network-ip-availabilities/\(network)", as: .admin)
        #expect(availability.text.contains("18446744073709551614"))
    }

    @Test("operators describe agents; nobody switches them off")
    func agentDescriptions() async throws {
        let world = try await NetworkWorld()
        let agent = try #require(try await world.get("agents", as: .admin)["agents"]?.array?.last).id
        let change: JSON = ["agent": ["description": "rack 4", "admin_state_up": true]]
        #expect(try await world.call(.put, "agents/\(agent)", change, as: .admin).status == 200)
        #expect(try await world.get("agents/\(agent)", as: .admin)["agent", "description"] == "rack 4")
        let off: JSON = ["agent": ["admin_state_up": false]]
        #expect(try await world.call(.put, "agents/\(agent)", off, as: .admin).status == 400)
        #expect(try await world.call(.delete, "agents/\(agent)", as: .admin).status == 409)
        #expect(try await world.call(.delete, "agents/\(agent)").status == 404)
    }

    @Test("an operator's page maximum holds for lists with a larger limit, with 0 and with none")
    func pageMaximum() async throws {
        let world = try await NetworkWorld { $0.paginationMaxLimit = 2 }
        for name in ["a", "b", "c", "d", "e"] { _ = try await world.make("network", ["name": .string(name)]) }
        for query in ["", "limit=0", "limit=5", "limit=2"] {
            let page = try await world.get("networks?sort_key=name&sort_dir=asc&" + query)
            #expect(page["networks"]?.names == ["a", "b"], "\(query)")
            let last = page["networks"]?.array?.last?.id ?? ""
            let next = page["networks_links"]?.array?.first { $0["rel"] == "next" }?["href"]?.string ?? ""
            #expect(next.contains("marker=\(last)"), "\(query)")
            let second = try await world.get(String(next.dropFirst("http://cloud/network/v2.0/".count)))
            #expect(second["networks"]?.names == ["c", "d"], "\(query)")
        }
        #expect(try await world.get("networks?sort_key=name&sort_dir=asc&limit=1")["networks"]?.names == ["a"])
        #expect(try await world.get("networks?limit=-1").status == 400)
        #expect(try await world.get("agents?limit=1", as: .admin)["agents"]?.array?.count == 1)
        #expect(NetworkConfig().maximumPage == nil)
    }

    @Test("agents are paged like any list")
    func agentPages() async throws {
        let world = try await NetworkWorld()
        let ids = try await world.get("agents", as: .admin)["agents"]?.array?.map(\.id) ?? []
        func page(_ query: String) async throws -> [String]? {
            try await world.get("agents?" + query, as: .admin)["agents"]?.array?.map(\.id)
        }
        #expect(ids.count == 2)
        #expect(try await page("limit=1") == [ids[0]])
        #expect(try await page("limit=1&marker=\(ids[0])") == [ids[1]])
        #expect(try await page("limit=1&marker=\(ids[1])&page_reverse=True") == [ids[0]])
        #expect(try await page("limit=1&page_reverse=True") == [ids[1]])
        #expect(try await page("limit=1&marker=unknown") == [])
    }

    @Test("another project's object is no marker: it does not exist")
    func foreignMarker() async throws {
        let world = try await NetworkWorld()
        let (network, subnet) = try await world.makeNetwork()
        let port = try await world.make("port", ["network_id": .string(network)]).id
        let router = try await world.make("router", [:]).id
        let group = try await world.make("security_group", ["name": "g"])
        let rule = try #require(group["security_group_rules"]?.array?.first).id
        let markers = [
            ("networks", network), ("subnets", subnet), ("ports", port), ("routers", router),
            ("security-groups", group.id), ("security-group-rules", rule),
        ]
        for (collection, marker) in markers {
            func answer(_ marker: String, as user: NetworkWorld.User) async throws -> NetworkWorld.Answer {
                try await world.get("\(collection)?limit=1&sort_key=id&sort_dir=asc&marker=\(marker)", as: user)
            }
            #expect(try await answer(marker, as: .demo).status == 200, "\(collection)")
            #expect(try await answer(marker, as: .admin).status == 200, "\(collection)")
            let foreign = try await answer(marker, as: .other)
            let unknown = try await answer("00000000-0000-4000-8000-000000000000", as: .other)
            #expect(foreign.status == 404 && unknown.status == 404, "\(collection)")
            #expect(foreign.fault == unknown.fault, "\(collection)")
        }
        // A marker that the filters leave out is one all the same.
        let path = "networks?limit=1&sort_key=name&sort_dir=asc&name=x&marker=\(network)"
        #expect(try await world.get(path).status == 200)
    }

    @Test("a sort key that is given again decides nothing; the first direction counts")
    func repeatedSortKeys() async throws {
        let world = try await NetworkWorld()
        for name in ["b", "a", "c"] { _ = try await world.make("network", ["name": .string(name)]) }
        let again = String(repeating: "sort_key=name&sort_dir=asc&", count: 500)
        let sorted = "networks?sort_key=name&sort_dir=desc&" + again
        #expect(try await world.get(sorted)["networks"]?.names == ["c", "b", "a"])
        let marker = try #require(try await world.get("networks?name=c")["networks"]?.array?.first).id
        #expect(try await world.get(sorted + "limit=2&marker=\(marker)")["networks"]?.names == ["b", "a"])
        #expect(try await world.get("networks?sort_key=id&sort_dir=asc&sort_key=id&sort_dir=desc").status == 200)
        #expect(try await world.get("networks?sort_key=name&sort_dir=asc&sort_key=nothing&sort_dir=asc").status == 400)
    }
}

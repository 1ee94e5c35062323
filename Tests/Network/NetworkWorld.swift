// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import DatabaseSQLite
import HTTPKit
import NetworkAPI
import NetworkContract
import NetworkCore
import PolicyKit
import QuotaKit
import TestKit
import Testing

/// The whole network service in memory: SQLite, the fake data plane, the API as a client reaches it.
struct NetworkWorld: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: JSON
        var text: String

        /// `answer["port", "id"]`.
        subscript(path: String...) -> JSON? { path.reduce(body) { $0?[$1] } }
        func string(_ path: String...) throws -> String { try #require(path.reduce(body) { $0?[$1] }?.string) }
        var fault: String? { body["NeutronError"]?["type"]?.string }
    }

    enum User: String, Sendable, CaseIterable {
        case admin, manager, demo, other, reader, nobody, nova

        var project: ProjectID {
            [.manager, .reader, .nobody].contains(self) ? ProjectID("p-demo") : ProjectID("p-\(rawValue)")
        }
        var principal: Principal {
            let roles: [String] =
                switch self {
                case .admin: ["admin", "member", "reader"]
                case .manager: ["manager", "member", "reader"]
                case .demo, .other: ["member", "reader"]
                case .reader: ["reader"]
                case .nova: ["service"]
                case .nobody: []
                }
            return .test(rawValue, roles: roles, project: project, projectName: rawValue)
        }
    }

    let driver = FakeNetworkDriver()
    let time = TestClock()
    let environment: NetworkEnvironment
    let services: NetworkServices
    let router: APIRouter
    var compute: NetworkEngine { NetworkEngine(environment) }

    init(_ configure: @Sendable (inout NetworkConfig) -> Void = { _ in }) async throws {
        let database = try await TestDatabase.make(NetworkMigrations.all, QuotaMigrations.all)
        var config = NetworkConfig()
        configure(&config)
        let clock = time
        environment = NetworkEnvironment(
            database: database, driver: driver, config: config,
            // Each look is a millisecond later, so that what is made later is newer.
            clock: WallClock {
                clock.advance(by: .milliseconds(1))
                return clock.clock.now()
            }, ids: .random)
        services = NetworkServices(environment)
        router = APIRouter(
            services: [try NetworkAPI(environment)], origin: "http://cloud", ids: .random, clock: .system,
            authenticate: { token in
                guard let user = User(rawValue: token) else { throw APIRouter.unauthenticated }
                return user.principal
            })
    }

    // MARK: Calls

    func call(_ method: HTTPMethod, _ path: String, _ body: JSON? = nil, as user: User = .demo, ifMatch: String? = nil)
        async throws -> Answer
    {
        let parts = path.split(separator: "?", maxSplits: 1)
        var headers: HTTPHeaders = ["X-Auth-Token": user.rawValue]
        if let ifMatch { headers.set("If-Match", ifMatch) }
        let request = HTTPRequest(
            method: method, path: "/network/v2.0/" + parts[0],
            query: parts.count > 1 ? try #require(Percent.query(parts[1])) : [], headers: headers,
            body: OnePiece(body.map { Array($0.text().utf8) } ?? []))
        let response = await router.handle(request)
        guard case .bytes(let bytes) = response.body else {
            return Answer(status: response.status, body: .null, text: "")
        }
        return Answer(
            status: response.status, body: try JSONReader.read(bytes), text: String(decoding: bytes, as: UTF8.self))
    }

    func get(_ path: String, as user: User = .demo) async throws -> Answer { try await call(.get, path, as: user) }

    /// Makes an object of which only the body is interesting; any other answer than 201 fails the test.
    func make(_ name: String, _ attributes: JSON, as user: User = .demo) async throws -> JSON {
        let plural = name.hasSuffix("y") ? name.dropLast() + "ies" : name + "s"
        let path = plural.map { $0 == "_" ? "-" : String($0) }.joined()
        let answer = try await call(.post, path, .object([name: attributes]), as: user)
        try #require(answer.status == 201, "\(answer.text)")
        return try #require(answer.body[name])
    }

    /// A network with one subnet.
    func makeNetwork(_ cidr: String = "10.0.0.0/24", as user: User = .demo) async throws -> (
        network: String, subnet: String
    ) {
        let network = try await make("network", ["name": "net"], as: user).id
        let subnet = try await make(
            "subnet", ["network_id": .string(network), "cidr": .string(cidr), "ip_version": 4], as: user
        ).id
        return (network, subnet)
    }

    /// An external network, 172.24.4.0/24.
    func makeExternal() async throws -> (network: String, subnet: String) {
        let network = try await make("network", ["name": "public", "router:external": true], as: .admin).id
        let subnet = try await make(
            "subnet",
            [
                "network_id": .string(network), "cidr": "172.24.4.0/24", "ip_version": 4, "enable_dhcp": false,
                "allocation_pools": [["start": "172.24.4.10", "end": "172.24.4.250"]],
            ], as: .admin
        ).id
        return (network, subnet)
    }

    /// Tells the data plane all that is dirty.
    func project() async throws { while try await services.projector.projectBatch() {} }

    // MARK: The data plane

    func logicalPort(_ id: String) -> LogicalPort? {
        if case .port(let port)? = driver.objects[.port(PortID(id))] { port } else { nil }
    }
    func logicalRouter(_ id: String) -> LogicalRouter? {
        if case .router(let router)? = driver.objects[.router(RouterID(id))] { router } else { nil }
    }
    func logicalNetwork(_ id: String) -> LogicalNetwork? {
        if case .network(let network)? = driver.objects[.network(NetworkID(id))] { network } else { nil }
    }
    func logicalGroup(_ id: String) -> LogicalSecurityGroup? {
        if case .securityGroup(let group)? = driver.objects[.securityGroup(SecurityGroupID(id))] { group } else { nil }
    }
    func logicalAddresses(_ id: String) -> LogicalAddressGroup? {
        if case .addressGroup(let group)? = driver.objects[.addressGroup(AddressGroupID(id))] { group } else { nil }
    }
}

extension JSON {
    /// The `id` of an object; empty when there is none, which no object has.
    var id: String { self["id"]?.string ?? "" }
    var firstAddress: String { self["fixed_ips"]?.array?.first?["ip_address"]?.string ?? "" }
    var names: [String] { (array ?? []).compactMap { $0["name"]?.string } }
}

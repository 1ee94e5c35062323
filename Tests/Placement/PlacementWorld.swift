// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import DatabaseSQLite
import HTTPKit
import PlacementAPI
import PlacementContract
import PlacementCore
import TestKit

/// Placement on a database in memory, called through the router or in process.
struct PlacementWorld: Sendable {
    let database: SQLiteDatabase
    let engine: PlacementEngine
    private let router: APIRouter

    init() async throws {
        database = try await TestDatabase.make(PlacementMigrations.all)
        let clock = TestClock()
        engine = PlacementEngine(database: database, clock: clock.clock, ids: .random)
        router = APIRouter(
            services: [try PlacementAPI(engine: engine)], origin: "http://cloud", ids: .random, clock: clock.clock,
            authenticate: { try Self.principal($0) })
    }

    /// A token is a role.
    static func principal(_ token: String) throws -> Principal {
        guard ["admin", "service", "reader"].contains(token) else { throw APIRouter.unauthenticated }
        return .test(token, roles: [token], project: "one")
    }

    struct Answer: Sendable {
        var status: Int
        var headers: HTTPHeaders
        var json: JSON
        var code: String? { json["errors"]?.array?.first?["code"]?.string }
        var detail: String { json["errors"]?.array?.first?["detail"]?.string ?? "" }
    }

    func call(
        _ method: HTTPMethod, _ target: String, version: String = "1.39", as token: String = "admin",
        _ body: JSON? = nil
    ) async throws -> Answer {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        var headers: HTTPHeaders = ["X-Auth-Token": token, "OpenStack-API-Version": "placement \(version)"]
        if body != nil { headers.set("Content-Type", "application/json") }
        let response = await router.handle(
            HTTPRequest(
                method: method, path: "/placement" + parts[0],
                query: parts.count > 1 ? Percent.query(parts[1]) ?? [] : [], headers: headers,
                body: body.map { OnePiece(Array($0.text().utf8)) } ?? EmptySource()))
        var json = JSON.null
        if case .bytes(let bytes) = response.body { json = try JSONReader.read(bytes) }
        return Answer(status: response.status, headers: response.headers, json: json)
    }

    /// A host with the usual inventory.
    func host(_ name: String, vcpu: Int64 = 4, memory: Int64 = 4096, traits: [String] = []) async throws
        -> ResourceProviderID
    {
        let id = ResourceProviderID(IDSource.random.uuid())
        try await engine.ensureProvider(
            id, name: name,
            inventory: [
                "VCPU": ResourceInventory(total: vcpu, maxUnit: vcpu),
                "MEMORY_MB": ResourceInventory(total: memory, maxUnit: memory),
                "DISK_GB": ResourceInventory(total: 100, maxUnit: 100),
            ], traits: ProviderTraits(present: Set(traits)))
        return id
    }
}

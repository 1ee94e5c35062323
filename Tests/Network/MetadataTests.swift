// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import HTTPKit
import LifecycleKit
import MessagingKit
import NetworkContract
import OVSDBKit
import Synchronization
import Testing

@testable import NetworkAgent

/// Goal: each guest gets its own metadata and nobody else's; every failure has a status that a guest understands.
/// Method: the proxy over an in-process bus whose controller records what it is asked.
@Suite("Metadata")
struct MetadataTests {
    private let bus = InProcessBus(tasks: BackgroundTasks(drainLimit: .milliseconds(10)))

    private func serve(_ body: @escaping @Sendable (MetadataQuery) throws -> MetadataReply) async throws {
        let server = BusServer(bus, topic: "network", host: MetadataQuery.destination)
        server.handle(MetadataQuery.self) { try body($0) }
        _ = try await server.register()
    }

    private func request(_ method: HTTPMethod = .get, _ path: String = "/latest", tag: String = "net") -> HTTPRequest {
        HTTPRequest(
            method: method, path: path,
            headers: ["X-Forwarded-For": "10.0.0.99", "X-Instance-ID": "other", "X-OVN-Network-ID": "other"],
            remoteAddress: "10.0.0.5", listenerTag: tag)
    }

    @Test("who asks is what listener and socket say, whatever the headers say")
    func identity() async throws {
        try await serve { query in
            #expect(query == MetadataQuery(network: NetworkID("net"), address: "10.0.0.5", method: "GET", path: "/a b"))
            return MetadataReply(status: 200, contentType: "application/json", body: Array("{}".utf8))
        }
        let response = await MetadataProxy(bus: bus).handle(request(.get, "/a%20b"))
        #expect(response.status == 200)
        #expect(response.headers["Content-Type"] == "application/json")
    }

    @Test(
        "failures",
        arguments: [
            (CloudError.notFound("x"), 404), (CloudError(.bug, "x"), 502), (CloudError(.unavailable, "x"), 502),
        ])
    func failures(_ error: CloudError, _ status: Int) async throws {
        try await serve { _ in throw error }
        #expect(await MetadataProxy(bus: bus).handle(request()).status == status)
    }

    @Test("without a controller, on no network, by another method, or with a broken path")
    func refusals() async {
        let proxy = MetadataProxy(bus: bus)
        #expect(await proxy.handle(request()).status == 502)
        #expect(await proxy.handle(request(tag: "")).status == 404)
        #expect(await proxy.handle(request(.delete)).status == 405)
        #expect(await proxy.handle(request(.get, "/%zz")).status == 400)
    }

    @Test("a host serves the networks that have a guest's port on it")
    func plan() throws {
        let chassis = RowID(high: 0, low: 1)
        let network = "00000000-0000-4000-8000-000000000001"
        let column = OVSDBSchema.Column(shape: .scalar, initial: .empty)
        let columns = ["name", "type", "chassis", "datapath", "mac", "external_ids", "logical_port"]
        let tables = ["Chassis", "Port_Binding", "Datapath_Binding"].map { table in
            (table, Dictionary(uniqueKeysWithValues: columns.map { ($0, column) }))
        }
        var replica = OVSDBReplica(
            schema: OVSDBSchema(name: "OVN_Southbound", tables: Dictionary(uniqueKeysWithValues: tables)),
            indexes: MetadataPlan.monitor.indexes)
        replica.set("Chassis", chassis, ["name": .string("host")])
        for (number, name) in [(10, network), (20, "00000000-0000-4000-8000-000000000002")] {
            let datapath = RowID(high: 0, low: UInt64(number))
            replica.set("Datapath_Binding", datapath, ["external_ids": .pairs(["name": "neutron-\(name)"])])
            replica.set(
                "Port_Binding", RowID(high: 0, low: UInt64(number + 1)),
                [
                    "type": .string("localport"), "datapath": .uuid(datapath),
                    "logical_port": .string("meta-\(number)"),
                    "mac": .strings(["fa:16:3e:00:00:01 10.0.0.2"]),
                    "external_ids": .pairs(["neutron:cidrs": "10.0.0.2/24 fd00::2/64"]),
                ])
        }
        #expect(MetadataPlan.chassis("host", replica) == chassis)
        #expect(MetadataPlan.networks(on: chassis, replica).isEmpty)
        // A guest here, and one elsewhere.
        for (number, host) in [(10, chassis), (20, RowID(high: 0, low: 2))] {
            replica.set(
                "Port_Binding", RowID(high: 0, low: UInt64(number + 2)),
                [
                    "type": .string(""), "chassis": .uuid(host), "datapath": .uuid(RowID(high: 0, low: UInt64(number))),
                ])
        }
        let found = MetadataPlan.networks(on: chassis, replica)
        #expect(Set(found.keys) == [NetworkID(network)])
        let one = try #require(found[NetworkID(network)])
        #expect(one.metadataPort == "meta-10")
        #expect(one.macAddress == "fa:16:3e:00:00:01")
        #expect(one.addresses == [.init("10.0.0.2", prefixLength: 24), .init("fd00::2", prefixLength: 64)])
        #expect(one.outerDevice == "tap00000000-00" && one.innerDevice == "tap00000000-01")
    }

    // MARK: Places

    /// Places in memory, which a test can take apart.
    private final class FakePlaces: MetadataPlaces {
        struct State {
            var there: Set<NetworkID> = []
            var broken: [NetworkID: String] = [:]
            var failing: Set<NetworkID> = []
            var built: [NetworkID] = []
            var looks = 0
            var canLook = true
        }
        let state = Mutex(State())

        func build(_ wanted: MetadataNetwork) async throws {
            try state.withLock { state in
                guard !state.failing.contains(wanted.network) else { throw CloudError(.unavailable, "no") }
                state.there.insert(wanted.network)
                state.broken[wanted.network] = nil
                state.built.append(wanted.network)
            }
        }
        func remove(_ network: NetworkID) async throws { _ = state.withLock { $0.there.remove(network) } }
        func existing() throws -> [NetworkID] { state.withLock { Array($0.there) } }
        func missing(of networks: [MetadataNetwork]) async throws -> [NetworkID: String] {
            try state.withLock { state in
                guard state.canLook else { throw CloudError(.unavailable, "no switch") }
                state.looks += 1
                return state.broken.filter { broken in networks.contains { $0.network == broken.key } }
            }
        }
    }

    private func wanted(_ ids: String...) -> [NetworkID: MetadataNetwork] {
        Dictionary(
            uniqueKeysWithValues: ids.map { id in
                (
                    NetworkID(id),
                    MetadataNetwork(network: NetworkID(id), metadataPort: "m-\(id)", macAddress: "", addresses: [])
                )
            })
    }

    @Test("a place that was taken apart is built again, and only then")
    func takenApart() async throws {
        let places = FakePlaces()
        var keeper = MetadataKeeper(places)
        let start = ContinuousClock.now
        #expect(try await keeper.round(wanted("a", "b"), now: start) == MetadataKeeper.scanInterval)
        places.state.withLock { state in
            state.built = []
            state.broken = ["a": "cable"]
        }
        // News of other networks cost no look.
        for second in 1..<10 { _ = try await keeper.round(wanted("a", "b"), now: start + .seconds(second)) }
        #expect(places.state.withLock { $0.built.isEmpty && $0.looks == 1 })
        _ = try await keeper.round(wanted("a", "b"), now: start + MetadataKeeper.scanInterval)
        #expect(places.state.withLock { $0.built } == ["a"])
        _ = try await keeper.round(wanted("a", "b"), now: start + MetadataKeeper.scanInterval * 2)
        #expect(places.state.withLock { $0.built } == ["a"])
    }

    @Test("one network's failure, or a look that fails, keeps no other waiting; what is idle goes after a while")
    func keeping() async throws {
        let places = FakePlaces()
        var keeper = MetadataKeeper(places)
        let start = ContinuousClock.now
        places.state.withLock { state in
            state.failing = ["a"]
            state.canLook = false
        }
        await #expect(throws: CloudError.self) { try await keeper.round(wanted("a", "b"), now: start) }
        #expect(places.state.withLock { $0.there } == ["b"])
        places.state.withLock { $0.failing = [] }
        _ = try await keeper.round(wanted("a", "b"), now: start)
        #expect(places.state.withLock { $0.there } == ["a", "b"])
        let pause = try await keeper.round(wanted("b"), now: start)
        #expect(pause < .seconds(10))
        #expect(places.state.withLock { $0.there.count } == 2)
        _ = try await keeper.round(wanted("b"), now: start + pause)
        #expect(places.state.withLock { $0.there } == ["b"])
        // Back again, it is built again.
        _ = try await keeper.round(wanted("a", "b"), now: start + pause)
        #expect(places.state.withLock { $0.there } == ["a", "b"])
    }

    @Test("a listening socket that the server does not take is closed")
    func refusedListener() throws {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try #require(socket >= 0)
        #expect(throws: CloudError.self) {
            try MetadataNamespace.hand(socket, of: "net") { _ in throw CloudError(.bug, "no thread") }
        }
        #expect(fcntl(socket, F_GETFD) == -1)
        let kept = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try #require(kept >= 0)
        defer { close(kept) }
        try MetadataNamespace.hand(kept, of: "net") { #expect($0.tag == "net") }
        #expect(fcntl(kept, F_GETFD) >= 0)
    }
}

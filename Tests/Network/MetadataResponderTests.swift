// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import ComputeContract
import LifecycleKit
import MessagingKit
import NetworkContract
import NetworkCore
import Synchronization
import Testing

/// Goal: a guest reads and writes what is its own, and hears of every refusal by a status.
/// Method: queries over the bus, as agents send them; Compute keeps one password.
@Suite("The controller's end of the metadata service")
struct MetadataResponderTests {
    @Test("a guest's password is kept once")
    func password() async throws {
        let world = try await NetworkWorld()
        let network = NetworkID(try await world.makeNetwork().network)
        _ = try await world.compute.ensureServerPort(
            IDSource.random.next(), ServerPortRequest(network: network, fixedAddress: "10.0.0.50"), server: "s1",
            zone: "nova", for: NetworkWorld.User.demo.principal)
        let bus = InProcessBus(tasks: BackgroundTasks(drainLimit: .milliseconds(10)))
        let compute = PasswordKeeper()
        _ = try await MetadataResponder(networks: world.compute, servers: compute).server(on: bus).register()
        func ask(
            _ method: String, _ path: String = "/openstack/latest/password", _ body: String = "",
            from address: String = "10.0.0.50"
        ) async throws -> MetadataReply {
            try await bus.call(
                MetadataQuery.destination,
                MetadataQuery(network: network, address: address, method: method, path: path, body: Array(body.utf8)),
                timeout: .seconds(10))
        }
        #expect(try await ask("POST", "/openstack/latest/meta_data.json", "x").status == 404)
        #expect(try await ask("POST", from: "10.0.0.51").status == 404)
        #expect(try await ask("PUT").status == 405)
        #expect(try await ask("POST", "/openstack/latest/password", "too long").status == 400)
        #expect(try await ask("POST", "/openstack/latest/password", "sealed").status == 200)
        #expect(try await ask("POST", "/openstack/latest/password", "again").status == 409)
        #expect(try await ask("GET").body == Array("sealed".utf8))
        #expect(compute.asked == ["s1 in p-demo"])
    }
}

/// A Compute that knows of passwords alone.
private final class PasswordKeeper: ComputeService {
    private struct State {
        var password: [UInt8] = []
        var asked: Set<String> = []
    }
    private let state = Mutex(State())

    var asked: Set<String> { state.withLock { $0.asked } }

    func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer? {
        MetadataAnswer(body: state.withLock { $0.password })
    }

    func keepPassword(
        _ password: [UInt8], of server: ServerID, in project: ProjectID, path: String
    ) async throws -> Bool {
        guard path.hasSuffix("/password") else { return false }
        return try state.withLock { state in
            state.asked.insert("\(server) in \(project)")
            guard state.password.isEmpty else { throw CloudError.conflict("There is one.") }
            guard password.count < 8 else { throw CloudError.badRequest("It is too long.") }
            state.password = password
            return true
        }
    }

    func moveVolume(_ volume: String, of server: ServerID, toFile path: String, format: String) async throws {}
    func relocateVolume(
        of server: ServerID, to connection: VolumeConnection, _ step: VolumeRelocation.Step, request: String
    ) async throws -> VolumeRelocation.State { .gone }
    func resizeVolume(
        _ volume: String, of server: ServerID, toBytes sizeBytes: Int64, request: String
    ) async throws {}
    func isStarting(anyOf servers: [ServerID]) async throws -> Bool { false }
    func leasesHeld(among attachments: [String]) async throws -> Set<String> { [] }
}

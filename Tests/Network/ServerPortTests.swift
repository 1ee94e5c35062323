// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract
import NetworkCore
import Testing

/// Goal: Compute gets ports for servers, twice the same when it asks twice, and gives back what it took.
@Suite("Ports for servers")
struct ServerPortTests {
    private let demo = NetworkWorld.User.demo.principal
    private let other = NetworkWorld.User.other.principal

    @Test("a server's own port has the server's name, for who asks by name")
    func name() async throws {
        let world = try await NetworkWorld()
        let network = try await world.makeNetwork().network
        let id: PortID = IDSource.random.next()
        var request = ServerPortRequest(network: NetworkID(network), fixedAddress: "10.0.0.50")
        request.hostname = "web-1"
        _ = try await world.compute.ensureServerPort(id, request, server: "s1", zone: "nova", for: demo)
        let port = try await world.get("ports/\(id)")["port"]
        #expect(port?["dns_name"] == "web-1")
        #expect(
            port?["dns_assignment"] == [
                ["ip_address": "10.0.0.50", "hostname": "web-1", "fqdn": "web-1.openstacklocal."]
            ])
        _ = try await world.call(.put, "ports/\(id)", ["port": ["dns_domain": "example.org."]])
        _ = try await world.call(.put, "networks/\(network)", ["network": ["dns_domain": "net.org."]])
        try await world.project()
        #expect(world.logicalNetwork(network)?.dnsDomain == "openstacklocal")
        #expect(world.logicalNetwork(network)?.ownDNSDomain == "net.org.")
        #expect(world.logicalPort(id.rawValue)?.hostname == "web-1")
        #expect(world.logicalPort(id.rawValue)?.dnsDomain == "example.org.")
    }

    @Test("ensure is repeatable; release removes Compute's own and lets go of the user's")
    func life() async throws {
        let world = try await NetworkWorld()
        let compute = world.compute
        let (network, subnet) = try await world.makeNetwork()
        let id: PortID = IDSource.random.next()
        let request = ServerPortRequest(network: NetworkID(network), fixedAddress: "10.0.0.50")
        let first = try await compute.ensureServerPort(id, request, server: "s1", zone: "nova", for: demo)
        let again = try await compute.ensureServerPort(id, request, server: "s1", zone: "nova", for: demo)
        #expect(first == again)
        #expect(first.fixedAddresses.first?.address == "10.0.0.50")
        #expect(first.fixedAddresses.first?.prefixLength == 24)
        #expect(first.fixedAddresses.first?.gateway == "10.0.0.1")
        #expect(first.fixedAddresses.first?.hostRoutes.first?.destination == "169.254.169.254/32")
        #expect(first.fixedAddresses.first?.subnet == SubnetID(subnet))
        #expect(first.securityGroupNames == ["default"])
        #expect(first.mtu == 1442)

        let mine = PortID(try await world.make("port", ["network_id": .string(network)]).id)
        _ = try await compute.claimPort(mine, server: "s1", zone: "nova", for: demo)
        _ = try await compute.claimPort(mine, server: "s1", zone: "nova", for: demo)
        await #expect(throws: CloudError.self) {
            try await compute.claimPort(mine, server: "s2", zone: "nova", for: demo)
        }
        let project = try #require(demo.projectID)
        let both = try await compute.ports(ofServers: ["s1": project, "s2": project])
        #expect(both["s1"]?.map(\.id) == [id, mine])
        #expect(try await compute.ports(ofServers: ["s1": "another"]).isEmpty)
        #expect(try await compute.port(on: NetworkID(network), withAddress: "10.0.0.50")?.deviceID == "s1")
        #expect(try await compute.serverDevices() == [id: "s1", mine: "s1"])

        try await compute.releasePort(id, server: "s1")
        try await compute.releasePort(id, server: "s1")
        try await compute.releasePort(mine, server: "s1")
        #expect(try await world.get("ports/\(id)").status == 404)
        #expect(try await world.get("ports/\(mine)")["port", "device_id"] == "")
        #expect(try await compute.serverDevices().isEmpty)
    }

    @Test("requests that cannot be met are refused before anything is made")
    func validation() async throws {
        let world = try await NetworkWorld()
        let compute = world.compute
        let (network, _) = try await world.makeNetwork()
        let bare = try await world.make("network", ["name": "bare"]).id
        let external = try await world.makeExternal()
        func refused(_ request: ServerPortRequest, by principal: Principal? = nil) async -> CloudError? {
            await #expect(throws: CloudError.self) {
                try await compute.validate(networks: [request], ports: [], for: principal ?? demo)
            }
        }
        try await compute.validate(networks: [ServerPortRequest(network: NetworkID(network))], ports: [], for: demo)
        #expect(await refused(ServerPortRequest(network: NetworkID(bare)))?.kind == "NetworkRequiresSubnet")
        #expect(
            await refused(ServerPortRequest(network: NetworkID(external.network)))?.kind
                == "ExternalNetworkAttachForbidden")
        #expect(await refused(ServerPortRequest(network: NetworkID(network)), by: other)?.code == .badRequest)
        #expect(
            await refused(ServerPortRequest(network: NetworkID(network), fixedAddress: "1.2.3.4"))?.code == .badRequest)
        #expect(try await compute.networksForServers(of: demo).map(\.name).sorted() == ["bare", "net"])
        #expect(try await compute.networksForServers(of: other).isEmpty)
        #expect(try await compute.securityGroups(named: ["default"], for: demo).count == 1)
        await #expect(throws: CloudError.self) { try await compute.securityGroups(named: ["none"], for: demo) }
    }
}

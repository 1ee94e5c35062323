// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementContract
import TestKit
import Testing

/// What Compute relies on: claims that are whole, exclusive, repeatable, and refusals that say why.
@Suite struct PlacementServiceTests {
    @Test func claimsNeverExceedTheRoom() async throws {
        let world = try await PlacementWorld()
        let host = try await world.host("a")
        let placement: any PlacementService = world.engine
        for index in 0..<4 {
            try await placement.claim(
                consumer: "s\(index)", provider: host, resources: ["VCPU": 1, "MEMORY_MB": 512], project: "p", user: "u"
            )
        }
        await #expect(throws: CloudError.self) {
            try await placement.claim(consumer: "s4", provider: host, resources: ["VCPU": 1], project: "p", user: "u")
        }
        #expect(try await placement.usage(of: host) == ["VCPU": 4, "MEMORY_MB": 2048, "DISK_GB": 0])
        try await placement.release(consumer: "s0")
        try await placement.release(consumer: "s0")
        #expect(try await placement.consumers(of: host) == ["s1", "s2", "s3"])
        try await placement.claim(
            consumer: "s4", provider: host, resources: ["VCPU": 1, "DISK_GB": 0], project: "p", user: "u")
    }

    @Test func claimsRunningAtOnceShareTheRoom() async throws {
        let world = try await PlacementWorld()
        let host = try await world.host("a", vcpu: 10)
        let won = await withTaskGroup(of: Bool.self) { group in
            for index in 0..<30 {
                group.addTask {
                    do {
                        try await world.engine.claim(
                            consumer: "s\(index)", provider: host, resources: ["VCPU": 1], project: "p", user: "u")
                        return true
                    } catch {
                        return false
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(won == 10)
        #expect(try await world.engine.usage(of: host)["VCPU"] == 10)
    }

    @Test func repeatedClaimChangesNothingAndAnotherHostReplaces() async throws {
        let world = try await PlacementWorld()
        let (first, second) = (try await world.host("a"), try await world.host("b"))
        for _ in 0..<2 {
            try await world.engine.claim(
                consumer: "s", provider: first, resources: ["VCPU": 4], project: "p", user: "u")
        }
        #expect(try await world.engine.allocations(ofConsumer: "s").consumer?.generation == 1)
        try await world.engine.claim(consumer: "s", provider: second, resources: ["VCPU": 2], project: "p", user: "u")
        #expect(try await world.engine.usage(of: first)["VCPU"] == 0)
        #expect(try await world.engine.usage(of: second)["VCPU"] == 2)
    }

    @Test func whatIsHeldChangesHandsWhole() async throws {
        let world = try await PlacementWorld()
        let host = try await world.host("a")
        let placement: any PlacementService = world.engine
        try await placement.claim(consumer: "s", provider: host, resources: ["VCPU": 2], project: "p", user: "u")
        for _ in 1...2 { try await placement.transfer(from: "s", to: "m", replacing: false) }
        #expect(try await placement.consumers(of: host) == ["m"])
        try await placement.claim(consumer: "s", provider: host, resources: ["VCPU": 1], project: "p", user: "u")
        // The one that holds something keeps it.
        try await placement.transfer(from: "s", to: "m", replacing: false)
        #expect(try await placement.usage(of: host)["VCPU"] == 3)
        for _ in 1...2 { try await placement.transfer(from: "m", to: "s", replacing: true) }
        #expect(try await placement.consumers(of: host) == ["s"])
        #expect(try await placement.usage(of: host)["VCPU"] == 2)
        #expect(try await world.engine.allocations(ofConsumer: "s").consumer?.projectID == "p")
    }

    @Test func candidatesComeWithTheirRoomAndRefusalsWithReasons() async throws {
        let world = try await PlacementWorld()
        let big = try await world.host("big", vcpu: 8, traits: ["HW_CPU_X86_VMX", "CUSTOM_GOLD"])
        let small = try await world.host("small", vcpu: 2)
        try await world.engine.claim(consumer: "s", provider: big, resources: ["VCPU": 3], project: "p", user: "u")
        let request = ResourceRequest(
            resources: ["VCPU": 4, "MEMORY_MB": 1024, "DISK_GB": 0], requiredTraits: ["CUSTOM_GOLD"])
        let (candidates, refusals) = try await world.engine.candidates(for: request, limit: 10)
        #expect(candidates == [AllocationCandidate(provider: big, name: "big", free: ["VCPU": 5, "MEMORY_MB": 4096])])
        #expect(refusals.map(\.provider) == [small])
        #expect(
            refusals.first?.reasons == [
                "VCPU: wants 4, 2 of 2 left", "VCPU: wants 4, at most 2 for one", "lacks trait CUSTOM_GOLD",
            ])
        let forbidding = ResourceRequest(resources: ["VCPU": 1], forbiddenTraits: ["CUSTOM_GOLD"])
        #expect(try await world.engine.candidates(for: forbidding, limit: 10).candidates.map(\.name) == ["small"])
        #expect(
            try await world.engine.candidates(for: ResourceRequest(resources: ["VCPU": 1]), limit: 1).candidates.count
                == 1)
    }

    @Test func ensureProviderIsLevelTriggered() async throws {
        let world = try await PlacementWorld()
        let host = try await world.host("a")
        let generation = try await world.engine.provider(host).generation
        let same = [
            "VCPU": ResourceInventory(total: 4, maxUnit: 4), "MEMORY_MB": ResourceInventory(total: 4096, maxUnit: 4096),
            "DISK_GB": ResourceInventory(total: 100, maxUnit: 100),
        ]
        try await world.engine.ensureProvider(host, name: "a", inventory: same, traits: .init(present: []))
        #expect(try await world.engine.provider(host).generation == generation)
        try await world.engine.claim(consumer: "s", provider: host, resources: ["VCPU": 2], project: "p", user: "u")
        await #expect(throws: CloudError.self) {
            try await world.engine.ensureProvider(host, name: "a", inventory: [:], traits: .init(present: []))
        }
        let less = ["VCPU": ResourceInventory(total: 1, maxUnit: 4)]
        try await world.engine.ensureProvider(
            host, name: "renamed", inventory: less, traits: .init(present: ["CUSTOM_X"]))
        #expect(try await world.engine.usage(of: host) == ["VCPU": 2])
        #expect(try await world.engine.provider(host).name == "renamed")
        await #expect(throws: CloudError.self) {
            try await world.engine.ensureProvider(
                host, name: "a", inventory: ["NONSENSE": .init(total: 1, maxUnit: 1)],
                traits: .init(present: []))
        }
    }

    @Test func traitsOfOthersStayAndNothingIsWrittenTwice() async throws {
        let world = try await PlacementWorld()
        let host = try await world.host("a", traits: ["CUSTOM_GOLD", "HW_CPU_X86_AVX", "HW_NIC_SRIOV"])
        let own = ProviderTraits(present: ["COMPUTE_NODE"], absent: ["COMPUTE_NODE", "HW_CPU_X86_AVX"])
        for _ in 1...2 { try await world.engine.changeTraits(of: host, own) }
        let answer = try await world.call(.get, "/resource_providers/\(host)/traits")
        #expect(answer.json["traits"] == ["COMPUTE_NODE", "CUSTOM_GOLD", "HW_NIC_SRIOV"])
        // One for the inventory, one for the first traits, one for the change.
        #expect(try await world.engine.provider(host).generation == 3)
        try await world.engine.changeTraits(of: "nobody", own)
        await #expect(throws: CloudError.self) {
            try await world.engine.changeTraits(of: host, .init(present: ["COMPUTE_NONSENSE"]))
        }
    }
}

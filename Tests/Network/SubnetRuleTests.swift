// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkCore
import Testing

/// Goal: pools, gateways and modes follow upstream's rules. Pure: no database.
@Suite("Subnet rules")
struct SubnetRuleTests {
    private func pools(_ cidr: String, _ gateway: String?) throws -> [String] {
        let gateway = try gateway.map { try #require(IPAddress($0)) }
        return AllocationPools.computed(for: try #require(CIDR(cidr)), gateway: gateway).map {
            "\($0.first)-\($0.last)"
        }
    }

    @Test("computed pools leave the gateway out")
    func computed() throws {
        #expect(try pools("10.0.0.0/24", "10.0.0.1") == ["10.0.0.2-10.0.0.254"])
        #expect(try pools("10.0.0.0/24", "10.0.0.254") == ["10.0.0.1-10.0.0.253"])
        #expect(try pools("10.0.0.0/24", "10.0.0.9") == ["10.0.0.1-10.0.0.8", "10.0.0.10-10.0.0.254"])
        #expect(try pools("10.0.0.0/24", nil) == ["10.0.0.1-10.0.0.254"])
        #expect(try pools("10.0.0.0/24", "192.168.0.1") == ["10.0.0.1-10.0.0.254"])
        #expect(try pools("2001:db8::/64", "2001:db8::1") == ["2001:db8::2-2001:db8::ffff:ffff:ffff:ffff"])
        #expect(try pools("10.0.0.0/32", "10.0.0.0") == [])
    }

    @Test(
        "pools that are refused",
        arguments: [
            ("10.0.0.9", "10.0.0.5", "InvalidAllocationPool"), ("10.0.0.5", "x", "InvalidAllocationPool"),
            ("10.0.0.5", "10.0.1.5", "OutOfBoundsAllocationPool"),
            ("10.0.0.0", "10.0.0.5", "OutOfBoundsAllocationPool"),
            ("::1", "::2", "InvalidAllocationPool"),
        ])
    func refused(_ start: String, _ end: String, _ kind: String) throws {
        let cidr = try #require(CIDR("10.0.0.0/24"))
        let error = try #require(throws: CloudError.self) { try AllocationPools.checked([(start, end)], in: cidr) }
        #expect(error.kind == kind)
    }

    @Test("pools must not overlap, nor hold the gateway")
    func overlap() throws {
        let cidr = try #require(CIDR("10.0.0.0/24"))
        let overlapping = #expect(throws: CloudError.self) {
            try AllocationPools.checked([("10.0.0.20", "10.0.0.30"), ("10.0.0.10", "10.0.0.20")], in: cidr)
        }
        #expect(overlapping?.kind == "OverlappingAllocationPools")
        let pools = try AllocationPools.checked([("10.0.0.20", "10.0.0.30")], in: cidr)
        #expect(throws: CloudError.self) { try AllocationPools.checkGateway(IPAddress("10.0.0.25"), outside: pools) }
        try AllocationPools.checkGateway(IPAddress("10.0.0.1"), outside: pools)
    }

    @Test("a CIDR has no host bits and the family it claims")
    func cidrs() throws {
        func check(_ cidr: String, _ version: Int) throws -> CIDR {
            var draft = SubnetDraft()
            draft.cidr = cidr
            draft.ipVersion = version
            return try SubnetCheck.cidr(draft)
        }
        #expect(try check("10.0.0.0/24", 4).description == "10.0.0.0/24")
        for (cidr, version) in [
            ("10.0.0.1/24", 4), ("10.0.0.0/24", 6), ("224.0.0.0/24", 4), ("0.0.0.0/0", 4), ("10.0.0.0", 4),
        ] {
            #expect(throws: CloudError.self) { try check(cidr, version) }
        }
    }
}

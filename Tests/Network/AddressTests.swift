// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Testing

/// Goal: addresses are read strictly, written canonically, and counted right at the ends of their family.
@Suite("Addresses")
struct AddressTests {
    @Test(
        "canonical text",
        arguments: [
            ("10.0.0.1", "10.0.0.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"), ("::1", "::1"),
            ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8:0:1:0:0:0:1", "2001:db8:0:1::1"),
            ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"), ("fe80::", "fe80::"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1"), ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("1::8", "1::8"),
        ])
    func canonical(_ text: String, _ expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(IPAddress(address.description) == address)
        #expect(IPAddress(sortKey: address.sortKey) == address)
    }

    @Test(
        "what is no address",
        arguments: [
            "", "1", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.", "a.b.c.d", ":", ":::", "1::2::3", "1:2:3",
            "12345::", "g::", "fe80::1%eth0", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8:9", "::1.2.3", ":1::2",
            " 10.0.0.1",
        ])
    func refused(_ text: String) { #expect(IPAddress(text) == nil) }

    @Test("arithmetic ends at the end of the family")
    func arithmetic() throws {
        let last = try #require(IPAddress("255.255.255.255"))
        #expect(last.advanced(by: 1) == nil)
        #expect(last.advanced(by: -1)?.description == "255.255.255.254")
        #expect(try #require(IPAddress("0.0.0.0")).advanced(by: -1) == nil)
        #expect(try #require(IPAddress("::ffff")).advanced(by: 1)?.description == "::1:0")
        #expect(try #require(IPAddress("10.0.0.9")) < #require(IPAddress("10.0.0.10")))
        #expect(try #require(IPAddress("10.0.0.9")).sortKey < #require(IPAddress("10.0.0.10")).sortKey)
    }

    @Test("CIDR: canonical, hosts, overlap")
    func cidr() throws {
        let network = try #require(CIDR("10.0.0.77/24"))
        #expect(network.description == "10.0.0.0/24")
        #expect(network.last.description == "10.0.0.255")
        #expect(network.hosts.lowerBound.description == "10.0.0.1")
        #expect(network.hosts.upperBound.description == "10.0.0.254")
        #expect(network.netmask.description == "255.255.255.0")
        #expect(try network.overlaps(#require(CIDR("10.0.0.128/25"))))
        #expect(try #require(CIDR("10.0.0.128/25")).overlaps(network))
        #expect(try !network.overlaps(#require(CIDR("10.0.1.0/24"))))
        #expect(try #require(CIDR("0.0.0.0/0")).contains(network))
        #expect(CIDR.anyIPv6.last.description == "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
        #expect(try #require(CIDR("2001:db8::/64")).hosts.upperBound.description == "2001:db8::ffff:ffff:ffff:ffff")
        #expect(try #require(CIDR("10.0.0.4/31")).hosts.lowerBound.description == "10.0.0.4")
        #expect(CIDR("10.0.0.0/33") == nil)
        #expect(CIDR("10.0.0.0/") == nil)
        #expect(CIDR("10.0.0.0/+8") == nil)
        #expect(CIDR("10.0.0.1")?.description == "10.0.0.1/32")
    }

    @Test("MAC addresses, and the address that a host makes of one")
    func mac() throws {
        let mac = try #require(MACAddress("FA:16:3E:aa-bb:cc".replacing("-", with: ":")))
        #expect(mac.description == "fa:16:3e:aa:bb:cc")
        #expect(MACAddress("fa:16-3e:aa:bb:cc") == nil)
        #expect(MACAddress("fa:16:3e:aa:bb") == nil)
        #expect(MACAddress("01:00:5e:00:00:01")?.isMulticast == true)
        #expect(MACAddress.generated(from: .max).description == "fa:16:3e:ff:ff:ff")
        #expect(
            try mac.slaacAddress(in: #require(CIDR("2001:db8::/64"))).description == "2001:db8::f816:3eff:feaa:bbcc")
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ComputeCore
import NetworkContract
import Testing

@Suite("Host names")
struct HostnameTests {
    @Test(
        "are made of a server's name",
        arguments: [
            ("Web 1", "web-1"), ("a_b.c", "a-b-c"), ("--x--", "x"), ("안녕", "server-0"), ("ÄB", "b"),
        ])
    func sanitized(_ name: String, _ expected: String) {
        #expect(Hostname.sanitized(name, fallback: "server-0") == expected)
    }

    @Test("stay within 63 bytes")
    func length() {
        #expect(Hostname.sanitized(String(repeating: "a", count: 100), fallback: "x").utf8.count == 63)
    }

    @Test("are checked as 2.90 and 2.94 say")
    func valid() {
        #expect(Hostname.isValid("web-1", allowsDomain: false))
        #expect(!Hostname.isValid("web.example", allowsDomain: false))
        #expect(Hostname.isValid("web.example", allowsDomain: true))
        #expect(!Hostname.isValid("-web", allowsDomain: false))
        #expect(!Hostname.isValid("w", allowsDomain: false))
    }
}

@Suite("Host filters")
struct HostFilterTests {
    private static func view(
        _ name: String = "node-1", zone: String = "nova", isUp: Bool = true, free: Int64 = 0, members: Int = 0,
        change: (inout ComputeHost) -> Void = { _ in }
    ) -> HostView {
        var host = ComputeHost(
            number: 1, serviceID: "service", nodeID: "node", host: name, isDisabled: false, disabledReason: nil,
            isForcedDown: false, lastSeenAt: Timestamp(seconds: 0), createdAt: Timestamp(seconds: 0), bootedAt: nil,
            hypervisor: HypervisorInfo(
                hostname: name, type: "QEMU", version: 8_000_000, virtualizationType: "kvm", vcpus: 4, memoryMiB: 8192,
                diskGiB: 100, cpuInfo: #"{"arch":"x86_64"}"#, hostAddress: "192.0.2.1"))
        change(&host)
        return HostView(host: host, zone: zone, isUp: isUp, freeMemoryMiB: free, groupMembers: members)
    }

    private static func refusal(
        _ view: HostView, _ group: ServerGroup? = nil, _ change: (inout HostRequest) -> Void = { _ in }
    )
        -> String?
    {
        var request = HostRequest()
        change(&request)
        return HostFilter.all.lazy.compactMap { $0.refusal(view, request, group) }.first
    }

    @Test("a healthy host passes")
    func passes() { #expect(Self.refusal(Self.view()) == nil) }

    @Test("a host that is down, forced down or disabled is refused, the last not to an administrator who names it")
    func service() {
        #expect(Self.refusal(Self.view(isUp: false)) == "its compute service is down")
        #expect(Self.refusal(Self.view { $0.isForcedDown = true }) == "its compute service is forced down")
        let disabled = Self.view { $0.isDisabled = true }
        #expect(Self.refusal(disabled) == "its compute service is disabled")
        #expect(Self.refusal(disabled) { ($0.host, $0.isForced) = ("node-1", true) } == nil)
    }

    @Test("zone, host, architecture and hypervisor must fit")
    func fits() {
        #expect(Self.refusal(Self.view()) { $0.zone = "other" } != nil)
        #expect(Self.refusal(Self.view()) { $0.host = "node-2" } != nil)
        #expect(Self.refusal(Self.view()) { $0.imageProperties = ["hw_architecture": "aarch64"] } != nil)
        #expect(Self.refusal(Self.view()) { $0.imageProperties = ["hw_architecture": "amd64"] } == nil)
        #expect(Self.refusal(Self.view()) { $0.imageProperties = ["img_hv_type": "qemu"] } == nil)
        #expect(Self.refusal(Self.view()) { $0.imageProperties = ["img_hv_type": "xen"] } != nil)
    }

    @Test("groups keep servers together or apart")
    func groups() {
        func group(_ policy: ServerGroup.Policy, _ maximum: Int? = nil) -> ServerGroup {
            ServerGroup(
                id: "g", name: "g", policy: policy, maximumPerHost: maximum, projectID: "p", userID: "u", members: ["s"]
            )
        }
        #expect(Self.refusal(Self.view(members: 1), group(.antiAffinity)) != nil)
        #expect(Self.refusal(Self.view(members: 1), group(.antiAffinity, 2)) == nil)
        #expect(Self.refusal(Self.view(members: 0), group(.affinity)) != nil)
        #expect(Self.refusal(Self.view(members: 1), group(.affinity)) == nil)
        let (full, empty) = (Self.view("a", free: 1, members: 1), Self.view("b", free: 2, members: 0))
        #expect(HostWeigher.sorted([full, empty], group: group(.softAffinity)).map(\.host.host) == ["a", "b"])
        #expect(HostWeigher.sorted([full, empty], group: nil).map(\.host.host) == ["b", "a"])
    }

    @Test("only administrators learn which host refused")
    func names() {
        let failure = NoValidHost([
            .init(host: "node-1", reasons: ["VCPU: wants 4, 1 of 2 left"]),
            .init(host: "node-2", reasons: ["its compute service is down"]),
        ])
        #expect(!failure.message.contains("node-") && !failure.message.contains("wants 4"))
        #expect(failure.message.contains("1 of 2: not enough VCPU"))
        #expect(failure.details.contains("node-1: VCPU: wants 4, 1 of 2 left"))
    }
}

// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// `--reach` and `--uplink nat`: a cable between this machine and the cloud's provider network.
///
/// The cable ends in the host's provider namespace, so it goes with the host, and the route with the cable. What stays
/// is the NAT table and the switch for forwarding: `down` and `purge` take them back.
struct Reach {
    static let outer = "haneul0"
    static let outerAddress = "169.254.240.1/30"
    static let innerAddress = "169.254.240.2"
    static let floatingRange = "172.24.4.0/24"
    private static let forwarding = "/proc/sys/net/ipv4/ip_forward"

    let state: SandboxState

    init(_ state: SandboxState) { self.state = state }

    /// Whether this machine forwarded before.
    private var forwardingBefore: String { state.directory + "/ip-forward.before" }

    /// May be repeated: what is there of an earlier try is made anew.
    func configure(_ settings: SandboxState.Settings) throws {
        guard settings.reach, let host = state.runningHost() else { return }
        let inside = ["nsenter", "--target", "\(host)", "--net", "--mount", "--pid", "--"]
        let provider = SandboxHost.providerNamespace
        if FileSystem.exists("/sys/class/net/\(Self.outer)") { try run(["ip", "link", "delete", Self.outer]) }
        try run(["ip", "link", "add", Self.outer, "type", "veth", "peer", "name", "reach0", "netns", "\(host)"])
        try run(["ip", "addr", "add", Self.outerAddress, "dev", Self.outer])
        try run(["ip", "link", "set", Self.outer, "up"])
        try run(inside + ["ip", "link", "set", "reach0", "netns", provider])
        try run(inside + ["ip", "-n", provider, "addr", "add", Self.innerAddress + "/30", "dev", "reach0"])
        try run(inside + ["ip", "-n", provider, "link", "set", "reach0", "up"])
        try run(inside + ["ip", "netns", "exec", provider, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
        try run(["ip", "route", "replace", Self.floatingRange, "via", Self.innerAddress])
        if settings.uplink { try masquerade(inside, provider) }
    }

    private func masquerade(_ inside: [String], _ provider: String) throws {
        let gateway = String(Self.outerAddress.prefix { $0 != "/" })
        try run(inside + ["ip", "-n", provider, "route", "replace", "default", "via", gateway])
        if !FileSystem.exists(forwardingBefore), let before = FileSystem.readable(Self.forwarding) {
            try FileSystem.writeAtomically(forwardingBefore, before)
        }
        try run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        try run(["nft", "add", "table", "ip", "haneul"])
        try run([
            "nft", "add", "chain", "ip", "haneul", "postrouting", "{ type nat hook postrouting priority srcnat; }",
        ])
        try run(["nft", "flush", "chain", "ip", "haneul", "postrouting"])
        try run(["nft", "add", "rule", "ip", "haneul", "postrouting", "ip", "saddr", Self.floatingRange, "masquerade"])
    }

    /// What does not go with the host. Not an error when nothing is there.
    func remove() throws {
        guard let settings = try state.settings(), settings.uplink else { return }
        try? run(["nft", "delete", "table", "ip", "haneul"])  // absent after a reboot
        if let before = FileSystem.readable(forwardingBefore), before.hasPrefix("0") {
            try run(["sysctl", "-qw", "net.ipv4.ip_forward=0"])
        }
        try FileSystem.removeTree(forwardingBefore)
    }

    static func complainUnlessRemoved(_ state: SandboxState) {
        do {
            try Reach(state).remove()
        } catch {
            Terminal.complain("The uplink's NAT was not taken back: \(error)")
        }
    }

    private func run(_ command: [String]) throws {
        let status = HostProcess.wait(try HostProcess.spawn(command, output: .inherit))
        guard status == 0 else {
            throw CommandFailure("`\(command.joined(separator: " "))` ended with status \(status).")
        }
    }
}

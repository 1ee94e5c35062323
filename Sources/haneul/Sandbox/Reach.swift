// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// `--reach` and `--uplink nat`: a cable between this machine and the cloud's provider network.
///
/// The cable ends in the host's provider namespace, so it goes with the host; the route and the NAT table on this
/// machine's side go with the cable, or are named and removed by `down` and `purge`.
enum Reach {
    static let outer = "haneul0"
    static let outerAddress = "169.254.240.1/30"
    static let innerAddress = "169.254.240.2"
    static let floatingRange = "172.24.4.0/24"

    static func configure(_ state: SandboxState, _ settings: SandboxState.Settings) throws {
        guard settings.reach, let host = state.runningHost() else { return }
        let inside = ["nsenter", "--target", "\(host)", "--net", "--mount", "--pid", "--"]
        let provider = SandboxHost.providerNamespace
        try run(["ip", "link", "add", outer, "type", "veth", "peer", "name", "reach0", "netns", "\(host)"])
        try run(["ip", "addr", "add", outerAddress, "dev", outer])
        try run(["ip", "link", "set", outer, "up"])
        try run(inside + ["ip", "link", "set", "reach0", "netns", provider])
        try run(inside + ["ip", "-n", provider, "addr", "add", innerAddress + "/30", "dev", "reach0"])
        try run(inside + ["ip", "-n", provider, "link", "set", "reach0", "up"])
        try run(inside + ["ip", "netns", "exec", provider, "sysctl", "-qw", "net.ipv4.ip_forward=1"])
        try run(["ip", "route", "replace", floatingRange, "via", innerAddress])
        if settings.uplink { try masquerade(inside, provider) }
    }

    private static func masquerade(_ inside: [String], _ provider: String) throws {
        let gateway = String(outerAddress.prefix { $0 != "/" })
        try run(inside + ["ip", "-n", provider, "route", "replace", "default", "via", gateway])
        try run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        try run(["nft", "add", "table", "ip", "haneul"])
        try run([
            "nft", "add", "chain", "ip", "haneul", "postrouting", "{ type nat hook postrouting priority srcnat; }",
        ])
        try run(["nft", "flush", "chain", "ip", "haneul", "postrouting"])
        try run(["nft", "add", "rule", "ip", "haneul", "postrouting", "ip", "saddr", floatingRange, "masquerade"])
    }

    /// What does not go with the host. Not an error when nothing is there.
    static func remove(_ settings: SandboxState.Settings) {
        guard settings.uplink else { return }
        try? run(["nft", "delete", "table", "ip", "haneul"])  // absent after a reboot
    }

    private static func run(_ command: [String]) throws {
        let status = HostProcess.wait(try HostProcess.spawn(command, output: .inherit))
        guard status == 0 else {
            throw CommandFailure("`\(command.joined(separator: " "))` ended with status \(status).")
        }
    }
}

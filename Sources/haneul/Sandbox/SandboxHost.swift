// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc
import LinuxKit
import LogKit

/// The first process of the cloud's isolated host: private mounts, the provider network, the daemons, and an eye on them.
///
/// The host is a set of namespaces (network, mount, uts, pid), so every daemon runs with its usual paths and nothing of
/// the machine is changed. When this process ends, the kernel ends all others in it and removes every interface.
struct SandboxHost {
    /// The host as OVN, libvirt and placement know it.
    static let name = "haneul"
    static let providerNamespace = "provider"
    static let externalBridge = "br-ex"
    /// The provider network's own end: the router that floating addresses are reached through.
    static let providerAddress = "172.24.4.1/24"
    static let listenDescriptor: Int32 = 3

    let state: SandboxState
    let settings: SandboxState.Settings
    private let log = Logger("host")

    /// `haneul host-init`: never by hand.
    static func run(_ words: [String]) throws {
        let arguments = try Arguments(words, valued: ["state"])
        guard getpid() == 1 else {
            throw CommandFailure("host-init is the first process of a cloud's host; see `haneul up`.")
        }
        guard let settings = try arguments.state.settings() else { throw CommandFailure("The settings are missing.") }
        try SandboxHost(state: arguments.state, settings: settings).run()
    }

    private func run() throws {
        // Every child but the API process starts without the listening socket.
        _ = fcntl(Self.listenDescriptor, F_SETFD, FD_CLOEXEC)
        try mountPrivately()
        try setUpNetwork()
        var daemons = Supervisor(logDirectory: state.logDirectory + "/haneul", allLogs: state.logDirectory)
        try startDaemons(&daemons)
        log.info("host is up", ["state": state.directory])
        daemons.superviseUntilTermination()
        log.info("host stops")
        daemons.stop("haneul", seconds: 20)
        // The guests' memory goes to disk; `up` resumes them where they were.
        daemons.finish(["/proc/self/exe", "save-guests", "--state", state.directory])
        daemons.stop("libvirtd", seconds: 5)
        sync()
    }

    // MARK: Mounts

    private func mountPrivately() throws {
        try Mounts.mount("none", at: "/", flags: [.isPrivate, .recursive])
        let cgroups = state.directory + "/cgroup"
        try FileSystem.makeDirectories(cgroups)
        try Mounts.mount("/sys/fs/cgroup", at: cgroups, flags: [.bind, .recursive])
        // A fresh sysfs shows this network namespace's devices instead of the machine's.
        try Mounts.mount("sysfs", at: "/sys", type: "sysfs")
        try Mounts.mount(cgroups, at: "/sys/fs/cgroup", flags: [.bind, .recursive])
        try Mounts.mount("tmpfs", at: "/run", type: "tmpfs", options: "mode=755")
        for directory in SandboxState.hostDirectories {
            let own = state.hostTree + directory
            try FileSystem.makeDirectories(own)
            try FileSystem.makeDirectories(directory)
            try Mounts.mount(own, at: directory, flags: .bind)
        }
        for directory in [
            "/run/netns", "/run/lock", "/run/openvswitch", "/run/ovn", "/run/libvirt", "/var/log/openvswitch",
            "/var/log/ovn", "/var/log/libvirt/qemu", "/var/log/haneul",
        ] {
            try FileSystem.makeDirectories(directory)
        }
        guard sethostname(Self.name, Self.name.utf8.count) == 0 else { throw CommandFailure("Cannot name the host.") }
    }

    // MARK: Network

    /// A namespace that stands for everything outside the cloud, joined to the external bridge by one cable.
    private func setUpNetwork() throws {
        for command in [
            "ip link set lo up",
            "ip netns add \(Self.providerNamespace)",
            "ip link add provider0 type veth peer name eth0 netns \(Self.providerNamespace)",
            "ip link set provider0 up",
            "ip -n \(Self.providerNamespace) link set lo up",
            "ip -n \(Self.providerNamespace) addr add \(Self.providerAddress) dev eth0",
            "ip -n \(Self.providerNamespace) link set eth0 up",
            // The userspace datapath takes frames as they are: a checksum left to the card would stay wrong.
            "ethtool -K provider0 tx off",
            "ip netns exec \(Self.providerNamespace) ethtool -K eth0 tx off",
        ] {
            try execute(command.split(separator: " ").map(String.init))
        }
        try execute(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    }

    /// A step of the set-up, before anything is supervised.
    private func execute(_ command: [String]) throws {
        let process = try HostProcess.spawn(command, output: .file("/var/log/haneul/setup.log"))
        let status = HostProcess.wait(process)
        guard status == 0 else {
            throw CommandFailure("`\(command.joined(separator: " "))` ended with status \(status); see setup.log.")
        }
    }

    // MARK: Daemons

    private func startDaemons(_ daemons: inout Supervisor) throws {
        try createDatabase("/etc/openvswitch/conf.db", schema: "/usr/share/openvswitch/vswitch.ovsschema")
        try createDatabase("/var/lib/ovn/ovnnb_db.db", schema: "/usr/share/ovn/ovn-nb.ovsschema")
        try createDatabase("/var/lib/ovn/ovnsb_db.db", schema: "/usr/share/ovn/ovn-sb.ovsschema")
        try daemons.start(
            "ovsdb-server",
            [
                "ovsdb-server", "/etc/openvswitch/conf.db", "--remote=punix:/run/openvswitch/db.sock",
                "--unixctl=/run/openvswitch/ovsdb-server.ctl",
            ])
        for (name, file) in [("nb", "ovnnb_db"), ("sb", "ovnsb_db")] {
            try daemons.start(
                "ovn-\(name)",
                [
                    "ovsdb-server", "/var/lib/ovn/\(file).db", "--remote=punix:/run/ovn/\(file).sock",
                    "--unixctl=/run/ovn/\(file).ctl",
                ])
        }
        try waitForSockets(["/run/openvswitch/db.sock", "/run/ovn/ovnnb_db.sock", "/run/ovn/ovnsb_db.sock"])
        try execute(["ovs-vsctl", "--no-wait", "init"])
        try execute(["ovn-nbctl", "--no-leader-only", "init"])
        try execute(["ovn-sbctl", "--no-leader-only", "init"])
        try daemons.start(
            "ovs-vswitchd",
            ["ovs-vswitchd", "unix:/run/openvswitch/db.sock", "--pidfile=/run/openvswitch/ovs-vswitchd.pid"])
        // In a child of its own: this process reaps every child it has, the helpers of a library too.
        try execute(["/proc/self/exe", "prepare-switch"])
        try daemons.start(
            "ovn-northd",
            [
                "ovn-northd", "--ovnnb-db=unix:/run/ovn/ovnnb_db.sock", "--ovnsb-db=unix:/run/ovn/ovnsb_db.sock",
                "--unixctl=/run/ovn/ovn-northd.ctl",
            ])
        try daemons.start(
            "ovn-controller",
            ["ovn-controller", "unix:/run/openvswitch/db.sock", "--pidfile=/run/ovn/ovn-controller.pid"])
        try LibvirtSettings(hostUUID: settings.hostUUID).write()
        try daemons.start("libvirtd", ["libvirtd", "--pid-file", "/run/libvirtd.pid"])
        try daemons.start(
            "haneul", ["/proc/self/exe", "serve", "--state", state.directory],
            environment: ["HANEUL_LISTEN_DESCRIPTOR": "\(Self.listenDescriptor)"], keeping: [Self.listenDescriptor])
    }

    private func createDatabase(_ path: String, schema: String) throws {
        guard !FileSystem.exists(path) else { return }
        try execute(["ovsdb-tool", "create", path, schema])
    }

    private func waitForSockets(_ paths: [String]) throws {
        for path in paths {
            var tries = 0
            while !FileSystem.exists(path) {
                tries += 1
                guard tries < 500 else { throw CommandFailure("\(path) did not appear within 10 s.") }
                usleep(20_000)
            }
        }
    }
}

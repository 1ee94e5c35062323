// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLinux
import Glibc
import LinuxKit

/// `haneul up`: brings up, or resumes, a whole cloud on this machine, in the background.
enum UpCommand {
    static let usage = "haneul up [--state DIR] [--port N] [--guest-image FILE] [--reach] [--uplink nat]"
    static let readySeconds = 60

    /// Programs that the host runs, each with the Debian package that brings it.
    static let programs = [
        "ovsdb-server": "openvswitch-switch", "ovs-vswitchd": "openvswitch-switch", "ovn-northd": "ovn-central",
        "ovn-controller": "ovn-host", "libvirtd": "libvirt-daemon", "qemu-system-x86_64": "qemu-system-x86",
        "qemu-img": "qemu-utils", "genisoimage": "genisoimage", "ip": "iproute2", "ethtool": "ethtool",
        "unshare": "util-linux", "nsenter": "util-linux", "sysctl": "procps",
    ]

    static func run(_ words: [String]) throws {
        let arguments = try Arguments(
            words, valued: ["state", "port", "guest-image", "uplink"], flags: ["reach"])
        try requireRoot(
            "it makes network, mount and process namespaces for the cloud's host, and network devices inside them")
        if let uplink = arguments.value("uplink"), uplink != "nat" { throw CommandFailure("--uplink takes `nat`.") }
        let state = arguments.state
        if state.runningHost() != nil, let settings = try state.settings() {
            do {
                // What an earlier `up` may not have come to.
                try finish(state, settings)
                Terminal.say("The cloud in \(state.directory) is up already.")
                return try announce(state)
            } catch where state.runningHost() == nil {
                // It was about to end: another takes its place.
            }
        }
        try requirePrograms()
        // The host reads it again; here, whoever calls sees what is wrong with it.
        _ = try OperatorSettings.load(state)
        try FileSystem.makeDirectories(state.logDirectory + "/haneul")
        guard chmod(state.directory, 0o700) == 0 else {
            throw CommandFailure("\(state.directory) cannot be made private.")
        }
        let settings = try prepare(state, arguments)
        let start = ContinuousClock.now
        try launch(state, settings)
        try finish(state, settings)
        Terminal.say("Up in \(start.duration(to: .now).formattedSeconds) s.")
        try announce(state)
    }

    /// What follows once the host runs. Every part may be repeated.
    private static func finish(_ state: SandboxState, _ settings: SandboxState.Settings) throws {
        try waitUntilReady(state, settings)
        try Reach(state).configure(settings)
        try Welcome(state: state, settings: settings).run()
        if let credentials = try state.credentials() { try CloudsFile.ofCaller.merge(credentials, port: settings.port) }
    }

    private static func requirePrograms() throws {
        let missing = programs.filter { Subprocess.find($0.key) == nil }
        guard missing.isEmpty else {
            throw CommandFailure(
                "Missing: \(missing.keys.sorted().joined(separator: ", ")). "
                    + "Install them with: apt-get install \(Set(missing.values).sorted().joined(separator: " "))")
        }
    }

    private static func prepare(_ state: SandboxState, _ arguments: Arguments) throws -> SandboxState.Settings {
        var settings =
            try state.settings()
            ?? SandboxState.Settings(
                port: SandboxState.defaultPort, reach: false, uplink: false, hostUUID: IDSource.random.uuid())
        if let port = try arguments.number("port", 1...65_535) { settings.port = port }
        if arguments.has("reach") { settings.reach = true }
        if arguments.value("uplink") != nil {
            settings.uplink = true
            settings.reach = true
        }
        try state.save(settings)
        if try state.credentials() == nil {
            try state.save(.generated())
        }
        if let image = arguments.value("guest-image") {
            guard FileSystem.exists(image) else { throw CommandFailure("There is no file \(image).") }
            try copy(image, to: state.guestImage)
        }
        return settings
    }

    private static func copy(_ source: String, to target: String) throws {
        let process = try HostProcess.spawn(["cp", "--reflink=auto", "--", source, target], output: .inherit)
        guard HostProcess.wait(process) == 0 else { throw CommandFailure("\(source) cannot be copied to \(target).") }
    }

    /// The listening socket is made here, outside, and handed in: the API answers on this machine's 127.0.0.1 while
    /// the process that serves it sees only its own host's network.
    private static func launch(_ state: SandboxState, _ settings: SandboxState.Settings) throws {
        let listener = try listen(on: settings.port)
        defer { close(listener) }
        guard dup2(listener, SandboxHost.listenDescriptor) >= 0 else {
            throw CommandFailure("Cannot pass the socket on.")
        }
        let shell = try HostProcess.spawn(
            [
                "unshare", "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
                executable(), "host-init", "--state", state.directory,
            ],
            keeping: [SandboxHost.listenDescriptor], output: .file(state.logDirectory + "/haneul/host.log"))
        for _ in 0..<200 {
            if let text = FileSystem.readable("/proc/\(shell)/task/\(shell)/children"),
                let child = text.split(separator: " ").first.flatMap({ Int32($0) })
            {
                return try state.recordHost(child)
            }
            if waitpid(shell, nil, WNOHANG) != 0 { break }
            usleep(10_000)
        }
        throw CommandFailure("The host did not start; see \(state.logDirectory)/haneul/host.log.")
    }

    static func executable() -> String {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        return count > 0 ? String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : "haneul"
    }

    private static func listen(on port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard descriptor >= 0, bound == 0, Glibc.listen(descriptor, 1024) == 0 else {
            throw CommandFailure(
                "Port \(port) of 127.0.0.1 is not free (\(String(cString: strerror(errno)))). Choose another with --port."
            )
        }
        return descriptor
    }

    private static func waitUntilReady(_ state: SandboxState, _ settings: SandboxState.Settings) throws {
        let client = APIClient(port: settings.port, token: nil)
        for _ in 0..<(readySeconds * 20) {
            if state.runningHost() == nil {
                throw CommandFailure("The host ended; see \(state.logDirectory)/haneul/host.log.")
            }
            if let answer = client.request("GET", "/healthz", seconds: 5) {
                if answer.status == 200 { return }
                let down = (answer.json?["parts"]?.array ?? []).filter { $0["healthy"]?.bool != true }
                // Another machine's share is no reason to stay down; `haneul status` tells of it.
                if !down.isEmpty, down.allSatisfy({ $0["name"]?.string == CloudHealth.backupStore }) { return }
            }
            usleep(50_000)
        }
        throw CommandFailure(
            "The cloud was not ready within \(readySeconds) s; see `haneul status` and \(state.logDirectory)/haneul/.")
    }

    private static func announce(_ state: SandboxState) throws {
        guard let settings = try state.settings() else { return }
        Terminal.say(
            """

            APIs:      http://127.0.0.1:\(settings.port)  (clouds `haneul` and `haneul-admin` in \(CloudsFile.ofCaller.path))
            Next:
              export OS_CLOUD=haneul
              openstack server create --flavor m1.tiny --image guest --network private --key-name haneul first --wait
              openstack console log show first
            """)
    }
}

extension Duration {
    /// Seconds with one decimal.
    var formattedSeconds: String {
        let tenths = (microseconds + 50_000) / 100_000
        return "\(tenths / 10).\(tenths % 10)"
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageDriverKit
import ComputeContract
import ComputeDriverLibvirt
import Glibc
import ImageContract
import LinuxKit

/// A libvirtd for tests in namespaces of its own, so that nothing of the machine is seen or changed. Its whole host
/// ends with its first process.
final class LibvirtTestHost: Sendable {
    static var isPossible: Bool {
        geteuid() == 0 && FileSystem.exists("/usr/sbin/libvirtd") && FileSystem.exists("/usr/bin/qemu-system-x86_64")
    }

    let directory: String
    private let process: Daemon

    private init(directory: String, process: Daemon) {
        self.directory = directory
        self.process = process
    }

    /// `setup`: lines of shell that the host runs before libvirtd; `$1` is its folder.
    static func start(setup: String = "") async throws -> LibvirtTestHost {
        // Short, because paths of sockets are.
        let directory = "/tmp/haneul-lv-\(getpid())-\(UInt16.random(in: 0...UInt16.max))"
        for folder in ["run", "etc", "lib", "cache", "log"] {
            try FileSystem.makeDirectories("\(directory)/\(folder)")
        }
        try FileSystem.writeAtomically("\(directory)/etc/qemu.conf", qemuSettings)
        try FileSystem.writeAtomically("\(directory)/libvirtd.conf", daemonSettings(directory))
        try FileSystem.writeAtomically("\(directory)/setup.sh", "set -e\n" + setup)
        try FileSystem.writeAtomically("\(directory)/init.sh", initScript)
        let process = try await Subprocess.spawnDaemon(
            "/usr/bin/unshare",
            [
                "--net", "--mount", "--uts", "--pid", "--fork", "--mount-proc", "--kill-child", "/bin/sh",
                "\(directory)/init.sh", directory,
            ], logPath: "\(directory)/init.log")
        let host = LibvirtTestHost(directory: directory, process: process)
        for _ in 0..<600 where !FileSystem.exists(host.socket) { try await Task.sleep(for: .milliseconds(50)) }
        guard FileSystem.exists(host.socket) else {
            let log = try FileSystem.text("\(directory)/init.log") ?? ""
            try await host.stop()
            throw CloudError(.unavailable, "libvirtd did not start", cause: log)
        }
        return host
    }

    func stop() async throws {
        process.signal(SIGKILL)
        guard try await process.hasEnded(within: .seconds(20)) else {
            throw SystemError("stop", directory, code: EBUSY)
        }
        try FileSystem.removeTree(directory)
    }

    /// A driver whose base image is `image`, whatever id is asked for.
    func driver(image: [UInt8]) -> LibvirtDriver {
        var config = LibvirtConfig(
            stateDirectory: "\(directory)/state", hostname: "test", hostAddress: "127.0.0.1",
            usesUserspaceDatapath: true)
        config.uri = "qemu:///system?socket=\(socket)"
        config.runtimeDirectory = "\(directory)/run"
        config.virtualization = .qemu
        config.diskCache = .writeback
        return LibvirtDriver(config, images: BytesImageSource(bytes: image), shares: KernelShareMounter())
    }

    /// What libvirt's own client says.
    func virsh(_ arguments: String...) async throws -> String {
        try await Subprocess.runChecked(
            "/usr/bin/virsh", ["-c", "qemu:///system?socket=\(socket)"] + arguments
        ).output
    }

    private var socket: String { "\(directory)/run/libvirt-sock" }

    private static let qemuSettings = """
        user = "root"
        group = "root"
        security_driver = "none"
        dynamic_ownership = 0
        remember_owner = 0
        stdio_handler = "file"
        namespaces = [ ]
        cgroup_controllers = [ ]

        """

    private static func daemonSettings(_ directory: String) -> String {
        """
        listen_tls = 0
        auth_unix_ro = "none"
        auth_unix_rw = "none"
        unix_sock_dir = "\(directory)/run"
        log_outputs = "3:stderr"

        """
    }

    private static let initScript = """
        set -e
        mount --make-rprivate /
        mount -t sysfs sysfs /sys
        mkdir -p /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt
        mount --bind $1/etc /etc/libvirt
        mount --bind $1/lib /var/lib/libvirt
        mount --bind $1/cache /var/cache/libvirt
        mount --bind $1/log /var/log/libvirt
        mount -t tmpfs -o mode=755 tmpfs /run
        mkdir -p /run/libvirt
        ip link set lo up
        sh $1/setup.sh $1
        libvirtd -f $1/libvirtd.conf &
        trap 'exit 0' TERM
        while :; do sleep 3600 & wait $!; done

        """
}

/// The same bytes for every image.
struct BytesImageSource: ImageSource {
    let bytes: [UInt8]
    func fetch(_ id: ImageID, to path: String) async throws { try FileSystem.writeAtomically(path, bytes) }
}

/// A boot sector that writes three lines to the serial port, then idles or powers off. Boots in a moment.
enum BootSector {
    static func make(powersOff: Bool) -> [UInt8] {
        // cli; ds = 0; si = message; lodsb/outb 0x3F8 until zero
        var code: [UInt8] = [
            0xFA, 0x31, 0xC0, 0x8E, 0xD8, 0xBE, 0x1E, 0x7C, 0xAC, 0x84, 0xC0, 0x74, 0x06, 0xBA, 0xF8, 0x03, 0xEE, 0xEB,
            0xF5,
        ]
        // outw 0x2000 to port 0x604: the machine's soft-off; or nothing
        code += powersOff ? [0xBA, 0x04, 0x06, 0xB8, 0x00, 0x20, 0xEF] : [UInt8](repeating: 0x90, count: 7)
        // sti; hlt; for ever
        code += [0xFB, 0xF4, 0xEB, 0xFC]
        code += "first line\nsecond line\nthird line\n".utf8
        code += [UInt8](repeating: 0, count: 510 - code.count) + [0x55, 0xAA]
        return code + [UInt8](repeating: 0, count: (1 << 20) - code.count)
    }
}

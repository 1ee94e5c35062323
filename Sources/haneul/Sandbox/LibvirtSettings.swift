// SPDX-License-Identifier: Apache-2.0
import LinuxKit

/// libvirtd's configuration in a host of its own, without systemd, dbus or a second user.
struct LibvirtSettings {
    let hostUUID: String

    func write() throws {
        try FileSystem.makeDirectories("/etc/libvirt/qemu")
        try FileSystem.writeAtomically("/etc/libvirt/qemu.conf", qemu)
        try FileSystem.writeAtomically("/etc/libvirt/libvirtd.conf", daemon)
    }

    /// `stdio_handler`: there is no virtlogd. Ownership and namespaces: the host is one user's already, and with
    /// dynamic ownership libvirt would change the owner of base images that guests share.
    private let qemu = """
        user = "root"
        group = "root"
        security_driver = "none"
        dynamic_ownership = 0
        remember_owner = 0
        stdio_handler = "file"
        namespaces = [ ]
        vnc_listen = "127.0.0.1"

        """

    private var daemon: String {
        """
        listen_tls = 0
        listen_tcp = 0
        auth_unix_ro = "none"
        auth_unix_rw = "none"
        unix_sock_group = "root"
        unix_sock_rw_perms = "0700"
        host_uuid = "\(hostUUID)"
        log_outputs = "2:stderr"

        """
    }
}

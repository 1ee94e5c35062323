// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import LinuxKit

/// A Ceph cluster of one monitor and one store, in namespaces of its own with loopback alone. It ends with its first
/// process. Pools: `volumes` for client.cinder, `objects` for client.haneul.
package struct CephTestHost: Sendable {
    package static var isPossible: Bool {
        geteuid() == 0 && Subprocess.find("ceph-mon") != nil && Subprocess.find("ceph-osd") != nil
            && Subprocess.find("ceph-mgr") != nil && Subprocess.find("ceph") != nil
    }
    package static let needs = "needs root, and Ceph's monitor, manager and store"

    package let namespace: NetworkNamespace
    private let directory: String

    /// `folder`: what the cluster writes goes there.
    package static func with(folder: String, _ body: (CephTestHost) async throws -> Void) async throws {
        let namespace = NetworkNamespace("haneul-ceph-\(getpid())-\(UInt16.random(in: 0...UInt16.max))")
        try await namespace.create()
        let host = CephTestHost(namespace: namespace, directory: "\(folder)/ceph")
        let process = try await host.start()
        let result: Result<Void, any Error>
        do {
            try await host.untilReady(process)
            try await body(host)
            result = .success(())
        } catch {
            result = .failure(error)
        }
        process.signal(SIGKILL)
        _ = try await process.hasEnded(within: .seconds(20))
        try await namespace.delete()
        try result.get()
    }

    /// What clients are configured with.
    package var configurationFile: String { "\(directory)/client.conf" }

    private func start() async throws -> Daemon {
        try FileSystem.makeDirectories("\(directory)/run")
        try FileSystem.writeAtomically("\(directory)/ceph.conf", settings)
        try FileSystem.writeAtomically(
            configurationFile, "[global]\nmon_host = \(Self.monitor)\nkeyring = \(directory)/client.keyring\n")
        try FileSystem.writeAtomically("\(directory)/start.sh", Self.script)
        return try await Subprocess.spawnDaemon(
            "/usr/bin/unshare",
            [
                "--mount", "--pid", "--fork", "--mount-proc", "--kill-child", "/bin/bash", "\(directory)/start.sh",
                directory,
            ], logPath: "\(directory)/start.log", in: namespace)
    }

    private func untilReady(_ process: Daemon) async throws {
        for _ in 0..<1200 where process.isRunning && !FileSystem.exists("\(directory)/ready") {
            try await Task.sleep(for: .milliseconds(100))
        }
        guard FileSystem.exists("\(directory)/ready") else {
            throw CloudError(
                .unavailable, "Ceph did not start", cause: try FileSystem.text("\(directory)/start.log"))
        }
    }

    private static let monitor = "[v2:127.0.0.1:3300,v1:127.0.0.1:6789]"

    private var settings: String {
        """
        [global]
        fsid = 5f1d0c7e-0d5b-4d0e-9a47-5b1a5d7c9f00
        mon_initial_members = a
        mon_host = \(Self.monitor)
        public_addr = 127.0.0.1
        cluster_addr = 127.0.0.1
        auth_cluster_required = cephx
        auth_service_required = cephx
        auth_client_required = cephx
        auth_allow_insecure_global_id_reclaim = false
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_pool_default_pg_autoscale_mode = off
        osd_crush_chooseleaf_type = 0
        mon_allow_pool_size_one = true
        mon_data = \(directory)/mon
        osd_data = \(directory)/osd
        mgr_data = \(directory)/mgr
        run_dir = \(directory)/run
        admin_socket = \(directory)/run/$name.asok
        pid_file = \(directory)/run/$name.pid
        log_file = \(directory)/run/$name.log
        keyring = \(directory)/keyring
        osd_objectstore = bluestore
        bluestore_block_size = 21474836480
        bluestore_cache_autotune = false
        bluestore_cache_size = 67108864
        osd_memory_target = 939524096
        mon_data_avail_crit = 1
        mon_data_avail_warn = 2
        rbd_default_features = 61

        [osd.0]
        keyring = \(directory)/osd/keyring

        [mgr.x]
        keyring = \(directory)/mgr/keyring

        """
    }

    private static let script = """
        set -ex
        cd $1
        export CEPH_CONF=$1/ceph.conf
        mkdir -p mon osd
        ceph-authtool -C keyring --gen-key -n mon. --cap mon 'allow *'
        ceph-authtool keyring --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
        monmaptool --create --clobber --fsid 5f1d0c7e-0d5b-4d0e-9a47-5b1a5d7c9f00 \\
            --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' monmap
        ceph-mon --mkfs -i a --monmap monmap --keyring keyring
        ceph-mon -i a --setuser root --setgroup root
        uuid=$(cat /proc/sys/kernel/random/uuid)
        key=$(ceph-authtool --gen-print-key)
        echo "{\\"cephx_secret\\": \\"$key\\"}" | timeout 60 ceph osd new $uuid -i -
        ceph-authtool -C osd/keyring -n osd.0 --add-key $key
        ceph-osd -i 0 --mkfs --osd-uuid $uuid --setuser root --setgroup root
        ceph-osd -i 0 --setuser root --setgroup root
        for try in $(seq 200); do ceph osd stat | grep -q '1 up' && break; sleep 0.2; done
        mkdir -p mgr
        ceph auth get-or-create mgr.x mon 'allow profile mgr' osd 'allow *' > mgr/keyring
        ceph-mgr -i x --setuser root --setgroup root
        ceph osd crush add osd.0 1.0 host=ceph root=default
        ceph osd pool create volumes 8
        rbd pool init volumes
        ceph osd pool create objects 8
        ceph auth get-or-create client.cinder mon 'profile rbd' osd 'profile rbd pool=volumes' > client.keyring
        ceph auth get-or-create client.haneul mon 'allow r' osd 'allow rw pool=objects' >> client.keyring
        for try in $(seq 300); do ceph df -f json | grep -q '"name":"objects"' && break; sleep 0.2; done
        touch ready
        while :; do sleep 3600; done

        """
}

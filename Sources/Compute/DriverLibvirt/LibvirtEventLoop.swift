// SPDX-License-Identifier: Apache-2.0
import CLibvirt
import Glibc
import LifecycleKit

/// libvirt's event loop: one thread for the whole process, started before the first connection and never stopped.
/// It carries keepalives and events.
enum LibvirtEventLoop {
    /// libvirt allows one registration in the life of a process; Swift runs this once.
    private static let isRunning: Bool = {
        guard virInitialize() == 0, virEventRegisterDefaultImpl() == 0 else { return false }
        // libvirt would print each error to standard error; errors are read from the thread instead.
        virSetErrorFunc(nil) { _, _ in }
        SystemThread.start("libvirt-events") {
            while true {
                // A failed round must not become a busy loop.
                if virEventRunDefaultImpl() < 0 { usleep(100_000) }
            }
        }.detach()
        return true
    }()

    static func start() throws(LibvirtError) {
        guard isRunning else { throw LibvirtError.last() }
    }
}

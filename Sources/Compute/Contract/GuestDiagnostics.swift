// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

/// Controller to agent: what a running guest does. Answer: `GuestDiagnostics`; an error without a running guest.
package struct GuestDiagnosticsQuery: BusMessage, Equatable {
    package typealias Reply = GuestDiagnostics
    package static let version = 1
    package static let name: StaticString = "compute.guest-diagnostics"
    package var server: ServerID
    package init(server: ServerID) { self.server = server }
}

/// Counters of a guest since its start. Nil: the hypervisor does not say.
package struct GuestDiagnostics: Sendable, Codable, Equatable {
    package struct CPU: Sendable, Codable, Equatable {
        package var id: Int
        package var timeNanoseconds: Int64?
        package init(id: Int, timeNanoseconds: Int64?) {
            self.id = id
            self.timeNanoseconds = timeNanoseconds
        }
    }

    package struct Disk: Sendable, Codable, Equatable {
        /// `vda`.
        package var device: String
        package var readRequests: Int64?
        package var readBytes: Int64?
        package var writeRequests: Int64?
        package var writeBytes: Int64?
        package var errors: Int64?
        package init(device: String) { self.device = device }
    }

    package struct NIC: Sendable, Codable, Equatable {
        package struct Flow: Sendable, Codable, Equatable {
            package var bytes: Int64
            package var packets: Int64
            package var errors: Int64
            package var drops: Int64
            package init(bytes: Int64, packets: Int64, errors: Int64, drops: Int64) {
                self.bytes = bytes
                self.packets = packets
                self.errors = errors
                self.drops = drops
            }
        }
        package var macAddress: String
        /// `tap…`.
        package var device: String?
        package var received: Flow?
        package var sent: Flow?
        package init(macAddress: String, device: String?, received: Flow? = nil, sent: Flow? = nil) {
            self.macAddress = macAddress
            self.device = device
            self.received = received
            self.sent = sent
        }
    }

    package var powerState: PowerState
    /// `libvirt`.
    package var driver: String
    /// `kvm`, `qemu`.
    package var hypervisor: String
    package var maximumMemoryKiB: Int64
    package var usedMemoryKiB: Int64
    /// What the guest's balloon tells, by libvirt's names: `rss`, `unused`.
    package var memory: [String: Int64]
    package var cpus: [CPU]
    package var disks: [Disk]
    package var nics: [NIC]

    package init(
        powerState: PowerState, driver: String, hypervisor: String, maximumMemoryKiB: Int64, usedMemoryKiB: Int64,
        memory: [String: Int64] = [:], cpus: [CPU] = [], disks: [Disk] = [], nics: [NIC] = []
    ) {
        self.powerState = powerState
        self.driver = driver
        self.hypervisor = hypervisor
        self.maximumMemoryKiB = maximumMemoryKiB
        self.usedMemoryKiB = usedMemoryKiB
        self.memory = memory
        self.cpus = cpus
        self.disks = disks
        self.nics = nics
    }
}

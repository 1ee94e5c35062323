// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

// What controller and compute agent say to each other over the bus. Plain values: fields are only ever added, as
// optionals, because a controller and an agent of different versions must understand each other during an upgrade.
//
// Requests are addressed to one host and answered; the agent does a server's requests one after the other. All of them
// may be repeated, because the controller repeats a call whose answer it lost.

/// Controller to agent: build and start a guest. Answer: `GuestReply`, when the guest runs.
package struct BuildGuest: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.build-guest"
    package var guest: GuestSpecification
    package init(guest: GuestSpecification) { self.guest = guest }
}

/// Controller to agent: remove a guest with all its files. Answer: `GuestReply`; also when nothing was there.
package struct DestroyGuest: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package static let name: StaticString = "compute.destroy-guest"
    package var server: ServerID
    package init(server: ServerID) { self.server = server }
}

/// Controller to agent: change a guest's power state. Answer: `GuestReply` with the state it reached.
package struct PowerAction: BusMessage, Equatable {
    package typealias Reply = GuestReply
    package static let version = 1
    package enum Kind: String, Sendable, Codable, CaseIterable {
        case start, stop, softReboot, hardReboot, pause, unpause, suspend, resume
    }
    package static let name: StaticString = "compute.power-action"
    package var server: ServerID
    package var kind: Kind
    /// How long a guest has to power off by itself before the power is cut (`stop` and `softReboot`).
    package var graceSeconds: Int
    /// Where the guest finds its volumes if this makes it start. Nil: as it was before.
    package var volumes: [GuestVolume]?

    package init(server: ServerID, kind: Kind, graceSeconds: Int = 60, volumes: [GuestVolume]? = nil) {
        self.server = server
        self.kind = kind
        self.graceSeconds = graceSeconds
        self.volumes = volumes
    }
}

/// Agent's answer to a request that changes a guest. A failure is an error reply that carries the `CloudError`.
package struct GuestReply: Sendable, Codable, Equatable {
    /// Nil: there is no such guest (any more).
    package var powerState: PowerState?
    package init(powerState: PowerState?) { self.powerState = powerState }
}

/// Controller to agent. Answer: `ConsoleOutputReply`.
package struct ConsoleOutput: BusMessage, Equatable {
    package typealias Reply = ConsoleOutputReply
    package static let version = 1
    package static let name: StaticString = "compute.console-output"
    package var server: ServerID
    /// Nil: all that the log holds.
    package var lines: Int?
    package init(server: ServerID, lines: Int?) {
        self.server = server
        self.lines = lines
    }
}

package struct ConsoleOutputReply: Sendable, Codable, Equatable {
    /// Printable text: what no JSON may carry has been replaced.
    package var output: String
    package init(output: String) { self.output = output }
}

/// Controller to agent. Answer: `ConsoleEndpointReply`.
package struct ConsoleEndpointQuery: BusMessage, Equatable {
    package typealias Reply = ConsoleEndpointReply
    package static let version = 1
    package static let name: StaticString = "compute.console-endpoint"
    package var server: ServerID
    package var kind: ConsoleKind
    package init(server: ServerID, kind: ConsoleKind) {
        self.server = server
        self.kind = kind
    }
}

package struct ConsoleEndpointReply: Sendable, Codable, Equatable {
    package var endpoint: ConsoleEndpoint
    package init(endpoint: ConsoleEndpoint) { self.endpoint = endpoint }
}

/// Agent to controller: everything that the host is and has. Said at the agent's start, then every
/// `HostReport.interval`; it is also the agent's heartbeat.
package struct HostReport: BusEvent, Equatable {
    package static let version = 1
    package struct Guest: Sendable, Codable, Equatable {
        package var server: ServerID
        package var powerState: PowerState
        package init(server: ServerID, powerState: PowerState) {
            self.server = server
            self.powerState = powerState
        }
    }

    package static let name: StaticString = "compute.host-report"
    /// An agent that is silent for six times as long counts as down.
    package static let interval = Duration.seconds(10)
    /// The name that placement, scheduler and port bindings use for this host.
    package var host: String
    package var hypervisor: HypervisorInfo
    package var guests: [Guest]
    /// Servers with files on this host, guest or not.
    package var diskOwners: [ServerID]
    /// When the hypervisor was asked: older reports than a row's last change say nothing about it.
    package var takenAt: Timestamp
    /// When the host started, for its uptime.
    package var bootedAt: Timestamp?

    package init(
        host: String, hypervisor: HypervisorInfo, guests: [Guest], diskOwners: [ServerID], takenAt: Timestamp,
        bootedAt: Timestamp? = nil
    ) {
        self.host = host
        self.hypervisor = hypervisor
        self.guests = guests
        self.diskOwners = diskOwners
        self.takenAt = takenAt
        self.bootedAt = bootedAt
    }
}

/// Agent to controller: a guest changed its power state by itself (powered off inside, crashed). No answer.
/// May be lost: the next `HostReport` says the same.
package struct GuestEvent: BusEvent, Equatable {
    package static let version = 1
    package static let name: StaticString = "compute.guest-event"
    package var host: String
    package var server: ServerID
    package var powerState: PowerState
    package var at: Timestamp

    package init(host: String, server: ServerID, powerState: PowerState, at: Timestamp) {
        self.host = host
        self.server = server
        self.powerState = powerState
        self.at = at
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import NetworkContract

/// A host that a port is bound to, or that is prepared for it: a guest that moves has both.
package struct PortBinding: Sendable, Equatable {
    package var port: PortID
    package var host: String
    package var vnicType: String
    /// A JSON object.
    package var profile: String
    /// There is one, and the port shows it as its own.
    package var isActive: Bool

    /// The one that the port shows; nil while it is unbound.
    init?(activeOf port: Port) {
        guard !port.host.isEmpty else { return nil }
        self.init(
            port: port.id, host: port.host, vnicType: port.vnicType, profile: port.profile, isActive: true)
    }

    init(port: PortID, host: String, vnicType: String, profile: String, isActive: Bool) {
        self.port = port
        self.host = host
        self.vnicType = vnicType
        self.profile = profile
        self.isActive = isActive
    }
}

/// What a caller gives to create or change a binding. Nil: not given.
package struct PortBindingDraft: Sendable {
    package var host: String?
    package var vnicType: String?
    package var profile: JSON?

    package init() {}
}

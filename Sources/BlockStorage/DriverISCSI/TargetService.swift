// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A volume as hosts see it over iSCSI: one target with one logical unit.
struct ISCSITarget: Sendable, Equatable {
    var name: String
    /// The device or file behind it.
    var path: String
    var chapUser: String
    var chapPassword: String
    /// Hosts that may log in, by address.
    var addresses: Set<String>
    /// Hosts whose address is not known, by the name of their initiator.
    var initiators: Set<String>
    var isReadOnly: Bool
}

/// What exports block devices.
protocol TargetService: Sendable {
    /// The number of the unit with the volume.
    var lun: Int { get }
    /// Looks whether it runs, and starts it where that is its way.
    func ensureRunning() async throws
    /// Names of the targets that are there.
    func targets() async throws -> Set<String>
    /// Makes the target what is said, whatever it was. Hosts that may no longer log in are cut off.
    func ensure(_ target: ISCSITarget) async throws
    /// Not an error when there is none. Cuts off whoever uses it.
    func remove(_ name: String, chapUser: String) async throws
    /// Hosts see the size that the device has now, when they ask for it.
    func refreshSize(_ target: ISCSITarget) async throws
    func hasSessions(_ name: String) async throws -> Bool
}

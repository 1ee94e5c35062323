// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

package enum ServerTag {}
package typealias ServerID = ID<ServerTag>

/// What other services ask of Compute.
package protocol ComputeService: Sendable {
    /// What the metadata service answers to `server` at `path` (`/latest/meta-data/hostname`,
    /// `/openstack/latest/meta_data.json`). Nil: 404. The caller has proved by network and address which port asks; `project` is
    /// the port's, and a server of another project is not its server (CVE-2013-6419).
    func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer?
    /// A guest tells the password that it made for its administrator, sealed with the server's key; its owner reads it from
    /// `os-server-password`. False: no such server, or `path` is no password's. Throws `.conflict` when there is one already,
    /// `.badRequest` for one that is too long.
    func keepPassword(
        _ password: [UInt8], of server: ServerID, in project: ProjectID, path: String
    ) async throws -> Bool

    /// A guest writes to the file at `path` from now on: the volume's new head, which reads as the old one. For storage whose
    /// snapshots are made above the guest's open file. Repeatable; not an error when the server has no guest.
    func moveVolume(_ volume: String, of server: ServerID, toFile path: String, format: String) async throws
    /// Takes a volume that a guest has open one step nearer to another place, and tells how far it is. Repeatable. Throws
    /// `.conflict` when a copy is to begin and the server is in no state for it, and `.unavailable` when the host, which
    /// alone knows, does not answer. `request` is the caller's: the move is in the server's timeline.
    func relocateVolume(
        of server: ServerID, to connection: VolumeConnection, _ step: VolumeRelocation.Step, request: String
    ) async throws -> VolumeRelocation.State
    /// The volume has grown: the guest sees `sizeBytes` at once. Repeatable; not an error when the server has no guest.
    /// `request` is the caller's: what came of it is in the server's timeline.
    func resizeVolume(
        _ volume: String, of server: ServerID, toBytes sizeBytes: Int64, request: String
    ) async throws
    /// Whether a guest of one of these servers is about to start, and so may open its volumes where they were before.
    func isStarting(anyOf servers: [ServerID]) async throws -> Bool
    /// Which of these attachments Compute still holds: of servers that live, or whose hosts have not closed the volume.
    func leasesHeld(among attachments: [String]) async throws -> Set<String>
}

package struct MetadataAnswer: Sendable, Equatable {
    package var contentType: String
    package var body: [UInt8]

    package init(contentType: String = "text/plain", body: [UInt8]) {
        self.contentType = contentType
        self.body = body
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum ServerTag {}
package typealias ServerID = ID<ServerTag>

/// What other services ask of Compute.
package protocol ComputeService: Sendable {
    /// What the metadata service answers to `server` at `path` (`/latest/meta-data/hostname`,
    /// `/openstack/latest/meta_data.json`). Nil: 404. The caller has proved by network and address which port asks; `project` is
    /// the port's, and a server of another project is not its server (CVE-2013-6419).
    func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer?
}

package struct MetadataAnswer: Sendable, Equatable {
    package var contentType: String
    package var body: [UInt8]

    package init(contentType: String = "text/plain", body: [UInt8]) {
        self.contentType = contentType
        self.body = body
    }
}

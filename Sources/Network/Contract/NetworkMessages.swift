// SPDX-License-Identifier: Apache-2.0
import BaseKit
import MessagingKit

// What hosts' network agents and the controller say to each other over the bus. Fields are only ever added, as
// optionals, because a controller and an agent of different versions must understand each other during an upgrade.

/// Agent to controller: a guest asks the metadata service. Answer: what the guest gets.
///
/// Who the guest is, only the network and the socket's address say; no header of the guest reaches the controller.
package struct MetadataQuery: BusMessage, Equatable {
    package typealias Reply = MetadataReply
    package static let name: StaticString = "network.metadata-query"
    package static let version = 1
    /// The bus host that answers.
    package static let destination = "controller"

    package var network: NetworkID
    /// The guest's address on that network.
    package var address: String
    /// `GET`, or `POST` for the password of Windows guests.
    package var method: String
    /// Decoded, without query: `/openstack/latest/meta_data.json`.
    package var path: String
    package var body: [UInt8]

    package init(network: NetworkID, address: String, method: String, path: String, body: [UInt8] = []) {
        self.network = network
        self.address = address
        self.method = method
        self.path = path
        self.body = body
    }
}

package struct MetadataReply: Sendable, Codable, Equatable {
    /// An HTTP status: 404 for an unknown path, or when no port of the network has the address.
    package var status: Int
    package var contentType: String
    package var body: [UInt8]

    package init(status: Int, contentType: String = "text/plain; charset=UTF-8", body: [UInt8] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
    }
}

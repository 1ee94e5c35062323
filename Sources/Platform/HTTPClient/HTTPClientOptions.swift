// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// What holds for every request of one client.
package struct HTTPClientOptions: Sendable {
    /// To resolve the name, connect and, with https, shake hands.
    package var connectTime = Duration.seconds(5)
    /// A transfer on which nothing moves for so long, while the client is not the one that is waited for, ends.
    package var idleTime = Duration.seconds(30)
    /// Bytes of a body that wait for their reader, or for the server, before the other side must wait.
    package var queueBytes = 1 << 20
    /// Of one response; all its fields together.
    package var headerBytes = 64 << 10
    /// Connections to one host at once; 0: as many as there are requests. Further requests wait.
    package var connectionsPerHost = 0
    /// Connections that are kept open for the next request.
    package var idleConnections = 64
    package var userAgent = "haneul"
    /// PEM file with the authorities that https servers are checked against; nil: those of the system.
    package var authorities: String?
    /// Asked before each new connection, with the address that the name was resolved to, so that no name and no
    /// redirect leads into a network that is none of the caller's business. Called on the client's own thread: it must
    /// not block. Connections that are reused were asked for before. Nil: every address may be connected to.
    package var mayConnect: (@Sendable (IPAddress) -> Bool)?

    package init() {}
}

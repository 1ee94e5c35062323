// SPDX-License-Identifier: Apache-2.0

/// What one caller may cost. A limit that is met ends the request or the connection, never the server.
package struct HTTPLimits: Sendable {
    /// Request line and header fields of one request, together.
    package var headerBytes = 32 << 10
    package var urlBytes = 8 << 10
    /// All listeners together. A listener can have a limit of its own, so that one cannot starve the others.
    package var connections = 4096
    /// Requests that run at once.
    package var requests = 4096
    /// A connection on which nothing moves is closed.
    package var idleTime = Duration.seconds(75)
    /// From the first line of a request to the end of its header.
    package var headerTime = Duration.seconds(20)
    /// A body that is awaited must bring `bodyProgressBytes` in each of these spans.
    package var bodyProgressTime = Duration.seconds(30)
    package var bodyProgressBytes = 4 << 10
    /// A body up to here is read whole before the handler starts; a longer one is streamed.
    package var wholeBodyBytes = 64 << 10
    /// Bytes of a streamed body that wait for the handler, or for the client, before the other side must wait.
    package var queueBytes = 1 << 20
    /// What is read and thrown away of a body that the handler did not want, to keep the connection usable.
    package var discardBytes = 1 << 20
    /// The same where the answer cannot be sent before the body's end: in the middle of a body, over TLS.
    package var forcedDiscardBytes = 1 << 30
    package var webSocketMessageBytes = 1 << 20
    /// Requests that run at the stop have this long to end.
    package var stopTime = Duration.seconds(15)
    /// Event threads of the server; nil means one for each core, up to 4.
    package var threads: Int?

    package init() {}
}

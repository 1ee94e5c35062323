// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit
import LinuxKit

/// Objects in a Ceph cluster. The pool and the namespace stand in the ring: `rados:POOL` or `rados:POOL/NAMESPACE`.
package struct RadosConfig: ConfigSection {
    package static let section = "object-storage-ceph"
    package static let title = "Objects in Ceph"

    @ConfigOption("Says where the cluster is.", length: 1...512)
    package var configurationFile = "/etc/ceph/ceph.conf"
    @ConfigOption("The monitors' addresses, where the file does not say them.", length: 0...1024)
    package var monitors = ""
    @ConfigOption("The cluster's user: haneul for client.haneul.", length: 1...128)
    package var user = "haneul"
    @ConfigOption("Where the user's key is, if not where Ceph looks for it.", length: 0...512)
    package var keyring = ""
    @ConfigOption("How long the cluster may take to answer at the start.", range: .seconds(1)...(.seconds(300)))
    package var connectTimeout = Duration.seconds(15)
    @ConfigOption("How long the cluster may take for one call.", range: .seconds(1)...(.seconds(600)))
    package var callTimeout = Duration.seconds(30)
    @ConfigOption(
        "How long the bytes of an object stay that was replaced or deleted: whoever reads it may take so long.",
        range: .seconds(1)...(.seconds(7 * 86_400)))
    package var keepReplaced = Duration.seconds(3600)

    // MARK: No options: what the composition root knows of the host

    /// Where the cluster is reached. Nil: where this process is.
    package var network: NetworkNamespace?

    package init() {}
}

/// What a ring calls a device in Ceph.
package struct RadosPath: Sendable, Hashable {
    package static let prefix = "rados:"
    package let pool: String
    package let namespace: String

    /// Nil: `text` names no device in Ceph. Throws `.badRequest` when it does, and badly.
    package init?(_ text: String) throws {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let parts = text.dropFirst(Self.prefix.count).split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        func isName(_ part: Substring) -> Bool {
            (1...128).contains(part.utf8.count) && part.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F }
        }
        guard parts.allSatisfy(isName), let pool = parts.first else {
            throw CloudError.badRequest("'\(text)' is no device: rados:POOL or rados:POOL/NAMESPACE.")
        }
        self.pool = String(pool)
        namespace = parts.count > 1 ? String(parts[1]) : ""
    }
}

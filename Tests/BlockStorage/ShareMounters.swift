// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import Synchronization

/// The folder is there already.
struct NoMounter: ShareMounter {
    func ensureMounted(_ share: VolumeConnection.Share) async throws {}

    func withRoot<T: Sendable>(
        of share: VolumeConnection.Share, _ body: @Sendable (_ path: String) async throws -> T
    ) async throws -> T { try await body(share.mountPoint) }
}

/// A server whose share is another folder of this host, and that goes away when a test says so.
final class FolderShare: ShareMounter {
    let path: String
    private let isAway = Mutex(false)

    init(_ path: String) { self.path = path }

    func setAway(_ isAway: Bool) { self.isAway.withLock { $0 = isAway } }

    func ensureMounted(_ share: VolumeConnection.Share) async throws {
        if isAway.withLock({ $0 }) {
            throw CloudError(
                .unavailable, "The share cannot be mounted.", kind: "ShareUnavailable", cause: "the server is away")
        }
    }

    func withRoot<T: Sendable>(
        of share: VolumeConnection.Share, _ body: @Sendable (_ path: String) async throws -> T
    ) async throws -> T {
        try await ensureMounted(share)
        return try await body(path)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Makes a share appear at its mount point.
package protocol ShareMounter: Sendable {
    /// May be repeated. Throws unless the share, and no other file system, is there afterwards.
    func ensureMounted(_ share: VolumeConnection.Share) async throws

    /// Runs `body` with a path of the share itself, which is mounted when it was not. What is done below that path
    /// reaches the share or fails, also when somebody unmounts it meanwhile: never the folder below the mount point.
    /// Throws `ShareUnavailable` when it is not there.
    func withRoot<T: Sendable>(
        of share: VolumeConnection.Share, _ body: @Sendable (_ path: String) async throws -> T
    ) async throws -> T
}

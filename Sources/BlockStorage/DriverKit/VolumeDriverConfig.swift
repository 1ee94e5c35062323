// SPDX-License-Identifier: Apache-2.0
import ConfigKit

/// What the options of every backend have in common.
package protocol VolumeDriverConfig: ConfigSection {
    /// Copies that run at once.
    var parallelCopies: Int { get }
    /// Of each copy, in a second; 0 for no limit.
    var copyLimitMiB: Int { get }
    /// `host@backend`.
    var address: String { get set }
    var stateDirectory: String { get set }
}

extension VolumeDriverConfig {
    package var copyLimits: DiskImageTool.CopyLimits {
        .init(parallel: parallelCopies, bytesPerSecond: copyLimitMiB == 0 ? nil : Int64(copyLimitMiB) << 20)
    }
}

// SPDX-License-Identifier: Apache-2.0

/// What one request may bring, and one answer may hold. The values are upstream's defaults, and `/info` tells them.
package struct StorageLimits: Sendable {
    package var fileBytes: Int64 = 5_368_709_122
    package var metadataNameBytes = 128
    package var metadataValueBytes = 256
    package var metadataCount = 90
    package var metadataBytes = 4096
    package var headerBytes = 8192
    package var objectNameBytes = 1024
    package var containerNameBytes = 256
    package var accountNameBytes = 256
    package var listingEntries = 10_000
    package init() {}
}

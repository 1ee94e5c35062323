// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// The schema of Image, in order.
package enum ImageMigrations {
    package static let all: [Migration] = [
        M0001Images.migration, M0002ImageImports.migration, M0003MetadataDefinitions.migration,
        M0004ImageCache.migration, M0005ListIndexes.migration,
    ]
}

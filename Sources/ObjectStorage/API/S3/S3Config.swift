// SPDX-License-Identifier: Apache-2.0

package struct S3Config: Sendable {
    /// What `GetBucketLocation` says; requests may be signed for any region.
    package var region = "us-east-1"
    /// A host `bucket.domain` of one of these names its bucket.
    package var storageDomains: [String] = []
    /// Of every part of a large object but the last.
    package var minimumPartBytes: Int64 = 5 << 20
    package var maximumParts = S3Uploads.maximumParts
    package var maximumKeys = 1000
    /// Origins of pages whose scripts may ask before they are signed in; `*` for all.
    package var preflightOrigins: [String] = []
    package init() {}
}

// SPDX-License-Identifier: Apache-2.0
import DatabaseKit

/// What a credential that signs requests may do at most, outside of the blob, which its user may change.
enum M0007EC2Credentials {
    static let migration = Migration(
        "identity-0007-ec2-credentials",
        [
            "ALTER TABLE identity_credentials ADD COLUMN application_credential_id TEXT",
            "ALTER TABLE identity_credentials ADD COLUMN role_ids TEXT",
        ])
}

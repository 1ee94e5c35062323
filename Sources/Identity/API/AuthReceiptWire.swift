// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import IdentityCore

/// The answer to somebody who has shown some methods and whose rules ask for more (keystone: `receipt/handlers.py`).
enum AuthReceiptWire {
    static let header = "Openstack-Auth-Receipt"

    static func response(_ receipt: AuthReceipt) -> HTTPResponse {
        let (user, domain) = (receipt.needed.user, receipt.needed.domain)
        let methods = receipt.needed.methods.names
        let body = JSONWriter.object { writer in
            writer.object("receipt") { writer in
                writer.field("methods", methods)
                writer.object("user") { writer in
                    writer.field("id", user.id)
                    writer.field("name", user.name)
                    writer.object("domain") { writer in
                        writer.field("id", domain.id)
                        writer.field("name", domain.name)
                    }
                }
                writer.field("expires_at", receipt.expiresAt.iso8601(fraction: true))
                writer.field("issued_at", receipt.issuedAt.iso8601(fraction: true))
            }
            writer.array("required_auth_methods") { writer in
                for rule in user.requiredMethods(after: Set(methods)) {
                    writer.beginArray()
                    for method in rule { writer.value(method) }
                    writer.endArray()
                }
            }
        }
        return .json(401, headers: [header: receipt.text, "Vary": "X-Auth-Token"], body)
    }
}

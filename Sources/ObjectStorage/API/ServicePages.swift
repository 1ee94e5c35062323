// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageCore

/// Pages that need no account: whether the service runs, what it can do, what Flash may read.
package enum ServicePages {
    package static func health(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard request.isRead else { throw SwiftFault(405) }
        return .plain(200, "OK")
    }

    package static func crossDomain(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard request.method == .get else { throw SwiftFault(405) }
        let text = """
            <?xml version="1.0"?>
            <!DOCTYPE cross-domain-policy SYSTEM "http://www.adobe.com/xml/dtds/cross-domain-policy.dtd" >
            <cross-domain-policy>
            <allow-access-from domain="*" secure="false" />
            </cross-domain-policy>
            """
        return .text(200, text, type: "application/xml")
    }
}

/// `/info`: what is built in, and its limits. Each feature says its own.
package struct InfoPage: Sendable {
    package typealias Section = (name: String, fields: JSON)

    private let settings: SwiftSettings
    private let sections: [Section]

    package init(settings: SwiftSettings, sections: [Section]) {
        self.settings = settings
        self.sections = sections
    }

    package func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        if request.method == .options {
            return SwiftResponse(200, headers: ["allow": "HEAD, GET, OPTIONS"], body: .none)
        }
        guard request.isRead else {
            throw SwiftFault(SwiftResponse(405, headers: ["allow": "HEAD, GET, OPTIONS"]))
        }
        var all: [String: JSON] = ["swift": core]
        for section in sections { all[section.name] = section.fields }
        var response = SwiftResponse(200, headers: ["content-type": "application/json; charset=UTF-8"])
        response.body = .bytes(Array(JSON.object(all).text().utf8))
        if let origin = request.headers["origin"] {
            response.headers["access-control-allow-origin"] = origin
            response.headers["access-control-expose-headers"] = "x-trans-id"
        }
        return response
    }

    private var core: JSON {
        let limits = settings.limits
        let policies = settings.policies().all.filter { !$0.isDeprecated }.map { policy in
            var fields: [String: JSON] = [
                "name": .string(policy.name),
                "aliases": .string(([policy.name] + policy.aliases).joined(separator: ", ")),
            ]
            if policy.isDefault { fields["default"] = true }
            return JSON.object(fields)
        }
        return [
            "version": "2.37.0", "strict_cors_mode": .bool(settings.isCORSStrict), "policies": .array(policies),
            "allow_account_management": false, "allow_open_expired": .bool(settings.allowsOpenExpired),
            "account_autocreate": true, "valid_api_versions": ["v1", "v1.0"],
            "max_file_size": .int(limits.fileBytes), "max_meta_name_length": .int(Int64(limits.metadataNameBytes)),
            "max_meta_value_length": .int(Int64(limits.metadataValueBytes)),
            "max_meta_count": .int(Int64(limits.metadataCount)),
            "max_meta_overall_size": .int(Int64(limits.metadataBytes)),
            "max_header_size": .int(Int64(limits.headerBytes)),
            "max_object_name_length": .int(Int64(limits.objectNameBytes)),
            "max_container_name_length": .int(Int64(limits.containerNameBytes)),
            "max_account_name_length": .int(Int64(limits.accountNameBytes)),
            "container_listing_limit": .int(Int64(limits.listingEntries)),
            "account_listing_limit": .int(Int64(limits.listingEntries)), "extra_header_count": 0,
        ]
    }
}

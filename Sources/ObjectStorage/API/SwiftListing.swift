// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageContract
import ObjectStorageCore

/// A page of an account's or a container's listing, before its form is chosen: features may still change entries.
package struct SwiftListing: Sendable {
    package enum Item: Sendable {
        case container(ContainerRow, policy: String?)
        case object(Object)
        case subdirectory(String)

        package var name: String {
            switch self {
            case .container(let row, _): row.name
            case .object(let object): object.name
            case .subdirectory(let name): name
            }
        }
    }

    package struct Object: Sendable {
        package var name: String
        package var hash: String
        package var sizeBytes: Int64
        package var contentType: String
        package var modified: WriteTime
        /// What features add to an entry in JSON: `slo_etag`, `symlink_path`, `version_id`.
        package var extras: [(name: String, value: JSON)] = []

        package init(_ row: ObjectRow) {
            name = row.name
            hash = row.etag
            sizeBytes = row.sizeBytes
            contentType = row.contentType
            modified = row.time
            takeSize()
        }

        /// A large object's row says the size of its content in a parameter of the type.
        private mutating func takeSize() {
            guard contentType.containsBytes("swift_bytes=") else { return }
            var kept: [Substring] = []
            for part in contentType.split(byte: ";", omittingEmptySubsequences: false) {
                if let size = part.trimmed.removing(bytePrefix: "swift_bytes=").flatMap({ Int64($0) }) {
                    sizeBytes = size
                } else {
                    kept.append(part)
                }
            }
            contentType = kept.joined(separator: ";")
        }

        /// The parameters that stand behind the hash: `; slo_etag=…`.
        package mutating func takeParameters(_ wanted: (String) -> Bool) -> [String: String] {
            var taken: [String: String] = [:]
            var parts = hash.split(byte: ";", omittingEmptySubsequences: false).map(\.trimmed)
            let plain = parts.removeFirst()
            var kept = plain
            for part in parts {
                let halves = part.split(byte: "=", maxSplits: 1).map(String.init)
                if halves.count == 2, wanted(halves[0]) {
                    taken[halves[0]] = halves[1]
                } else if !part.isEmpty {
                    kept += "; " + part
                }
            }
            hash = kept
            return taken
        }
    }

    package var account: String
    /// Nil: the listing of an account.
    package var container: String?
    package var items: [Item]
    /// Nil: as the client asks.
    package var form: ListingForm?
    /// Without what is kept from clients.
    package var showsReservedNames = false

    package init(account: String, container: String?, items: [Item]) {
        self.account = account
        self.container = container
        self.items = items
    }
}

/// The forms of a listing.
package enum ListingForm: String, Sendable {
    case text = "text/plain"
    case json = "application/json"
    case xml = "application/xml"
    case oldXML = "text/xml"

    /// By `format=`, else by `Accept`. Throws 400 for an `Accept` that is none, 406 for one that takes
    /// nothing of these.
    package init(_ request: SwiftRequest) throws {
        if let format = request.parameter("format"), !format.isEmpty {
            switch format.asciiLowercased() {
            case "json": self = .json
            case "xml": self = .xml
            default: self = .text
            }
            return
        }
        guard let accept = AcceptHeader(request.headers["accept"]) else {
            throw SwiftFault(400, "Invalid Accept header")
        }
        let options: [ListingForm] = [.text, .json, .xml, .oldXML]
        guard let best = accept.best(of: options.map(\.rawValue)), let form = ListingForm(rawValue: best) else {
            throw SwiftFault(406)
        }
        self = form
    }

    package var contentType: String { rawValue + "; charset=utf-8" }

    package func render(_ listing: SwiftListing) -> [UInt8] {
        let items = listing.showsReservedNames ? listing.items : listing.items.filter { !$0.name.utf8.contains(0) }
        switch self {
        case .text: return Array(items.map { $0.name + "\n" }.joined().utf8)
        case .json: return Self.json(items)
        case .xml, .oldXML: return Self.xml(listing, items)
        }
    }

    private static func json(_ items: [SwiftListing.Item]) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + items.count * 200)
        writer.beginArray()
        for item in items {
            writer.beginObject()
            switch item {
            case .subdirectory(let name): writer.field("subdir", name)
            case .container(let row, let policy):
                writer.field("name", row.name)
                writer.field("count", row.objectCount)
                writer.field("bytes", row.bytesUsed)
                writer.field("last_modified", row.putTime.listingText)
                if let policy { writer.field("storage_policy", policy) }
            case .object(let object):
                writer.field("name", object.name)
                writer.field("hash", object.hash)
                writer.field("bytes", object.sizeBytes)
                writer.field("content_type", object.contentType)
                writer.field("last_modified", object.modified.listingText)
                for (name, value) in object.extras {
                    writer.key(dynamic: name)
                    writer.value(value)
                }
            }
            writer.endObject()
        }
        writer.endArray()
        return writer.finish()
    }

    private static func xml(_ listing: SwiftListing, _ items: [SwiftListing.Item]) -> [UInt8] {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        func tag(_ name: String, _ text: String) -> String { "<\(name)>\(SwiftText.escapedXML(text))</\(name)>" }
        var text = head
        if let container = listing.container {
            text += "<container name=\"\(SwiftText.escapedXML(container))\">"
            for item in items {
                switch item {
                case .subdirectory(let name):
                    text += "<subdir name=\"\(SwiftText.escapedXML(name))\">" + tag("name", name) + "</subdir>"
                case .object(let object):
                    text += "<object>" + tag("name", object.name) + tag("hash", object.hash)
                    text += tag("bytes", String(object.sizeBytes)) + tag("content_type", object.contentType)
                    text += tag("last_modified", object.modified.listingText) + "</object>"
                case .container: break
                }
            }
            text += "</container>"
        } else {
            text += "<account name=\"\(SwiftText.escapedXML(listing.account))\">\n"
            for item in items {
                switch item {
                case .subdirectory(let name): text += "<subdir name=\"\(SwiftText.escapedXML(name))\" />\n"
                case .container(let row, let policy):
                    text += "<container>" + tag("name", row.name) + tag("count", String(row.objectCount))
                    text += tag("bytes", String(row.bytesUsed)) + tag("last_modified", row.putTime.listingText)
                    if let policy { text += tag("storage_policy", policy) }
                    text += "</container>\n"
                case .object: break
                }
            }
            text += "</account>"
        }
        return Array(text.utf8)
    }
}

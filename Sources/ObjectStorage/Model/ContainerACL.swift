// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// Who may read or write a container besides its owner: the value of `X-Container-Read` or `X-Container-Write`.
package struct ContainerACL: Sendable, Equatable {
    /// Hosts of referring pages: `*`, `example.com`, `.example.com`; a leading `-` takes it away again.
    package var referrers: [String] = []
    /// `project:user`, `*:user`, a role's name, `.rlistings`.
    package var groups: [String] = []

    package init(_ text: String?) {
        guard let text, !text.isEmpty else { return }
        for part in text.split(byte: ",", omittingEmptySubsequences: false) {
            if let referrer = part.removing(bytePrefix: ".r:") {
                referrers.append(String(referrer))
            } else {
                groups.append(Percent.decode(part) ?? String(part))
            }
        }
    }

    package var allowsListings: Bool { groups.contains(".rlistings") }

    /// Whether a page of this address may show what the container holds. Later entries win.
    package func allows(referrer: String?) -> Bool {
        let host = referrer.flatMap(Self.host) ?? "unknown"
        var isAllowed = false
        for entry in referrers {
            let denied = entry.removing(bytePrefix: "-")
            let isDenial = denied != nil
            let pattern = denied ?? entry[...]
            let matches = pattern.isByteEqual(to: host) || pattern.hasBytePrefix(".") && host.hasByteSuffix(pattern)
            if isDenial {
                if matches { isAllowed = false }
            } else if matches || pattern == "*" {
                isAllowed = true
            }
        }
        return isAllowed
    }

    private static func host(_ url: String) -> String? {
        guard let scheme = url.range(ofBytes: "//") else { return nil }
        var authority = url[scheme.upperBound...].prefix(upToAny: "/", "?", "#")
        if let at = authority.lastIndex(ofByte: "@") { authority = authority.text(after: at) }
        if let address = authority.removing(bytePrefix: "["), let end = address.firstIndex(ofByte: "]") {
            return address[..<end].asciiLowercased()
        }
        let host = authority.prefix(upToAny: ":")
        return host.isEmpty ? nil : host.asciiLowercased()
    }

    /// The value as it is kept: white space and empty entries gone, all spellings of a referrer one.
    package static func cleaned(_ value: String, name: String) throws(CloudError) -> String {
        var entries: [String] = []
        for raw in value.split(byte: ",") {
            let entry = raw.trimmed
            if entry.isEmpty { continue }
            guard let colon = entry.firstIndex(ofByte: ":") else {
                entries.append(entry)
                continue
            }
            let first = entry[..<colon].trimmed
            var second = entry.text(after: colon).trimmed
            guard first.hasBytePrefix(".") else {
                entries.append(entry)
                continue
            }
            guard [".r", ".ref", ".referer", ".referrer"].contains(first) else {
                throw .badRequest("Unknown designator '\(first)' in ACL: '\(entry)'")
            }
            guard !name.containsBytes("write") else {
                throw .badRequest("Referrers not allowed in write ACL: '\(entry)'")
            }
            let denied = second.removing(bytePrefix: "-")
            let isDenial = denied != nil
            if let denied { second = denied.trimmed }
            if second != "*", let domain = second.removing(bytePrefix: "*") { second = domain.trimmed }
            guard !second.isEmpty, second != "." else {
                throw .badRequest("No host/domain value after referrer designation in ACL: '\(entry)'")
            }
            entries.append(".r:" + (isDenial ? "-" : "") + second)
        }
        return entries.joined(separator: ",")
    }
}

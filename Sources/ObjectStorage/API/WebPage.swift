// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import ObjectStorageContract
import ObjectStorageCore

/// A folder of a site in HTML.
struct WebPage: Sendable {
    let site: WebSite
    let label: String
    let prefix: String
    let query: String

    private func escaped(_ text: String) -> String { SwiftText.escapedXML(text) }

    private func head(_ style: String) -> String {
        var text = "<!DOCTYPE html>\n<html>\n <head>\n  <title>Listing of \(escaped(label))</title>\n"
        if let css = site.css {
            let isAbsolute = ["/", "http://", "https://"].contains { css.hasBytePrefix($0) }
            let path =
                isAbsolute
                ? escaped(css)
                : String(repeating: "../", count: prefix.utf8.count { $0 == UInt8(ascii: "/") }) + SwiftText.quoted(css)
            text += "  <link rel=\"stylesheet\" type=\"text/css\" href=\"\(path)\" />\n"
        } else {
            text += "  <style type=\"text/css\">\n   h1 {font-size: 1em; font-weight: bold;}\n\(style)  </style>\n"
        }
        return text + " </head>\n"
    }

    /// The owner shows no listings.
    var disabled: String {
        var text = head("   p {font-size: 2}\n") + " <body>\n  <h1>Web Listing Disabled</h1>\n"
        text += "  <p>The owner of this web site has disabled web listing.\n"
        text += "  <p>If you are the owner of this web site, you can enable web listing by setting"
        text += " X-Container-Meta-Web-Listings.</p>\n"
        if let index = site.index {
            text += "  <h1>Index File Not Found</h1>\n  <p>The owner of this web site has set"
            text += " <b>X-Container-Meta-Web-Index: \(escaped(index))</b>. However, this file is not found.</p>\n"
        }
        return text + " </body>\n</html>\n"
    }

    func listing(_ items: [SwiftListing.Item], isTop: Bool) -> String {
        let style =
            "   th {text-align: left; padding: 0px 1em 0px 1em;}\n   td {padding: 0px 1em 0px 1em;}\n"
            + "   a {text-decoration: none;}\n"
        var text = head(style) + " <body>\n  <h1 id=\"title\">Listing of \(escaped(label))</h1>\n"
        text += "  <table id=\"listing\">\n   <tr id=\"heading\">\n    <th class=\"colname\">Name</th>\n"
        text += "    <th class=\"colsize\">Size</th>\n    <th class=\"coldate\">Date</th>\n   </tr>\n"
        if !isTop { text += row("parent\" class=\"item", "../" + query, "../", id: true) }
        for case .subdirectory(let name) in items {
            let short = String(name.removing(bytePrefix: prefix) ?? name[...])
            text += row("item subdir", "./" + SwiftText.quoted(short) + query, short)
        }
        for case .object(let object) in items {
            let short = String(object.name.removing(bytePrefix: prefix) ?? object.name[...])
            let types = object.contentType.split(byte: "/").map { "type-" + escaped($0.asciiLowercased()) }
            let kind = (["item"] + types).joined(separator: " ")
            let date = object.modified.listingText.prefix(19).split(byte: "T").joined(separator: " ")
            text += row(
                kind, "./" + SwiftText.quoted(short) + query, short, size: Self.size(object.sizeBytes), date: date)
        }
        return text + "  </table>\n </body>\n</html>\n"
    }

    private func row(
        _ kind: String, _ link: String, _ name: String, size: String = "&nbsp;", date: String = "&nbsp;",
        id: Bool = false
    ) -> String {
        "   <tr \(id ? "id" : "class")=\"\(kind)\">\n"
            + "    <td class=\"colname\"><a href=\"\(link)\">\(escaped(name))</a></td>\n"
            + "    <td class=\"colsize\">\(size)</td>\n    <td class=\"coldate\">\(date)</td>\n   </tr>\n"
    }

    /// `1Ki`, `12Mi`: rounded to whole units.
    static func size(_ bytes: Int64) -> String {
        var (value, unit) = (Double(bytes), 0)
        let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        while value.rounded() >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(Int64(value.rounded()))\(units[unit])"
    }
}

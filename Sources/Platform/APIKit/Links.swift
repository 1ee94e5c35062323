// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit

/// `links` of objects and `…_links` of pages, as nova and cinder write them.
package struct Links: Sendable {
    private let request: APIRequest
    /// `http://127.0.0.1:8088/compute/v2.1`, with the project where the caller had it in the path.
    private let base: String
    private let unversionedBase: String

    /// `version`: `/v2.1`.
    package init(_ request: APIRequest, version: String) {
        let project = request.parameters["project_id"].map { "/\($0)" } ?? ""
        self.request = request
        base = request.serviceURL + version + project
        unversionedBase = request.serviceURL + project
    }

    /// The object's own: `self` and `bookmark`.
    package func write(_ writer: inout JSONWriter, _ path: String) {
        writer.array("links") { writer in
            Self.write(&writer, "self", "\(base)/\(path)")
            Self.write(&writer, "bookmark", "\(unversionedBase)/\(path)")
        }
    }

    /// The next page: the same query with another marker.
    package func next(_ writer: inout JSONWriter, _ key: StaticString, _ path: String, marker: String) {
        var query = ""
        for (name, value) in request.http.query where name != "marker" {
            query += "\(Percent.encode(name))=\(Percent.encode(value))&"
        }
        writer.array(key) { writer in
            Self.write(&writer, "next", "\(base)/\(path)?\(query)marker=\(Percent.encode(marker))")
        }
    }

    /// The next page, when this one is full: upstream names one then, whether more follow or not.
    package func next<Row, Tag>(
        _ writer: inout JSONWriter, _ key: StaticString, _ path: String, after page: [Row], limit: Int?,
        _ marker: (Row) -> ID<Tag>
    ) {
        guard let limit, let last = page.last, page.count >= limit else { return }
        next(&writer, key, path, marker: marker(last).rawValue)
    }

    package static func write(_ writer: inout JSONWriter, _ rel: String, _ href: String) {
        writer.beginObject()
        writer.field("rel", rel)
        writer.field("href", href)
        writer.endObject()
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ObjectStorageCore

/// What came of many steps of one request, in the form that its sender takes.
package struct BulkReport: Sendable {
    package enum Field: Sendable {
        case text(String)
        case number(Int)

        var plain: String {
            switch self {
            case .text(let text): text
            case .number(let number): String(number)
            }
        }
    }

    package var fields: [String: Field] = [:]
    package var errors: [(name: String, status: String)] = []

    /// Nil for an `Accept` that takes none of the forms; text where it is no `Accept` at all.
    package static func form(_ request: SwiftRequest, _ forms: [String]) -> String? {
        guard let accept = AcceptHeader(request.headers["accept"]) else { return nil }
        return accept.best(of: forms)
    }

    package func render(_ type: String, root: String) -> [UInt8] {
        if type == "application/json" { return json() }
        return Array((type.hasByteSuffix("/xml") ? xml(root) : text()).utf8)
    }

    private func json() -> [UInt8] {
        JSONWriter.object { writer in
            for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
                writer.key(dynamic: name)
                switch field {
                case .text(let text): writer.value(text)
                case .number(let number): writer.value(number)
                }
            }
            writer.array("Errors") { writer in
                for error in errors {
                    writer.beginArray()
                    writer.value(error.name)
                    writer.value(error.status)
                    writer.endArray()
                }
            }
        }
    }

    private func xml(_ root: String) -> String {
        var text = "<\(root)>\n"
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
            let tag = name.split(byte: " ").joined(separator: "_").asciiLowercased()
            text += "<\(tag)>\(SwiftText.escapedXML(field.plain))</\(tag)>\n"
        }
        text += "<errors>\n"
        for error in errors {
            text += "<object><name>\(SwiftText.escapedXML(error.name))</name>"
            text += "<status>\(SwiftText.escapedXML(error.status))</status></object>\n"
        }
        return text + "</errors>\n</\(root)>\n"
    }

    private func text() -> String {
        let lines = fields.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.plain)\n" }.joined()
        return lines + "Errors:\n" + errors.map { "\($0.name), \($0.status)\n" }.joined()
    }
}

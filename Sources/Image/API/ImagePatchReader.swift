// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageCore

/// Reads a JSON patch in either of glance's two drafts, with its narrow idea of a pointer (glance: `images.py`).
enum ImagePatchReader {
    private static let draft4 = "application/openstack-images-v2.0-json-patch"
    private static let draft10 = "application/openstack-images-v2.1-json-patch"
    static let accepted = "\(draft4), \(draft10)"
    private static let operations = ImageChange.Operation.allCases.map(\.rawValue).joined(separator: ", ")

    /// Whether the media type is draft 4's; nil when it is neither.
    static func isDraft4(_ contentType: String?) -> Bool? {
        let type = contentType?.split(separator: ";").first.map { $0.lowercased() }
        switch type?.trimmingBlanks() {
        case draft4: return true
        case draft10: return false
        default: return nil
        }
    }

    static func read(_ body: JSON, isDraft4: Bool) throws -> [ImageChange] {
        guard case .array(let entries) = body else {
            throw CloudError.badRequest("Request body must be a JSON array of operation objects.")
        }
        return try entries.map { entry in
            guard case .object(let fields) = entry else {
                throw CloudError.badRequest("Operations must be JSON objects.")
            }
            let (operation, pointer) = isDraft4 ? try draft4Operation(fields) : try draft10Operation(fields)
            return try change(operation, try path(pointer), fields, isDraft4: isDraft4)
        }
    }

    private static func change(
        _ operation: ImageChange.Operation, _ path: [String], _ fields: [String: JSON], isDraft4: Bool
    ) throws -> ImageChange {
        let root = path[0]
        let depth = root == "locations" && operation != .replace ? 2 : 1
        guard path.count == depth else {
            throw CloudError.badRequest("Invalid JSON pointer for this resource: '/\(path.joined(separator: "/"))'")
        }
        var value = JSON.null
        if operation != .remove {
            guard let given = fields["value"] else {
                throw CloudError.badRequest("Operation \"\(operation.rawValue)\" requires a member named \"value\".")
            }
            value = given
        }
        try ImageSchema.checkWritable(root)
        if operation != .remove, root != "locations" { try ImageSchema.validate(root, value) }
        return ImageChange(operation, root, value, isDraft4: isDraft4)
    }

    private static func draft10Operation(_ fields: [String: JSON]) throws -> (ImageChange.Operation, String) {
        guard let name = fields["op"] else {
            throw CloudError.badRequest(
                "Unable to find `op` in JSON Schema change. It must be one of the following: \(operations).")
        }
        guard let operation = name.string.flatMap(ImageChange.Operation.init) else {
            throw CloudError.badRequest(
                "Invalid operation: `\(name.string ?? "?")`. It must be one of the following: \(operations).")
        }
        guard let path = fields["path"]?.string else {
            throw CloudError.badRequest("Unable to find 'path' in JSON Schema change")
        }
        return (operation, path)
    }

    private static func draft4Operation(_ fields: [String: JSON]) throws -> (ImageChange.Operation, String) {
        let named = ImageChange.Operation.allCases.filter { fields[$0.rawValue] != nil }
        guard named.count <= 1 else {
            throw CloudError.badRequest(
                "Operation objects must contain only one member named \"add\", \"remove\", or \"replace\".")
        }
        guard let operation = named.first, let path = fields[operation.rawValue]?.string else {
            throw CloudError.badRequest(
                "Operation objects must contain exactly one member named \"add\", \"remove\", or \"replace\".")
        }
        return (operation, path)
    }

    private static func path(_ pointer: String) throws -> [String] {
        guard pointer.hasPrefix("/") else {
            throw CloudError.badRequest("Pointer `\(pointer)` does not start with \"/\".")
        }
        var parts: [String] = []
        for raw in pointer.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
            let part = String(raw).trimmingBlanks()
            guard !part.isEmpty || pointer == "/" else {
                throw CloudError.badRequest("Pointer `\(pointer)` contains adjacent \"/\" or ends with \"/\".")
            }
            parts.append(try unescape(part, in: pointer))
        }
        return parts
    }

    private static func unescape(_ part: String, in pointer: String) throws -> String {
        var result = ""
        var characters = part.makeIterator()
        while let character = characters.next() {
            guard character == "~" else {
                result.append(character)
                continue
            }
            switch characters.next() {
            case "0": result.append("~")
            case "1": result.append("/")
            default:
                throw CloudError.badRequest(
                    "Pointer `\(pointer)` contains \"~\" not part of a recognized escape sequence.")
            }
        }
        return result
    }
}

extension String {
    /// Without space at both ends.
    func trimmingBlanks() -> String {
        var text = self[...]
        while text.first == " " || text.first == "\t" { text = text.dropFirst() }
        while text.last == " " || text.last == "\t" { text = text.dropLast() }
        return String(text)
    }
}

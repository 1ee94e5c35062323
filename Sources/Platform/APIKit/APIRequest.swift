// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import PolicyKit

/// A request that found its route.
package struct APIRequest: Sendable {
    /// Larger JSON bodies are refused with 413 before they are read to the end.
    package static let maximumBodyBytes = 1 << 20

    package let http: HTTPRequest
    package let parameters: [String: String]
    /// `http://127.0.0.1:8088/compute`: the service's own root as the caller reached it, for links.
    package let serviceURL: String
    /// `http://127.0.0.1:8088`.
    package let originURL: String

    package init(http: HTTPRequest, parameters: [String: String], serviceURL: String, originURL: String) {
        self.http = http
        self.parameters = parameters
        self.serviceURL = serviceURL
        self.originURL = originURL
    }

    /// A segment that the route names in braces. The router matched it, so it is there.
    package func parameter(_ name: String) -> String {
        guard let value = parameters[name] else { preconditionFailure("the route has no {\(name)}") }
        return value
    }

    package func id<Tag>(_ name: String, _: Tag.Type = Tag.self) -> ID<Tag> { ID(parameter(name)) }

    /// The body as JSON. Throws `.badRequest` when it is none, `.tooLarge` past the limit.
    package func json(limit: Int = maximumBodyBytes) async throws -> JSON {
        let bytes = try await http.body.collect(limit: limit)
        do {
            return try JSONReader.read(bytes)
        } catch {
            throw CloudError.badRequest("The server could not comply with the request: malformed JSON: \(error).")
        }
    }

    /// What the body of `…/action` asks for: `{"name": value}`.
    package func action() async throws -> (name: String, value: JSON) {
        guard case .object(let fields) = try await json(), fields.count == 1, let action = fields.first else {
            throw CloudError.badRequest("Malformed request body: one action is expected")
        }
        return (action.key, action.value)
    }

    package static func noSuchAction(_ name: String) -> CloudError {
        .badRequest("There is no such action: \(name.prefix(64))")
    }

    // MARK: Query

    package func query(_ name: String) -> String? { http.queryValue(name) }
    package func queryAll(_ name: String) -> [String] { http.query.filter { $0.name == name }.map(\.value) }

    /// Throws `.badRequest` unless the value is a number in `range`.
    package func queryInt(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = query(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw CloudError.badRequest(
                "Invalid input for query parameter \(name): '\(text.prefix(64))' is not a number in range.")
        }
        return number
    }

    package func queryBool(_ name: String) throws -> Bool? {
        guard let text = query(name) else { return nil }
        switch text.lowercased() {
        case "true", "1", "yes", "on", "t", "y", "": return true
        case "false", "0", "no", "off", "f", "n": return false
        default:
            throw CloudError.badRequest(
                "Invalid input for query parameter \(name): '\(text.prefix(64))' is not a boolean.")
        }
    }
}

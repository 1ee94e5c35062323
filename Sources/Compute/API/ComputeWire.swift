// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PolicyKit

/// Shapes and checks that several resources share.
enum ComputeWire {
    /// `limit` of the query. Throws `.badRequest` for anything but a number from 0.
    static func limit(_ request: APIRequest, maximum: Int) throws -> Int {
        guard let text = request.query("limit"), !text.isEmpty else { return maximum }
        guard let limit = Int(text), limit >= 0 else {
            throw CloudError.badRequest(
                "Invalid input for query parameters limit. Value: \(text.prefix(64)). "
                    + "'\(text.prefix(64))' does not match '^[0-9]*$'")
        }
        return min(limit, maximum)
    }

    static func time(_ request: APIRequest, _ name: String) throws -> Timestamp? {
        guard let text = request.query(name) else { return nil }
        guard let time = Timestamp(iso8601: text) else {
            throw CloudError.badRequest(
                "Invalid input for query parameters \(name). Value: \(text.prefix(64)). "
                    + "'\(text.prefix(64))' is not a 'date-time'")
        }
        return time
    }

    /// From 2.75 a parameter that nobody knows is refused; before, it is ignored.
    static func checkQuery(_ request: APIRequest, _ context: CallContext, from minor: Int = 75, _ known: Set<String>)
        throws
    {
        guard context.has(minor) else { return }
        for (name, _) in request.http.query where !known.contains(name) {
            throw CloudError.badRequest(
                "Additional properties are not allowed ('\(name.prefix(64))' was unexpected)")
        }
    }

    /// nova's `name` format: printable, and no space at either end.
    static func checkName(_ name: String, _ field: String) throws {
        let scalars = name.unicodeScalars
        let isTrimmed =
            scalars.first.map { !$0.properties.isWhitespace } ?? false
            && scalars.last.map { !$0.properties.isWhitespace } ?? false
        guard isTrimmed, scalars.allSatisfy(isPrintable) else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute \(field). Value: \(name.prefix(64)). "
                    + "'\(name.prefix(64))' does not match: printable characters. Can not start or end with whitespace."
            )
        }
    }

    static func checkPrintable(_ text: String, _ field: String) throws {
        guard text.unicodeScalars.allSatisfy(isPrintable) else {
            throw CloudError.badRequest("Invalid input for field/attribute \(field): printable characters only.")
        }
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        default: true
        }
    }

    static func uuid(_ text: String, _ field: String) throws -> String {
        guard UUIDText.isUUID(text) else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute \(field). Value: \(text.prefix(64)). "
                    + "'\(text.prefix(64))' is not a 'uuid'")
        }
        return text
    }
}

extension HTTPResponse {
    /// `{"key": …}` with a body that `write` fills.
    static func object(_ status: Int = 200, capacity: Int = 1024, _ write: (inout JSONWriter) throws -> Void) rethrows
        -> HTTPResponse
    {
        .json(status, try JSONWriter.object(capacity: capacity, write))
    }
}

extension APIRequest {
    var links: Links { Links(self, version: version) }

    /// `http://127.0.0.1:8088/compute/v2.1`, or as the caller wrote it: with `/v2`, with the project.
    var versionURL: String { serviceURL + version + projectPath }

    /// What bookmarks begin with.
    var bookmarkURL: String { serviceURL + projectPath }

    private var projectPath: String { parameters["project_id"].map { "/\($0)" } ?? "" }

    private var version: String {
        let prefix = serviceURL.dropFirst(originURL.count)
        return http.path.hasPrefix(prefix + "/v2/") ? "/v2" : "/v2.1"
    }
}

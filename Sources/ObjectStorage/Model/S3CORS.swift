// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// Which pages' scripts may read a bucket's answers.
package struct S3CORS: Sendable, Equatable {
    package struct Rule: Sendable, Equatable {
        package var id: String?
        package var origins: [String]
        package var methods: [String]
        package var headers: [String]
        package var exposed: [String]
        package var maxAgeSeconds: Int?

        package init(
            id: String? = nil, origins: [String], methods: [String], headers: [String] = [], exposed: [String] = [],
            maxAgeSeconds: Int? = nil
        ) {
            self.id = id
            self.origins = origins
            self.methods = methods
            self.headers = headers
            self.exposed = exposed
            self.maxAgeSeconds = maxAgeSeconds
        }
    }

    package static let maximumRules = 100
    private static let methods: Set<String> = ["GET", "PUT", "POST", "DELETE", "HEAD"]

    package var rules: [Rule]

    package init(_ document: XMLElement) throws(S3Error) {
        guard document.name == "CORSConfiguration" else { throw S3Error(.malformedXML) }
        rules = []
        for element in document.all("CORSRule") {
            func texts(_ name: String) -> [String] { element.all(name).map(\.text.trimmed) }
            var maxAge: Int?
            if let text = element.value("MaxAgeSeconds") {
                guard let seconds = Int(text), seconds >= 0 else { throw S3Error(.malformedXML) }
                maxAge = seconds
            }
            let rule = Rule(
                id: element.value("ID"), origins: texts("AllowedOrigin"), methods: texts("AllowedMethod"),
                headers: texts("AllowedHeader"), exposed: texts("ExposeHeader"), maxAgeSeconds: maxAge)
            guard !rule.origins.isEmpty, !rule.methods.isEmpty else { throw S3Error(.malformedXML) }
            if let method = rule.methods.first(where: { !Self.methods.contains($0) }) {
                throw S3Error(
                    .invalidRequest, "Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
            }
            guard (rule.origins + rule.headers).allSatisfy({ $0.filter { $0 == "*" }.count <= 1 }),
                (rule.origins + rule.headers + rule.exposed).allSatisfy(Self.isPlain)
            else { throw S3Error(.invalidRequest, "An origin or a header can have one wildcard at most.") }
            rules.append(rule)
        }
        guard (1...Self.maximumRules).contains(rules.count) else { throw S3Error(.malformedXML) }
    }

    /// The first rule that lets `origin` use `method` with all of `headers`.
    package func rule(origin: String, method: String, headers: [String] = []) -> Rule? {
        rules.first { rule in
            rule.methods.contains(method) && rule.origins.contains { Self.matches(origin, $0) }
                && headers.allSatisfy { header in
                    rule.headers.contains { Self.matches(header.asciiLowercased(), $0.asciiLowercased()) }
                }
        }
    }

    private static func isPlain(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } && text.count <= 256
    }

    static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let star = pattern.firstIndex(ofByte: "*") else { return text.isByteEqual(to: pattern) }
        let (head, tail) = (pattern[..<star], pattern.text(after: star))
        return text.utf8.count >= head.utf8.count + tail.utf8.count && text.hasBytePrefix(head)
            && text.hasByteSuffix(tail)
    }

    // MARK: Kept

    package var text: String {
        JSON.array(
            rules.map { rule in
                func texts(_ list: [String]) -> JSON { .array(list.map { .string($0) }) }
                return [
                    "id": rule.id.map { .string($0) } ?? .null, "origins": texts(rule.origins),
                    "methods": texts(rule.methods),
                    "headers": texts(rule.headers), "exposed": texts(rule.exposed),
                    "max_age": rule.maxAgeSeconds.map { .int(Int64($0)) } ?? .null,
                ]
            }
        ).text()
    }

    /// What `text` wrote; nil for anything else.
    package init?(kept text: String?) {
        guard let text, case .array(let kept)? = try? JSONReader.read(text) else { return nil }  // Not ours: none.
        rules = kept.map { rule in
            func texts(_ name: String) -> [String] { (rule[name]?.array ?? []).compactMap(\.string) }
            return Rule(
                id: rule["id"]?.string, origins: texts("origins"), methods: texts("methods"), headers: texts("headers"),
                exposed: texts("exposed"), maxAgeSeconds: rule["max_age"]?.int.map { Int($0) })
        }
    }
}

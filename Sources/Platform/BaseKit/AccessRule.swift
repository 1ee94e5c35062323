// SPDX-License-Identifier: Apache-2.0

/// One kind of call that a restricted application credential may make: a service's type, a method and a path.
package struct AccessRule: Sendable, Hashable {
    package var service: String
    package var method: String
    /// `*` and `{name}` stand for one segment, `**` for any rest (keystonemiddleware: `_path_matches`).
    package var path: String

    package init(service: String, method: String, path: String) {
        self.service = service
        self.method = method
        self.path = path
    }

    /// `paths` are the forms of one request's path: with and without the prefix that the service is mounted under.
    package func permits(service: String, method: String, paths: [[String]]) -> Bool {
        guard service == self.service, method == self.method else { return false }
        let pattern = path.split(separator: "/").map(String.init)
        return paths.contains { Self.matches($0, pattern) }
    }

    /// In at most as many steps as segments times pattern: of several `**` only the last need ever take one more segment.
    private static func matches(_ segments: [String], _ pattern: [String]) -> Bool {
        var (segment, part) = (0, 0)
        var lastRest: (part: Int, segment: Int)?
        while segment < segments.count {
            if part < pattern.count, pattern[part] == "**" {
                lastRest = (part, segment)
                part += 1
            } else if part < pattern.count, isWild(pattern[part]) || pattern[part] == segments[segment] {
                segment += 1
                part += 1
            } else if let rest = lastRest {
                lastRest = (rest.part, rest.segment + 1)
                (part, segment) = (rest.part + 1, rest.segment + 1)
            } else {
                return false
            }
        }
        return pattern[part...].allSatisfy { $0 == "**" }
    }

    private static func isWild(_ part: String) -> Bool { part == "*" || part.hasPrefix("{") && part.hasSuffix("}") }
}

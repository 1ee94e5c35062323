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
        return paths.contains { Self.matches($0[...], pattern[...]) }
    }

    private static func matches(_ segments: ArraySlice<String>, _ pattern: ArraySlice<String>) -> Bool {
        guard let first = pattern.first else { return segments.isEmpty }
        if first == "**" {
            return pattern.count == 1 || segments.indices.contains { matches(segments[$0...], pattern.dropFirst()) }
        }
        guard let segment = segments.first else { return false }
        let isWild = first == "*" || first.hasPrefix("{") && first.hasSuffix("}")
        return (isWild || first == segment) && matches(segments.dropFirst(), pattern.dropFirst())
    }
}

// SPDX-License-Identifier: Apache-2.0
import ObjectStorageContract

/// Where versions are kept: names that begin with a NUL, which no client can send.
enum VersionNames {
    private static let latest: Int64 = 999_999_999_999_999

    static func container(_ container: String) -> String { "\0versions\0" + container }

    /// Newer ones come first: the time counts backwards.
    static func object(_ object: String, _ time: WriteTime) -> String {
        "\0\(object)\0" + WriteTime(ticks: max(0, latest - time.ticks)).fixedText
    }

    static func prefix(_ object: String) -> String { "\0\(object)\0" }

    /// Nil: no name of a version.
    static func split(_ name: String) -> (object: String, version: WriteTime)? {
        let parts = name.utf8.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].isEmpty, let time = WriteTime(String(Substring(parts[2]))) else { return nil }
        return (String(Substring(parts[1])), WriteTime(ticks: latest - time.ticks))
    }
}

extension WriteTime {
    /// Of sixteen characters always, so that texts are in the order of times.
    var fixedText: String { String(repeating: "0", count: max(0, 16 - text.utf8.count)) + text }
}

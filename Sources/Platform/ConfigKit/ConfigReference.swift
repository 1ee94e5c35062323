// SPDX-License-Identifier: Apache-2.0

extension Configuration {
    /// A configuration file with every option at its default, and its help above it. It is valid as it is.
    package static func reference(_ types: [any ConfigSection.Type]) -> String {
        var text = """
            # Every option, at its default. An option can be given here, as a flag or in the environment:
            # `section: {some-option: value}`, `--section-some-option value`, `HANEUL_SECTION_SOME_OPTION=value`.
            # Flags win over the environment, and the environment over this file.

            """
        // Options without a section come first: in YAML nothing can lead back to the top.
        for type in types.filter({ $0.section.isEmpty }) + types.filter({ !$0.section.isEmpty }) {
            let entries = ConfigEntry.entries(of: type.init())
            let indent = type.section.isEmpty ? "" : "  "
            text += "\n# \(type.title)\n"
            if !type.section.isEmpty { text += "\(type.section):\n" }
            for entry in entries { text += describe(entry, indent) }
        }
        return text
    }

    private static func describe(_ entry: ConfigEntry, _ indent: String) -> String {
        let option = entry.option
        let limits = option.bounds.map { ", \($0)" } ?? ""
        var text = wrap(option.help, indent + "# ")
        text += "\(indent)# \(option.kind)\(limits)"
        text += option.isSecret ? "; \(entry.variable)\n" : "; \(entry.flag), \(entry.variable)\n"
        // A secret has no default worth showing, and a comment keeps it unset.
        let value = option.isSecret || option.text.isEmpty ? "" : " \(scalar(option))"
        return text + "\(indent)\(value.isEmpty ? "# " : "")\(entry.key):\(value)\n"
    }

    private static func scalar(_ option: any AnyConfigOption) -> String {
        option.kind == String.kind || option.kind.hasPrefix("list") ? YAMLEditor.quote(option.text) : option.text
    }

    private static func wrap(_ text: String, _ prefix: String) -> String {
        var lines: [String] = []
        var line = prefix
        for word in text.split(separator: " ") {
            if line.count + word.count >= 100, line.count > prefix.count {
                lines.append(line)
                line = prefix
            }
            line += line.count > prefix.count ? " \(word)" : "\(word)"
        }
        lines.append(line)
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The known name that a mistyped one is closest to.
package enum Nearest {
    /// `; did you mean 'network'?`, or nothing when none is close.
    package static func hint(_ name: String, among known: [String]) -> String {
        let nearest = known.min { (distance(name, $0), $0) < (distance(name, $1), $1) }
        guard let nearest, distance(name, nearest) <= max(2, name.count / 3) else { return "" }
        return "; did you mean '\(nearest)'?"
    }

    /// Levenshtein's.
    static func distance(_ left: String, _ right: String) -> Int {
        let (left, right) = (Array(left.utf8.prefix(100)), Array(right.utf8.prefix(100)))
        var row = Array(0...right.count)
        for (index, byte) in left.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in right.indices {
                let cost = min(row[column] + 1, row[column + 1] + 1, diagonal + (byte == right[column] ? 0 : 1))
                diagonal = row[column + 1]
                row[column + 1] = cost
            }
        }
        return row[right.count]
    }
}

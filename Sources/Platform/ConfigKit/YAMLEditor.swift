// SPDX-License-Identifier: Apache-2.0

/// Changes one entry of a YAML text and leaves every other byte as it is: comments, order, style.
package enum YAMLEditor {
    /// Puts `body`, the lines of a block mapping without indentation, at `section.key`, in place of an older value.
    ///
    /// Throws when the text is not YAML, or is written so that a line cannot be put in safely (braces, an alias).
    package static func set(_ text: String, section: String, key: String, body: [String]) throws(YAMLError) -> String {
        var document = Document(text)
        let root = try document.root()
        guard let root, !root.isNull else {
            document.append([section + ":"] + block(key, body, indent: 2))
            return try document.checked(section, key, isPresent: true)
        }
        try refuseFlow(root)
        guard root.pairs != nil else { throw YAMLError(message: "the document is not a mapping", line: 1) }
        guard let entries = root[section] else {
            document.append(
                [String(repeating: " ", count: root.column) + section + ":"]
                    + block(key, body, indent: root.column + 2))
            return try document.checked(section, key, isPresent: true)
        }
        if entries.isNull {
            document.replace(
                entries.keyLine + 1..<entries.keyLine + 1, with: block(key, body, indent: entries.keyColumn + 2))
        } else {
            try refuseFlow(entries)
            guard let pairs = entries.pairs, let last = pairs.last else {
                throw YAMLError(message: "'\(section)' is not a mapping", line: entries.firstLine + 1)
            }
            let lines = block(key, body, indent: entries.column)
            if let old = entries[key] {
                document.replace(old.keyLine..<old.lastLine + 1, with: lines)
            } else {
                document.replace(last.value.lastLine + 1..<last.value.lastLine + 1, with: lines)
            }
        }
        return try document.checked(section, key, isPresent: true)
    }

    /// Takes `section.key` out, and `section` with it when nothing else is there. The same text when there is none.
    package static func remove(_ text: String, section: String, key: String) throws(YAMLError) -> String {
        var document = Document(text)
        guard let entries = try document.root()?[section], let old = entries[key] else { return text }
        try refuseFlow(entries)
        let isLast = entries.pairs?.count == 1
        document.replace((isLast ? entries.keyLine : old.keyLine)..<old.lastLine + 1, with: [])
        return try document.checked(section, key, isPresent: false)
    }

    /// Text as a scalar that no reader takes for anything else.
    package static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                let digits = String(scalar.value, radix: 16)
                result += "\\x" + (digits.count == 1 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    private static func block(_ key: String, _ body: [String], indent: Int) -> [String] {
        let space = String(repeating: " ", count: indent)
        return [space + key + ":"] + body.map { space + "  " + $0 }
    }

    private static func refuseFlow(_ node: YAMLNode) throws(YAMLError) {
        guard !node.isFlow else {
            throw YAMLError(
                message: "written with braces or as an alias; give each entry a line of its own",
                line: node.firstLine + 1)
        }
    }

    /// The text by lines.
    private struct Document {
        private let original: String
        private var lines: [Substring]
        private let newline: String
        private let limits: YAMLLimits

        init(_ text: String) {
            original = text
            newline = text.utf8.contains(UInt8(ascii: "\r")) ? "\r\n" : "\n"
            lines = text.isEmpty ? [] : Self.lines(of: text)
            var limits = YAMLLimits()
            limits.allowsAliases = true
            self.limits = limits
        }

        /// Lines with their ends. By bytes, since Swift takes CR LF for one character.
        private static func lines(of text: String) -> [Substring] {
            var lines: [Substring] = []
            var start = text.startIndex
            while start < text.endIndex {
                let end = text.utf8[start...].firstIndex(of: UInt8(ascii: "\n"))
                let next = end.map { text.utf8.index(after: $0) } ?? text.endIndex
                lines.append(text[start..<next])
                start = next
            }
            return lines
        }

        func root() throws(YAMLError) -> YAMLNode? { try YAMLReader.read(original, limits) }

        mutating func append(_ new: [String]) { replace(lines.count..<lines.count, with: new) }

        mutating func replace(_ range: Range<Int>, with new: [String]) {
            let range = min(range.lowerBound, lines.count)..<min(range.upperBound, lines.count)
            if !new.isEmpty, range.lowerBound > 0, lines[range.lowerBound - 1].utf8.last != UInt8(ascii: "\n") {
                lines[range.lowerBound - 1] += newline
            }
            lines.replaceSubrange(range, with: new.map { $0[...] + newline })
        }

        /// The new text, when reading it shows that nothing but the entry has changed.
        func checked(_ section: String, _ key: String, isPresent: Bool) throws(YAMLError) -> String {
            let text = lines.joined()
            let (old, new) = (try root(), try YAMLReader.read(text, limits))
            let isKept =
                Self.others(old, section, key) == Self.others(new, section, key)
                && (new?[section]?[key] != nil) == isPresent
            guard isKept else { throw YAMLError(message: "cannot be changed without touching other entries", line: 1) }
            return text
        }

        /// All but the entry, in a form that compares.
        private static func others(_ root: YAMLNode?, _ section: String, _ key: String) -> [String] {
            (root?.pairs ?? []).flatMap { pair -> [String] in
                guard pair.key == section else { return ["\(pair.key)=\(describe(pair.value))"] }
                return (pair.value.pairs ?? []).filter { $0.key != key }.map {
                    "\(section).\($0.key)=\(describe($0.value))"
                }
            }
        }

        private static func describe(_ node: YAMLNode) -> String {
            switch node.content {
            case .scalar(let text, let isPlain): isPlain ? text : YAMLEditor.quote(text)
            case .sequence(let nodes): "[" + nodes.map(describe).joined(separator: ",") + "]"
            case .mapping(let pairs):
                "{" + pairs.map { YAMLEditor.quote($0.key) + ":" + describe($0.value) }.joined(separator: ",") + "}"
            }
        }
    }
}

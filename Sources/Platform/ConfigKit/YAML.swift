// SPDX-License-Identifier: Apache-2.0

/// A YAML document as read, with the lines it stands on.
package struct YAMLNode: Sendable {
    package enum Content: Sendable {
        /// `isPlain` is false for quoted and block text, which is never a number, a truth value or null.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// In order; keys are unique.
        case mapping([(key: String, value: YAMLNode)])
    }

    package let content: Content
    /// Lines, counted from 0: the first, and the last that has something of the node. A key's line is its value's
    /// `keyLine`.
    package let firstLine: Int
    package let lastLine: Int
    /// Of the first character.
    package let column: Int
    /// Of the key that leads here, in a mapping.
    package internal(set) var keyLine: Int
    package internal(set) var keyColumn: Int
    /// Written with braces or brackets.
    package let isFlow: Bool
    /// This node and all below.
    let size: Int

    package subscript(key: String) -> YAMLNode? {
        if case .mapping(let pairs) = content { pairs.first { $0.key == key }?.value } else { nil }
    }

    /// The text of a scalar; nil for null and for anything else.
    package var text: String? {
        if case .scalar(let text, _) = content, !isNull { text } else { nil }
    }

    package var elements: [YAMLNode]? { if case .sequence(let nodes) = content { nodes } else { nil } }
    package var pairs: [(key: String, value: YAMLNode)]? {
        if case .mapping(let pairs) = content { pairs } else { nil }
    }

    package var isNull: Bool {
        if case .scalar(let text, true) = content { ["", "~", "null", "Null", "NULL"].contains(text) } else { false }
    }

    /// Whether both say the same, wherever it stands.
    package func isSame(as other: YAMLNode) -> Bool {
        switch (content, other.content) {
        case (.scalar(let left, let leftPlain), .scalar(let right, let rightPlain)):
            left == right && leftPlain == rightPlain
        case (.sequence(let left), .sequence(let right)):
            left.count == right.count && zip(left, right).allSatisfy { $0.isSame(as: $1) }
        case (.mapping(let left), .mapping(let right)):
            left.count == right.count
                && zip(left, right).allSatisfy { $0.key == $1.key && $0.value.isSame(as: $1.value) }
        default: false
        }
    }
}

/// Why a text is not usable YAML, and where.
package struct YAMLError: Error, Sendable, CustomStringConvertible {
    package let message: String
    /// From 1, for people.
    package let line: Int
    package var description: String { "line \(line): \(message)" }
}

/// What a document may cost.
package struct YAMLLimits: Sendable {
    package var bytes = 1 << 20
    package var depth = 32
    /// Nodes, with the copies that aliases make: ten lines of aliases can stand for a billion nodes.
    package var nodes = 50_000
    package var allowsAliases = false

    package init() {}
}

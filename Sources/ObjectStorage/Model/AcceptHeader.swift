// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The value of an `Accept` header: the media types a client takes, the dearest first.
package struct AcceptHeader: Sendable {
    private struct Choice {
        var type: String
        var subtype: String
        var quality: Double
        var isExact: Bool { type != "*" && subtype != "*" }
    }

    private let choices: [Choice]

    /// Nil for one that is not well formed. An absent header takes everything.
    package init?(_ text: String?) {
        guard let text, !text.isEmpty else {
            choices = []
            return
        }
        var choices: [Choice] = []
        for part in text.split(byte: ",", omittingEmptySubsequences: false) {
            let pieces = part.split(byte: ";", omittingEmptySubsequences: false).map(\.trimmed)
            let names = pieces[0].split(byte: "/", omittingEmptySubsequences: false).map(String.init)
            guard names.count == 2, names.allSatisfy(Self.isToken) else { return nil }
            var quality: Double?
            for parameter in pieces.dropFirst() where !parameter.isEmpty {
                let halves = parameter.split(byte: "=", maxSplits: 1).map(\.trimmed)
                guard halves.count == 2 else { return nil }
                guard halves[0] == "q" else { continue }
                guard quality == nil, let value = Double(halves[1]) else { return nil }
                quality = value
            }
            choices.append(Choice(type: names[0], subtype: names[1], quality: quality ?? 1))
        }
        // The sort must be stable: equals keep the client's order.
        self.choices = choices.enumerated().sorted { left, right in
            let (a, b) = (left.element, right.element)
            if a.quality != b.quality { return a.quality > b.quality }
            if a.isExact != b.isExact { return a.isExact }
            return left.offset < right.offset
        }.map(\.element)
    }

    /// The first of `options` that the dearest choice takes; nil when none is taken.
    package func best(of options: [String]) -> String? {
        if choices.isEmpty { return options.first }
        for choice in choices {
            for option in options {
                let names = option.split(byte: "/", maxSplits: 1).map(String.init)
                guard names.count == 2 else { continue }
                if choice.type == "*" || choice.type == names[0], choice.subtype == "*" || choice.subtype == names[1] {
                    return option
                }
            }
        }
        return nil
    }

    private static func isToken(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"[]?={}".utf8.contains($0) }
    }
}

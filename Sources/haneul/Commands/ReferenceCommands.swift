// SPDX-License-Identifier: Apache-2.0
import ConfigKit
import PolicyKit

/// `haneul config reference`: every option, as a file that changes nothing.
enum ConfigCommand {
    static let usage = "haneul config reference"

    static func run(_ words: [String]) throws {
        guard words == ["reference"] else { throw CommandFailure(usage) }
        Terminal.say(String(Configuration.reference(OperatorSettings.sections).dropLast()))
    }
}

/// `haneul policy reference [SERVICE]`: every rule with its default check.
enum PolicyCommand {
    static let usage = "haneul policy reference [SERVICE]"

    static func run(_ words: [String]) throws {
        guard words.first == "reference", words.count <= 2 else { throw CommandFailure(usage) }
        let names = OperatorPolicies.services.map(\.name)
        if words.count == 2, !names.contains(words[1]) {
            throw CommandFailure(
                "There is no service '\(words[1])' with rules; there are \(names.joined(separator: ", ")).")
        }
        let wanted = OperatorPolicies.services.filter { words.count == 1 || $0.name == words[1] }
        Terminal.say(String(wanted.map { reference($0.name, $0.rules) }.joined(separator: "\n").dropLast()))
    }

    /// A policy file in which every rule is a comment: what it does not name keeps its default, also in later versions.
    static func reference(_ service: String, _ rules: [PolicyRule]) -> String {
        var text = """
            # The rules of \(service) at their defaults. A rule that policy/\(service).yaml in the state directory names
            # has the check of that file; all others keep their default.

            """
        for rule in rules {
            text += "\n"
            if !rule.help.isEmpty { text += "# \(rule.help)\n" }
            if rule.scopes.count < TokenScope.allCases.count {
                text += "# For tokens of: \(rule.scopes.map(\.rawValue).sorted().joined(separator: ", ")).\n"
            }
            text += "#\(YAMLEditor.quote(rule.name.rawValue)): \(YAMLEditor.quote(rule.check))\n"
        }
        return text
    }
}

// SPDX-License-Identifier: Apache-2.0

/// Everything that is wrong with a configuration, at once.
package struct ConfigError: Error, Sendable, CustomStringConvertible {
    package let problems: [String]
    package init(problems: [String]) { self.problems = problems }
    package var description: String { problems.joined(separator: "\n") }
}

/// Where values come from. Flags win over the environment, the environment over the file, the file over defaults.
package struct ConfigSource: Sendable {
    /// The text of the file, and its name for messages.
    package var file: (name: String, text: String)?
    package var environment: [String: String]
    /// Words of the command line that are options: `--network-mtu 1442`, `--network-mtu=1442`.
    package var flags: [String]

    package init(
        file: (name: String, text: String)? = nil, environment: [String: String] = [:], flags: [String] = []
    ) {
        self.file = file
        self.environment = environment
        self.flags = flags
    }
}

/// The options of a process, read once at its start.
package struct Configuration: Sendable {
    package static let environmentPrefix = "HANEUL_"
    /// Variables with the prefix that are no options: they tell commands where things are.
    package static let reservedVariables: Set<String> = ["HANEUL_STATE", "HANEUL_LISTEN_DESCRIPTOR"]

    private let sections: [any ConfigSection]

    /// Reads every section. Throws with all problems: unknown names, values that are not allowed.
    package init(_ types: [any ConfigSection.Type], from source: ConfigSource) throws(ConfigError) {
        let sections = types.map { $0.init() }
        var loader = ConfigLoader(sections)
        loader.read(source)
        guard loader.problems.isEmpty else { throw ConfigError(problems: loader.problems) }
        self.sections = sections
    }

    /// The section of this type, which must be among those given at the start.
    package func section<Section: ConfigSection>(_: Section.Type = Section.self) -> Section {
        for case let section as Section in sections { return section }
        preconditionFailure("\(Section.self) is not part of this configuration")
    }
}

/// One option of one section, by all its names.
struct ConfigEntry {
    let section: String
    let key: String
    let option: any AnyConfigOption

    private var parts: [String] { section.isEmpty ? [key] : [section, key] }
    var path: String { parts.joined(separator: ".") }
    var flag: String { "--" + parts.joined(separator: "-") }
    var variable: String {
        Configuration.environmentPrefix
            + String(parts.joined(separator: "_").uppercased().map { $0 == "-" ? "_" : $0 })
    }

    /// The options of a section, in the order in which they are declared.
    static func entries(of section: any ConfigSection) -> [ConfigEntry] {
        entries(in: section, section: type(of: section).section, prefix: "")
    }

    private static func entries(in holder: Any, section: String, prefix: String) -> [ConfigEntry] {
        Mirror(reflecting: holder).children.flatMap { child -> [ConfigEntry] in
            let label = child.label ?? ""
            if let group = child.value as? any ConfigGroup {
                return entries(in: group, section: section, prefix: prefix + kebab(label[...]) + "-")
            }
            guard let option = child.value as? any AnyConfigOption else { return [] }
            // A wrapper's storage is the property's name behind an underscore.
            return [ConfigEntry(section: section, key: prefix + kebab(label.dropFirst()), option: option)]
        }
    }

    /// `dnsDomain` is `dns-domain`, `maximumURLBytes` is `maximum-url-bytes`, `fixedIPs` is `fixed-ips`, `cacheMiB` is
    /// `cache-mib`.
    static func kebab(_ name: Substring) -> String {
        let letters = Array(name)
        var result = ""
        for (index, letter) in letters.enumerated() {
            if letter.isUppercase, startsWord(letters, index) { result += "-" }
            result += letter.lowercased()
        }
        return result
    }

    /// Whether the capital at `index` is a word's first letter, and not a later one of an acronym or a unit.
    private static func startsWord(_ letters: [Character], _ index: Int) -> Bool {
        guard index > 0 else { return false }
        if letters[index - 1].isUppercase {
            guard index + 1 < letters.count, letters[index + 1].isLowercase else { return false }
            let isPlural = letters[index + 1] == "s" && (index + 2 == letters.count || letters[index + 2].isUppercase)
            return !isPlural
        }
        return !(letters[index] == "B" && index > 1 && letters[index - 1] == "i" && letters[index - 2].isUppercase)
    }
}

/// Fills the options from a source and collects what is wrong.
private struct ConfigLoader {
    private let entries: [ConfigEntry]
    private(set) var problems: [String] = []

    init(_ sections: [any ConfigSection]) { entries = sections.flatMap(ConfigEntry.entries) }

    mutating func read(_ source: ConfigSource) {
        if let file = source.file { readFile(file.name, file.text) }
        readEnvironment(source.environment)
        readFlags(source.flags)
    }

    private mutating func readFile(_ name: String, _ text: String) {
        do throws(YAMLError) {
            guard let root = try YAMLReader.read(text), !root.isNull else { return }
            guard let pairs = root.pairs else {
                problems.append("\(name): the file is not a mapping")
                return
            }
            let sections = Set(entries.map(\.section))
            for (key, value) in pairs {
                if !key.isEmpty, sections.contains(key) {
                    readSection(name, key, value)
                } else {
                    readPair(name, section: "", key, value, also: sections)
                }
            }
        } catch {
            problems.append("\(name), \(error)")
        }
    }

    private mutating func readSection(_ name: String, _ section: String, _ node: YAMLNode) {
        guard !node.isNull else { return }
        guard let pairs = node.pairs else {
            problems.append("\(name), line \(node.firstLine + 1): '\(section)' holds options, one on each line")
            return
        }
        for (key, value) in pairs { readPair(name, section: section, key, value, also: []) }
    }

    private mutating func readPair(
        _ name: String, section: String, _ key: String, _ value: YAMLNode, also others: Set<String>
    ) {
        let place = "\(name), line \(value.keyLine + 1)"
        guard let entry = entries.first(where: { $0.section == section && $0.key == key }) else {
            let known = entries.filter { $0.section == section }.map(\.key) + others.filter { !$0.isEmpty }
            let full = section.isEmpty ? key : "\(section).\(key)"
            problems.append("\(place): unknown option '\(full)'" + Nearest.hint(key, among: known))
            return
        }
        if let problem = entry.option.load(value) { problems.append("\(place): \(entry.path): \(problem)") }
    }

    private mutating func readEnvironment(_ environment: [String: String]) {
        for (variable, text) in environment.sorted(by: { $0.key < $1.key })
        where variable.hasPrefix(Configuration.environmentPrefix) && !Configuration.reservedVariables.contains(variable)
        {
            guard let entry = entries.first(where: { $0.variable == variable }) else {
                problems.append(
                    "environment: unknown option '\(variable)'" + Nearest.hint(variable, among: entries.map(\.variable))
                )
                continue
            }
            if let problem = entry.option.load(text) { problems.append("environment: \(variable): \(problem)") }
        }
    }

    private mutating func readFlags(_ flags: [String]) {
        var rest = flags[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let entry = entries.first(where: { $0.flag == parts[0] }) else {
                problems.append("unknown option '\(parts[0])'" + Nearest.hint(parts[0], among: entries.map(\.flag)))
                if parts.count == 1, rest.first?.hasPrefix("--") == false { rest.removeFirst() }
                continue
            }
            guard !entry.option.isSecret else {
                problems.append(
                    "\(entry.flag): everyone on this machine can read a command line; "
                        + "set \(entry.variable) or \(entry.path) in the file")
                if parts.count == 1, rest.first?.hasPrefix("--") == false { rest.removeFirst() }
                continue
            }
            let isSwitch = entry.option.kind == Bool.kind
            let nextIsValue = rest.first.map { !$0.hasPrefix("--") && (!isSwitch || Bool.parse($0) != nil) } ?? false
            let text = parts.count > 1 ? parts[1] : nextIsValue ? rest.popFirst() : isSwitch ? "true" : nil
            guard let text else {
                problems.append("\(entry.flag): needs a value: \(entry.option.kind)")
                continue
            }
            if let problem = entry.option.load(text) { problems.append("\(entry.flag): \(problem)") }
        }
    }
}

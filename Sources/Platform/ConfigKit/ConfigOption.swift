// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Synchronization

/// The options of one service. Each property is an option; its default stands beside it:
///
///     struct NetworkConfig: ConfigSection {
///         static let section = "network"
///         static let title = "Network"
///         @ConfigOption("Domain that guests' names end in.", length: 1...255) var dnsDomain = "openstacklocal"
///         @ConfigOption("Largest MTU of a network.", range: 1280...9216) var mtu = 1500
///         init() {}
///     }
///
/// One name everywhere: `network: {dns-domain: …}` in the file, `--network-dns-domain`, `HANEUL_NETWORK_DNS_DOMAIN`.
package protocol ConfigSection: Sendable {
    /// The first part of every name; empty for options that belong to the whole process.
    static var section: String { get }
    /// One line for the reference.
    static var title: String { get }
    /// With the defaults.
    init()
}

/// Options of a section that belong together: `var quota = Quota()` in the section and `@ConfigOption(…) var ports` in
/// `Quota` make `quota-ports`.
package protocol ConfigGroup: Sendable {}

/// One option: a default, what is allowed, and help for who sets it.
@propertyWrapper
package struct ConfigOption<Value: ConfigValue>: Sendable {
    package let help: String
    /// What is allowed beyond the type, for people: `1280...9216`.
    let bounds: String?
    private let isAllowed: @Sendable (Value) -> Bool
    private var cell: Cell

    /// Reading options finds the wrappers by reflection, which gives copies; so a loaded value goes through a
    /// reference. Assigning makes a new one: a changed copy of a configuration changes no other.
    private final class Cell: Sendable {
        private let value: Mutex<Value>
        init(_ value: Value) { self.value = Mutex(value) }
        func get() -> Value { value.withLock { $0 } }
        func set(_ new: Value) { value.withLock { $0 = new } }
    }

    package var wrappedValue: Value {
        get { cell.get() }
        set { cell = Cell(newValue) }
    }

    private init(
        _ value: Value, _ help: String, _ bounds: String?, _ isAllowed: @escaping @Sendable (Value) -> Bool
    ) {
        precondition(isAllowed(value), "the default of '\(help)' is not allowed")
        self.help = help
        self.bounds = bounds
        self.isAllowed = isAllowed
        cell = Cell(value)
    }

    package init(wrappedValue: Value, _ help: String) {
        self.init(wrappedValue, help, nil) { _ in true }
    }

    /// None by default.
    package init(_ help: String) where Value: ExpressibleByNilLiteral {
        self.init(nil, help, nil) { _ in true }
    }

    /// `bounds` says to people what `check` checks.
    package init(
        wrappedValue: Value, _ help: String, bounds: String, check: @escaping @Sendable (Value) -> Bool
    ) {
        self.init(wrappedValue, help, bounds, check)
    }

    package init(wrappedValue: Value, _ help: String, range: ClosedRange<Value>) where Value: Comparable {
        let bounds = "\(range.lowerBound.configText) to \(range.upperBound.configText)"
        self.init(wrappedValue, help, bounds) { range.contains($0) }
    }

    /// None by default.
    package init<Wrapped: ConfigValue & Comparable>(_ help: String, range: ClosedRange<Wrapped>)
    where Value == Wrapped? {
        let bounds = "\(range.lowerBound.configText) to \(range.upperBound.configText)"
        self.init(nil, help, bounds) { $0.map { range.contains($0) } ?? true }
    }

    package init(wrappedValue: Value, _ help: String, length: ClosedRange<Int>) where Value == String {
        let bounds = "\(length.lowerBound) to \(length.upperBound) bytes"
        self.init(wrappedValue, help, bounds) { length.contains($0.utf8.count) }
    }
}

/// What the loader and the reference need of an option, whatever its type.
protocol AnyConfigOption {
    var help: String { get }
    var bounds: String? { get }
    var kind: String { get }
    var text: String { get }
    var isSecret: Bool { get }
    /// Why `text` cannot be the value, or nil when it now is.
    func load(_ text: String) -> String?
    func load(_ node: YAMLNode) -> String?
}

extension ConfigOption: AnyConfigOption {
    var kind: String { Value.kind }
    var text: String { wrappedValue.configText }
    var isSecret: Bool { Value.self == Secret.self || Value.self == Secret?.self }

    func load(_ text: String) -> String? {
        guard let value = Value.parse(text), isAllowed(value) else { return expectation(isSecret ? "***" : text) }
        cell.set(value)
        return nil
    }

    func load(_ node: YAMLNode) -> String? {
        if let elements = node.elements {
            let texts = elements.compactMap(\.text)
            guard texts.count == elements.count else { return expectation("a list of structures") }
            guard Value.self is any Collection.Type else { return expectation("a list") }
            return load(texts.joined(separator: ","))
        }
        guard node.pairs == nil else { return expectation("a structure") }
        return load(node.text ?? "")
    }

    private func expectation(_ found: String) -> String {
        "'\(found)' is not allowed; expected \(kind)" + (bounds.map { ", \($0)" } ?? "")
    }
}

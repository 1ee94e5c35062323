// SPDX-License-Identifier: Apache-2.0
import BlockStorageAPI
import ComputeAPI
import ConfigKit
import IdentityAPI
import ImageAPI
import LinuxKit
import NetworkCore
import ObjectStorageAPI
import PlacementAPI
import PolicyKit

/// The operator's own checks in place of rules' defaults, by service: `policy/compute.yaml` and its like.
package struct OperatorPolicies: Sendable {
    /// Each service that has rules, with their defaults. The name is that of its file.
    package static let services: [(name: String, rules: [PolicyRule])] = [
        ("block-storage", BlockStoragePolicies.all), ("compute", ComputePolicies.all), ("identity", IdentityPolicies.defaults), ("image", ImagePolicies.all),
        ("network", NetworkPolicies.rules), ("object-storage", RingPolicies.all),
        ("placement", PlacementPolicies.all),
    ]

    private var overrides: [String: [String: String]] = [:]

    /// The defaults.
    package init() {}

    /// Reads and checks every file; a folder that does not exist is empty. Throws with the first problem of each file.
    package init(directory: String) throws {
        var problems: [String] = []
        for file in try FileSystem.list(directory) {
            do throws(PolicyFileError) {
                guard let name = try Self.service(of: file) else { continue }
                guard let text = try Self.read("\(directory)/\(file)"),
                    let service = Self.services.first(where: { $0.name == name })
                else { continue }
                overrides[name] = try Self.overrides(text, of: service.rules)
            } catch {
                problems.append("\(directory)/\(file): \(error.reason)")
            }
        }
        guard problems.isEmpty else { throw ConfigError(problems: problems) }
    }

    /// Rules and their checks.
    package subscript(service: String) -> [String: String] { overrides[service] ?? [:] }

    // MARK: Files

    private struct PolicyFileError: Error {
        let reason: String
    }

    /// Nil: not a policy file. A name with a mistake would leave the rules as they were and nobody would know.
    private static func service(of file: String) throws(PolicyFileError) -> String? {
        let parts = file.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, ["yaml", "yml", "json"].contains(parts[1]), !file.hasPrefix(".") else { return nil }
        guard parts[1] == "yaml" else { throw PolicyFileError(reason: "a policy file's name ends in .yaml") }
        let names = services.map(\.name)
        guard names.contains(parts[0]) else {
            throw PolicyFileError(
                reason: "there is no service '\(parts[0])'; the files are \(names.joined(separator: ", "))")
        }
        return parts[0]
    }

    private static func read(_ path: String) throws(PolicyFileError) -> String? {
        do throws(SystemError) {
            // One byte more than a document may have, so that the reader says that it is too long.
            guard let bytes = try FileSystem.read(path, limit: YAMLLimits().bytes + 1) else { return nil }
            guard let text = String(validating: bytes, as: UTF8.self) else { throw SystemError("read", path) }
            return text
        } catch {
            throw PolicyFileError(reason: "cannot be read as text: \(error)")
        }
    }

    private static func overrides(_ text: String, of rules: [PolicyRule]) throws(PolicyFileError) -> [String: String] {
        var checks: [String: String] = [:]
        for (rule, value) in try pairs(text) {
            guard let check = value.text else {
                // A check of nothing is written "" and lets everybody in: never by accident, as with a bare !.
                throw PolicyFileError(
                    reason: "line \(value.keyLine + 1): rule '\(rule)': the check must be text between quotes")
            }
            checks[rule] = check
        }
        try refuseUnknown(checks, rules)
        do {
            _ = try PolicyEnforcer(rules, overrides: checks)
        } catch {
            throw PolicyFileError(reason: "\(error)")
        }
        return checks
    }

    private static func pairs(_ text: String) throws(PolicyFileError) -> [(key: String, value: YAMLNode)] {
        do throws(YAMLError) {
            guard let root = try YAMLReader.read(text), !root.isNull else { return [] }
            if let pairs = root.pairs { return pairs }
        } catch {
            throw PolicyFileError(reason: "\(error)")
        }
        throw PolicyFileError(reason: "expected \"rule\": \"check\" on each line")
    }

    /// A rule that is neither a service's nor used by another is a mistake in its name: the rule that was meant would
    /// keep its default.
    private static func refuseUnknown(_ checks: [String: String], _ rules: [PolicyRule]) throws(PolicyFileError) {
        let known = Set(rules.map(\.name.rawValue))
        let used = Set(
            checks.values.flatMap { $0.split { " ()\t\n".contains($0) } }.filter { $0.hasPrefix("rule:") }
                .map { String($0.dropFirst("rule:".count)) })
        if let unknown = checks.keys.sorted().first(where: { !known.contains($0) && !used.contains($0) }) {
            throw PolicyFileError(
                reason: "rule '\(unknown)': the service has no such rule" + Nearest.hint(unknown, among: known.sorted())
            )
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The scheduler hint `query`: `["and", [">=", "$free_ram_mb", 1024], …]` over what a host has (nova: json_filter.py).
/// Off by default, here as upstream: its answers tell how large the hosts are.
package enum HostQuery {
    private static let maximumDepth = 16
    private static let commands: Set<String> = ["=", "<", ">", "in", "<=", ">=", "not", "or", "and"]

    /// What may be asked of a host, without the `$`.
    package typealias Variables = @Sendable (String) -> JSON?

    /// Throws `.badRequest` unless `text` is a query.
    package static func read(_ text: String) throws -> JSON {
        guard let query = try? JSONReader.read(text), isQuery(query, depth: 0) else {  // why not is said below
            throw CloudError.badRequest("Invalid input for field/attribute query. It is not a query over hosts.")
        }
        return query
    }

    private static func isQuery(_ query: JSON, depth: Int) -> Bool {
        guard depth < maximumDepth, case .array(let parts) = query else { return false }
        guard let first = parts.first else { return true }
        guard let command = first.string, commands.contains(command) else { return false }
        return parts.dropFirst().allSatisfy { part in
            switch part {
            case .array: isQuery(part, depth: depth + 1)
            case .object: false
            default: true
            }
        }
    }

    package static func isMet(_ query: JSON, by variables: Variables) -> Bool {
        result(query, variables).contains(true)
    }

    /// More than one for `not`, which turns each of its arguments; any of them is enough for a host to pass.
    private static func result(_ query: JSON, _ variables: Variables) -> [Bool] {
        guard case .array(let parts) = query, let command = parts.first?.string else { return [true] }
        let values = parts.dropFirst().compactMap { value($0, variables) }
        switch command {
        case "not": return values.map { !isTrue($0) }
        case "or": return [values.contains(where: isTrue)]
        case "and": return [values.allSatisfy(isTrue)]
        case "in": return [values.count > 1 && values.dropFirst().contains(values[0])]
        default:
            guard values.count > 1 else { return [false] }
            return [values.dropFirst().allSatisfy { compare(values[0], $0, command) }]
        }
    }

    /// Nil: nobody knows it, so it does not count.
    private static func value(_ json: JSON, _ variables: Variables) -> JSON? {
        switch json {
        case .array: .bool(result(json, variables).contains(true))
        case .string(let text) where text.hasPrefix("$"): variables(String(text.dropFirst()))
        case .string(""), .null: nil
        default: json
        }
    }

    private static func isTrue(_ value: JSON) -> Bool {
        switch value {
        case .bool(let flag): flag
        case .int(let number): number != 0
        case .double(let number): number != 0
        case .string(let text): !text.isEmpty
        default: false
        }
    }

    private static func compare(_ left: JSON, _ right: JSON, _ command: String) -> Bool {
        if let left = number(left), let right = number(right) { return holds(left, right, command) }
        guard let left = left.string, let right = right.string else { return false }
        return holds(left, right, command)
    }

    private static func number(_ value: JSON) -> Double? {
        switch value {
        case .int(let number): Double(number)
        case .double(let number): number
        default: nil
        }
    }

    private static func holds<T: Comparable>(_ left: T, _ right: T, _ command: String) -> Bool {
        switch command {
        case "=": left == right
        case "<": left < right
        case ">": left > right
        case "<=": left <= right
        default: left >= right
        }
    }
}

extension HostView {
    /// For `HostQuery`. Names no host.
    func variable(_ name: String) -> JSON? {
        let info = host.hypervisor
        return switch name {
        case "free_ram_mb": .int(freeMemoryMiB)
        case "total_usable_ram_mb": .int(Int64(info.memoryMiB))
        case "total_usable_disk_gb": .int(Int64(info.diskGiB))
        case "vcpus_total": .int(Int64(info.vcpus))
        case "hypervisor_type": .string(info.type)
        case "hypervisor_version": .int(Int64(info.version))
        default: nil
        }
    }
}

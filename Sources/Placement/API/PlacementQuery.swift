// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import PlacementContract
import PlacementCore

/// Suffixes of request groups: numbers until 1.32, words since 1.33.
enum GroupSuffix {
    static func isCharacter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-": true
        default: false
        }
    }

    static func isValid(_ text: Substring, minor: Int) -> Bool {
        if minor >= 33 {
            return (1...64).contains(text.unicodeScalars.count) && text.unicodeScalars.allSatisfy(isCharacter)
        }
        return text.first != "0" && !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
    }
}

/// The values that several queries share (placement: `placement/util.py`).
enum PlacementQuery {
    static func invalid(_ reason: String, kind: String? = nil) -> CloudError {
        .badRequest("Invalid query string parameters: \(reason)", kind: kind)
    }

    /// Refuses a parameter that is none of `allowed`.
    static func checkNames(_ request: APIRequest, _ allowed: Set<String>) throws {
        if let unknown = request.http.query.map(\.name).first(where: { !allowed.contains($0) }) {
            throw invalid("Additional properties are not allowed ('\(unknown)' was unexpected)")
        }
    }

    static func uuid(_ name: String, _ text: String) throws -> String {
        guard UUIDText.isUUID(text) else {
            throw invalid("'\(text)' is not a 'uuid'\n\nFailed validating 'format' in schema")
        }
        return text.lowercased()
    }

    /// `VCPU:2,MEMORY_MB:1024`
    static func resources(_ text: String) throws -> [String: Int64] {
        let expected =
            "Badly formed resources parameter. Expected resources query string parameter in form: "
            + "?resources=VCPU:2,MEMORY_MB:1024. Got: "
        guard text.contains(where: { !$0.isWhitespace }) else {
            throw CloudError.badRequest(expected + "empty string.")
        }
        var resources: [String: Int64] = [:]
        for entry in text.split(separator: ",", omittingEmptySubsequences: false) {
            let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw CloudError.badRequest("\(expected)\(entry).") }
            guard let amount = Int64(trim(parts[1])) else {
                throw CloudError.badRequest(
                    "Requested resource \(parts[0]) expected positive integer amount. Got: \(parts[1]).")
            }
            guard amount >= 1 else {
                throw CloudError.badRequest("Requested resource \(parts[0]) requires amount >= 1. Got: \(amount).")
            }
            resources[String(parts[0])] = amount
        }
        return resources
    }

    struct Traits: Equatable {
        var required: [[String]] = []
        var forbidden: [String] = []
    }

    /// Before 1.39 the last of several values counts.
    static func traits(_ values: [String], minor: Int) throws -> Traits {
        var result = Traits()
        for value in minor >= 39 ? values[...] : values.suffix(1) {
            let one = try traits(value, mayForbid: minor >= 22, mayOffer: minor >= 39)
            result.required += one.required
            result.forbidden += one.forbidden
        }
        return result
    }

    static func traits(_ value: String, mayForbid: Bool, mayOffer: Bool) throws -> Traits {
        if value.hasPrefix("in:") { return Traits(required: [try anyTraits(value, isAllowed: mayOffer)]) }
        let all = value.split(separator: ",", omittingEmptySubsequences: false).map(trim)
        let forbidden = all.filter { $0.hasPrefix("!") }.map { String($0.drop { $0 == "!" }) }
        guard !(all + forbidden).contains("") else {
            throw invalid(
                """
                Expected 'required' parameter value of the form: HW_CPU_X86_VMX,\(mayForbid ? "!" : "")CUSTOM_MAGIC. \
                Got an empty trait in: \(value)
                """)
        }
        guard forbidden.isEmpty || mayForbid else {
            throw invalid("Expected 'required' parameter value of the form: HW_CPU_X86_VMX,CUSTOM_MAGIC. Got: \(value)")
        }
        return Traits(required: all.filter { !$0.hasPrefix("!") }.map { [$0] }, forbidden: forbidden)
    }

    private static func anyTraits(_ value: String, isAllowed: Bool) throws -> [String] {
        let form = "The format 'in:HW_CPU_X86_VMX,CUSTOM_MAGIC'"
        guard isAllowed else { throw invalid("\(form) only supported since microversion 1.39. Got: \(value)") }
        let traits = value.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false).map(trim)
        guard !traits.contains("") else {
            throw invalid(
                "Expected 'required' parameter value of the form: in:HW_CPU_X86_VMX,CUSTOM_MAGIC. Got an empty trait in: \(value)"
            )
        }
        guard !traits.contains(where: { $0.hasPrefix("!") }) else {
            throw invalid("\(form) does not support forbidden traits. Got: \(value)")
        }
        return traits
    }

    private static func trim(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace ?? false { text = text.dropFirst() }
        while text.last?.isWhitespace ?? false { text = text.dropLast() }
        return String(text)
    }

    struct Aggregates: Equatable {
        var required: [[String]] = []
        var forbidden: [String] = []
    }

    static func memberOf(_ values: [String], suffix: String, minor: Int) throws -> Aggregates {
        if minor < 24, values.count > 1 {
            throw CloudError.badRequest("Multiple member_of\(suffix) parameters are not supported")
        }
        var result = Aggregates()
        for value in values {
            let (isForbidden, aggregates) = try aggregates(value)
            if isForbidden {
                guard minor >= 32 else {
                    throw CloudError.badRequest(
                        "Forbidden member_of\(suffix) parameters are not supported in the specified microversion")
                }
                result.forbidden += aggregates
            } else {
                result.required.append(aggregates)
            }
        }
        return result
    }

    private static func aggregates(_ value: String) throws -> (isForbidden: Bool, [String]) {
        if value.contains(","), !value.hasPrefix("in:"), !value.hasPrefix("!in:") {
            throw CloudError.badRequest(
                """
                Multiple values for 'member_of' must be prefixed with the 'in:' or '!in:' keyword using the valid \
                microversion. Got: \(value)
                """)
        }
        let isForbidden = value.hasPrefix("!")
        let rest = isForbidden ? value.dropFirst() : value[...]
        let list =
            rest.hasPrefix("in:")
            ? rest.dropFirst(3).split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            : [String(rest)]
        for aggregate in list where !UUIDText.isUUID(aggregate) {
            throw invalid("Expected 'member_of' parameter to contain valid UUID(s). Got: \(aggregate)")
        }
        return (isForbidden, list)
    }

    static func inTree(_ value: String) throws -> ResourceProviderID {
        let text = trim(value[...])
        guard UUIDText.isUUID(text) else {
            throw invalid("Expected 'in_tree' parameter to be a format of uuid. Got: \(value)")
        }
        return ResourceProviderID(text.lowercased())
    }
}

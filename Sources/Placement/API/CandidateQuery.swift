// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import PlacementCore

/// Reads the query of GET /allocation_candidates (placement: `placement/lib.py`).
enum CandidateQuery {
    private static let kinds: [(name: String, since: Int)] = [
        ("resources", 10), ("required", 17), ("member_of", 21), ("in_tree", 31),
    ]

    static func read(_ request: APIRequest, minor: Int) throws -> CandidateRequest {
        try checkNames(request, minor: minor)
        var result = CandidateRequest()
        result.knowsTrees = minor >= 29
        result.limit = try limit(request)
        try readWide(request, minor: minor, &result)
        result.groups = try groups(request, minor: minor)
        if minor >= 36 {
            try checkSubtrees(result)
        } else {
            try checkOrphans(result.groups)
        }
        if minor >= 22 { try checkConflicts(result.groups) }
        if request.query("group_policy") == nil, result.groups.keys.filter({ !$0.isEmpty }).count > 1 {
            throw CloudError.badRequest(
                "The \"group_policy\" parameter is required when specifying more than one \"resources{N}\" parameter.")
        }
        return result
    }

    // MARK: Names

    private static func checkNames(_ request: APIRequest, minor: Int) throws {
        var plain: Set<String> = []
        if minor >= 16 { plain.insert("limit") }
        if minor >= 25 { plain.insert("group_policy") }
        if minor >= 35 { plain.insert("root_required") }
        if minor >= 36 { plain.insert("same_subtree") }
        for name in request.http.query.map(\.name) where !plain.contains(name) {
            if minor < 25 {
                guard kinds.contains(where: { $0.name == name && $0.since <= minor }) else {
                    throw PlacementQuery.invalid("Additional properties are not allowed ('\(name)' was unexpected)")
                }
            } else if split(name, minor: minor) == nil {
                let suffix = minor >= 33 ? "[a-zA-Z0-9_-]{1,64}" : "[1-9][0-9]*"
                let patterns = kinds.filter { $0.since <= minor }.map { "'^\($0.name)(\(suffix))?$'" }.sorted()
                throw PlacementQuery.invalid(
                    "'\(name)' does not match any of the regexes: \(patterns.joined(separator: ", "))")
            }
        }
        if minor < 25, request.query("resources") == nil {
            throw PlacementQuery.invalid("'resources' is a required property")
        }
    }

    /// The kind of a parameter and its group's suffix.
    private static func split(_ name: String, minor: Int) -> (kind: String, suffix: String)? {
        for kind in kinds where kind.since <= minor && name.hasPrefix(kind.name) {
            let suffix = name.dropFirst(kind.name.count)
            if suffix.isEmpty || GroupSuffix.isValid(suffix, minor: minor) { return (kind.name, String(suffix)) }
        }
        return nil
    }

    private static func limit(_ request: APIRequest) throws -> Int? {
        guard let text = request.queryAll("limit").first else { return nil }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), text.first != "0", let limit = Int(text) else {
            throw PlacementQuery.invalid(
                "'\(text)' does not match '^[1-9][0-9]*$'\n\nFailed validating 'pattern' in schema")
        }
        return limit
    }

    // MARK: The request as a whole

    private static func readWide(_ request: APIRequest, minor: Int, _ result: inout CandidateRequest) throws {
        if let policy = request.queryAll("group_policy").first {
            guard policy == "none" || policy == "isolate" else {
                throw PlacementQuery.invalid("'\(policy)' is not one of ['none', 'isolate']")
            }
            result.isIsolated = policy == "isolate"
        }
        let rootRequired = request.queryAll("root_required")
        guard rootRequired.count <= 1 else {
            throw CloudError.badRequest(
                "Query parameter 'root_required' may be specified only once.", kind: PlacementErrors.duplicateKey)
        }
        if let value = rootRequired.first {
            let traits = try PlacementQuery.traits(value, mayForbid: true, mayOffer: false)
            result.rootRequiredTraits = traits.required.flatMap { $0 }
            result.rootForbiddenTraits = traits.forbidden
            let conflicts = Set(result.rootRequiredTraits).intersection(traits.forbidden)
            guard conflicts.isEmpty else {
                throw CloudError.badRequest(
                    """
                    Conflicting required and forbidden traits found in root_required: \
                    \(conflicts.sorted().joined(separator: ", "))
                    """, kind: PlacementErrors.badValue)
            }
        }
        for value in request.queryAll("same_subtree") {
            let suffixes = Set(
                value.split(separator: ",", omittingEmptySubsequences: false).map { $0.filter { !$0.isWhitespace } })
            guard !suffixes.contains("") else {
                throw CloudError.badRequest(
                    "Empty string (unsuffixed group) can not be specified in `same_subtree` ",
                    kind: PlacementErrors.badValue)
            }
            result.sameSubtrees.append(suffixes)
        }
    }

    // MARK: Groups

    private static func groups(_ request: APIRequest, minor: Int) throws -> [String: CandidateRequest.Group] {
        var groups: [String: CandidateRequest.Group] = [:]
        for (name, value) in request.http.query {
            guard let (kind, suffix) = split(name, minor: minor) else { continue }
            var group = groups[suffix] ?? CandidateRequest.Group()
            switch kind {
            case "resources": group.resources = try PlacementQuery.resources(value)
            case "required":
                let traits = try PlacementQuery.traits(request.queryAll(name), minor: minor)
                group.requiredTraits = traits.required
                group.forbiddenTraits = traits.forbidden
            case "member_of":
                let aggregates = try PlacementQuery.memberOf(request.queryAll(name), suffix: suffix, minor: minor)
                group.memberOf = aggregates.required
                group.forbiddenAggregates = aggregates.forbidden
            default: group.inTree = try PlacementQuery.inTree(value)
            }
            groups[suffix] = group
        }
        return groups
    }

    private static func checkSubtrees(_ request: CandidateRequest) throws {
        let groups = request.groups
        let resourceless = groups.filter { $0.value.resources.isEmpty }.map(\.key).sorted()
        guard resourceless.count < groups.count else {
            throw CloudError.badRequest(
                "There must be at least one resources or resources[$S] parameter.", kind: PlacementErrors.missingValue)
        }
        let named = request.sameSubtrees.reduce(into: Set<String>()) { $0.formUnion($1) }
        let bad = resourceless.filter { !named.contains($0) }
        guard bad.isEmpty else {
            throw CloudError.badRequest(
                """
                Resourceless suffixed group request should be specified in `same_subtree` query param: bad group(s) - \
                \(list(bad)).
                """, kind: PlacementErrors.badValue)
        }
        let unknown = named.filter { groups[$0] == nil }.sorted()
        guard unknown.isEmpty else {
            throw CloudError.badRequest(
                """
                Real suffixes should be specified in `same_subtree`: \(list(unknown)) not found in \
                \(list(groups.keys.sorted())).
                """, kind: PlacementErrors.badValue)
        }
    }

    private static func list(_ names: [String]) -> String {
        "[" + names.map { "'\($0)'" }.joined(separator: ", ") + "]"
    }

    private static func checkOrphans(_ groups: [String: CandidateRequest.Group]) throws {
        let sorted = groups.sorted { $0.key < $1.key }
        let traits = sorted.filter { $0.value.resources.isEmpty && !$0.value.requiredTraits.isEmpty }
        guard traits.isEmpty else {
            throw CloudError.badRequest(
                """
                All traits parameters must be associated with resources.  Found the following orphaned traits keys: \
                \(traits.map { "required\($0.key)" }.joined(separator: ", "))
                """)
        }
        let aggregates = sorted.filter {
            $0.value.resources.isEmpty && !($0.value.memberOf.isEmpty && $0.value.forbiddenAggregates.isEmpty)
        }
        guard aggregates.isEmpty else {
            throw CloudError.badRequest(
                """
                All member_of parameters must be associated with resources. Found the following orphaned member_of keys: \
                \(aggregates.map { "member_of\($0.key)" }.joined(separator: ", "))
                """)
        }
        guard sorted.allSatisfy({ !$0.value.resources.isEmpty }) else {
            throw CloudError.badRequest("All request groups must specify resources.")
        }
        guard !groups.isEmpty else {
            throw CloudError.badRequest("At least one request group (`resources` or `resources{$S}`) is required.")
        }
    }

    private static func checkConflicts(_ groups: [String: CandidateRequest.Group]) throws {
        var conflicts: [String] = []
        for (suffix, group) in groups {
            for traits in group.requiredTraits where traits.allSatisfy(group.forbiddenTraits.contains) {
                conflicts.append("required\(suffix): (\(traits.sorted().joined(separator: ", ")))")
            }
        }
        guard conflicts.isEmpty else {
            throw CloudError.badRequest(
                """
                Conflicting required and forbidden traits found in the following traits keys: \
                \(conflicts.sorted().joined(separator: ", "))
                """)
        }
    }
}

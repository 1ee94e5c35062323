// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PlacementContract

extension PlacementEngine {
    package func candidates(_ request: CandidateRequest) async throws -> CandidateAnswer {
        try await database.read { tx in
            try checkNames(request, tx)
            var search = CandidateSearch(request: request)
            return try search.run(tx)
        }
    }

    private func checkNames(_ request: CandidateRequest, _ tx: any Transaction) throws {
        if let name = try names.missingClasses(request.groups.values.flatMap(\.resources.keys), tx).sorted().first {
            throw CloudError.badRequest(
                "Invalid resource class in resources parameter: No such resource class \(name).")
        }
        let traits = request.groups.values.flatMap { $0.requiredTraits.flatMap { $0 } + $0.forbiddenTraits }
        let missing = try names.missingTraits(traits + request.rootRequiredTraits + request.rootForbiddenTraits, tx)
        guard missing.isEmpty else { throw PlacementErrors.noTraits(missing) }
    }
}

/// Finds every way to satisfy a request (placement: `research_context.py`, `allocation_candidate.py`).
///
/// Each group is solved alone: a list of partial answers, each anchored at the root of a tree. Then the lists of one
/// anchor are combined, and what breaks a rule between groups is dropped. The database filters by capacity.
struct CandidateSearch {
    /// More than this is of no use to anybody, and a wide tree could give millions.
    static let maximumAnswers = 20_000
    static let maximumCombinations = 500_000

    /// One group's share of an answer.
    struct Part {
        var anchor: ResourceProviderID
        var amounts: [CandidateAllocation.Place: Int64]
        var providers: Set<ResourceProviderID>
    }

    struct Pair: Hashable {
        var provider: ResourceProviderID
        var root: ResourceProviderID
    }

    let request: CandidateRequest
    private var forest = ProviderForest()
    private var hasTrees = false
    private var sharing: Set<ResourceProviderID> = []
    /// Nil: every root may anchor an answer.
    private var anchors: Set<ResourceProviderID>?
    private var combinations = 0

    init(request: CandidateRequest) { self.request = request }

    mutating func run(_ tx: any Transaction) throws -> CandidateAnswer {
        // A range of the index, which IS NOT NULL is not to every engine.
        hasTrees = try tx.exists("SELECT 1 FROM placement_providers WHERE parent_id > ''")
        sharing = Set(
            try tx.query(
                "SELECT provider_id FROM placement_provider_traits WHERE trait = \(StandardTraits.sharesViaAggregate)"
            ) { $0.id(0) })
        try findAnchors(tx)
        if let anchors, anchors.isEmpty { return CandidateAnswer() }
        var parts: [String: [Part]] = [:]
        for (suffix, group) in request.groups.sorted(by: { $0.key < $1.key }) {
            let found = try solve(suffix, group, tx)
            if found.isEmpty { return CandidateAnswer() }
            parts[suffix] = found
        }
        try forest.load(rootsOf: parts.values.flatMap { $0 }, tx)
        return answer(combine(parts))
    }

    /// Each provider is its own root, and lends to none.
    private var isFlat: Bool { !hasTrees && sharing.isEmpty }

    private mutating func findAnchors(_ tx: any Transaction) throws {
        guard !isFlat else { return }
        guard !request.rootRequiredTraits.isEmpty || !request.rootForbiddenTraits.isEmpty else { return }
        var filter = ProviderFilter()
        filter.requiredTraits = request.rootRequiredTraits.map { [$0] }
        filter.forbiddenTraits = request.rootForbiddenTraits
        anchors = Set(
            try tx.query("SELECT p.id FROM placement_providers p WHERE p.parent_id IS NULL AND \(filter.condition)") {
                $0.id(0)
            })
    }

    // MARK: One group

    private mutating func solve(_ suffix: String, _ group: CandidateRequest.Group, _ tx: any Transaction) throws
        -> [Part]
    {
        var root: ResourceProviderID?
        if let member = group.inTree {
            root = try tx.first("SELECT root_id FROM placement_providers WHERE id = \(member)") { $0.id(0) }
            guard root != nil else { return [] }
        }
        if suffix.isEmpty, hasTrees || !sharing.isEmpty { return try solveSpread(group, root, tx) }
        return try solveSingle(suffix, group, root, tx)
    }

    /// Everything from one provider.
    private mutating func solveSingle(
        _ suffix: String, _ group: CandidateRequest.Group, _ root: ResourceProviderID?, _ tx: any Transaction
    ) throws -> [Part] {
        var filter = ProviderFilter()
        filter.root = root
        filter.memberOf = group.memberOf
        filter.forbiddenAggregates = group.forbiddenAggregates
        filter.requiredTraits = group.requiredTraits
        filter.forbiddenTraits = group.forbiddenTraits
        if isFlat {
            filter.requiredTraits += request.rootRequiredTraits.map { [$0] }
            filter.forbiddenTraits += request.rootForbiddenTraits
        }
        let pairs = try singles(filter, group.resources, tx)
        let lent = pairs.map(\.provider).filter(sharing.contains)
        let borrowers = lent.isEmpty ? [:] : try anchorsOf(lent, tx)
        var parts: [Part] = []
        for pair in pairs {
            let amounts = Dictionary(
                uniqueKeysWithValues: group.resources.map {
                    (CandidateAllocation.Place(provider: pair.provider, resourceClass: $0.key), $0.value)
                })
            var anchored: Set<ResourceProviderID> = [pair.root]
            anchored.formUnion(borrowers[pair.provider] ?? [])
            for anchor in anchored.sorted() where mayAnchor(anchor) {
                parts.append(Part(anchor: anchor, amounts: amounts, providers: [pair.provider]))
            }
        }
        return parts
    }

    /// The common case, hosts without trees, stops at the limit, since nothing later can drop a candidate.
    private func singles(_ filter: ProviderFilter, _ resources: [String: Int64], _ tx: any Transaction) throws -> [Pair]
    {
        let isFinal = request.groups.count == 1 && isFlat
        let limit: SQL = request.limit.map { isFinal ? "LIMIT \($0)" : "" } ?? ""
        let map = { (row: any Row) in Pair(provider: row.id(0), root: row.id(1)) }
        guard let first = resources.sorted(by: { $0.key < $1.key }).first else {
            return try tx.query(
                "SELECT p.id, p.root_id FROM placement_providers p WHERE \(filter.condition) \(limit)", map)
        }
        var rest = filter
        rest.resources = resources
        rest.resources[first.key] = nil
        return try tx.query(
            """
            SELECT p.id, p.root_id FROM placement_inventories i JOIN placement_providers p ON p.id = i.provider_id
             WHERE i.resource_class = \(first.key) AND \(ProviderFilter.fits(first.value)) AND \(rest.condition) \(limit)
            """, map)
    }

    /// From one tree and from what is shared with it, each class from one provider.
    private mutating func solveSpread(
        _ group: CandidateRequest.Group, _ root: ResourceProviderID?, _ tx: any Transaction
    ) throws -> [Part] {
        let members = group.memberOf.isEmpty ? nil : try providersIn(group.memberOf, tx)
        if let members, members.isEmpty { return [] }
        let banned = group.forbiddenAggregates.isEmpty ? [] : try providersIn([group.forbiddenAggregates], tx)
        let lenders = members.map(sharing.intersection) ?? sharing
        var byRoot: [ResourceProviderID: [String: [ResourceProviderID]]] = [:]
        var common: Set<ResourceProviderID>?
        for (name, amount) in group.resources.sorted(by: { $0.key < $1.key }) {
            var pairs = Set(try withRoom(name, amount, root, tx))
            if root == nil {
                let lending = pairs.map(\.provider).filter(lenders.contains)
                for (lender, borrowers) in lending.isEmpty ? [:] : try anchorsOf(lending, tx) {
                    for borrower in borrowers { pairs.insert(Pair(provider: lender, root: borrower)) }
                }
            }
            let kept = pairs.filter { pair in
                mayAnchor(pair.root)
                    && (members.map { $0.contains(pair.provider) || $0.contains(pair.root) } ?? true)
                    && !banned.contains(pair.provider) && !banned.contains(pair.root)
            }
            let roots = Set(kept.map(\.root))
            common = common?.intersection(roots) ?? roots
            if common?.isEmpty ?? true { return [] }
            for pair in kept { byRoot[pair.root, default: [:]][name, default: []].append(pair.provider) }
        }
        let choices = byRoot.filter { common?.contains($0.key) ?? false }
        return try products(choices, group, tx)
    }

    private mutating func products(
        _ choices: [ResourceProviderID: [String: [ResourceProviderID]]], _ group: CandidateRequest.Group,
        _ tx: any Transaction
    ) throws -> [Part] {
        let needsTraits = !group.requiredTraits.isEmpty || !group.forbiddenTraits.isEmpty
        let named = group.requiredTraits.flatMap { $0 } + group.forbiddenTraits
        let providers = Set(choices.values.flatMap { $0.values.flatMap { $0 } })
        let traits = needsTraits ? try Self.traits(named, of: providers, tx) : [:]
        let forbidden = Set(group.forbiddenTraits)
        var parts: [Part] = []
        for (anchor, byClass) in choices.sorted(by: { $0.key < $1.key }) {
            let classes = byClass.sorted { $0.key < $1.key }
            var partial: [[ResourceProviderID]] = [[]]
            for (_, candidates) in classes {
                let usable = candidates.sorted().filter { forbidden.isDisjoint(with: traits[$0] ?? []) }
                partial = partial.flatMap { chosen in usable.map { chosen + [$0] } }
                combinations += partial.count
                guard combinations < Self.maximumCombinations else { throw Self.tooWide }
            }
            for chosen in partial {
                let owned = chosen.reduce(into: Set<String>()) { $0.formUnion(traits[$1] ?? []) }
                guard group.requiredTraits.allSatisfy({ !owned.isDisjoint(with: $0) }) else { continue }
                var amounts: [CandidateAllocation.Place: Int64] = [:]
                for (entry, provider) in zip(classes, chosen) {
                    amounts[.init(provider: provider, resourceClass: entry.key)] = group.resources[entry.key]
                }
                parts.append(Part(anchor: anchor, amounts: amounts, providers: Set(chosen)))
            }
        }
        return parts
    }

    private static let tooWide = CloudError.badRequest(
        "The request has too many possible answers; name fewer groups or more traits.")

    private func mayAnchor(_ root: ResourceProviderID) -> Bool { anchors?.contains(root) ?? true }

    // MARK: Look-ups

    private func withRoom(_ name: String, _ amount: Int64, _ root: ResourceProviderID?, _ tx: any Transaction) throws
        -> [Pair]
    {
        let inRoot: SQL = root.map { "AND p.root_id = \($0)" } ?? ""
        return try tx.query(
            """
            SELECT p.id, p.root_id FROM placement_inventories i JOIN placement_providers p ON p.id = i.provider_id
             WHERE i.resource_class = \(name) AND \(ProviderFilter.fits(amount)) \(inRoot)
            """
        ) { Pair(provider: $0.id(0), root: $0.id(1)) }
    }

    private func providersIn(_ aggregates: [[String]], _ tx: any Transaction) throws -> Set<ResourceProviderID> {
        var filter = ProviderFilter()
        filter.memberOf = aggregates
        return Set(try tx.query("SELECT p.id FROM placement_providers p WHERE \(filter.condition)") { $0.id(0) })
    }

    /// The roots of all trees that share an aggregate with a lender.
    private func anchorsOf(_ lenders: [ResourceProviderID], _ tx: any Transaction) throws
        -> [ResourceProviderID: Set<ResourceProviderID>]
    {
        var anchors: [ResourceProviderID: Set<ResourceProviderID>] = [:]
        try tx.forEach(
            """
            SELECT DISTINCT mine.provider_id, p.root_id FROM placement_provider_aggregates mine
              JOIN placement_provider_aggregates other ON other.aggregate_id = mine.aggregate_id
              JOIN placement_providers p ON p.id = other.provider_id
             WHERE mine.provider_id IN \(list: lenders)
            """
        ) { anchors[$0.id(0), default: []].insert($0.id(1)) }
        return anchors
    }

    private static func traits(_ named: [String], of providers: Set<ResourceProviderID>, _ tx: any Transaction) throws
        -> [ResourceProviderID: Set<String>]
    {
        var traits: [ResourceProviderID: Set<String>] = [:]
        try tx.forEach("SELECT provider_id, trait FROM placement_provider_traits WHERE trait IN \(list: named)") {
            row in
            let id: ResourceProviderID = row.id(0)
            if providers.contains(id) { traits[id, default: []].insert(row.text(1)) }
        }
        return traits
    }

    // MARK: All groups

    /// Every combination of the groups' parts under one anchor that keeps the rules between groups.
    private mutating func combine(_ parts: [String: [Part]]) -> [CandidateAllocation] {
        let suffixes = parts.keys.sorted()
        var byAnchor: [ResourceProviderID: [String: [Part]]] = [:]
        var order: [ResourceProviderID] = []
        for suffix in suffixes {
            for part in parts[suffix] ?? [] {
                if byAnchor[part.anchor] == nil { order.append(part.anchor) }
                byAnchor[part.anchor, default: [:]][suffix, default: []].append(part)
            }
        }
        var answers: [CandidateAllocation] = []
        var seen: Set<CandidateAllocation> = []
        for anchor in order {
            guard let bySuffix = byAnchor[anchor], bySuffix.count == suffixes.count else { continue }
            let lists = suffixes.map { bySuffix[$0] ?? [] }
            walk(lists, suffixes, 0, CandidateAllocation(amounts: [:], mappings: [:]), &seen, &answers)
            if answers.count >= Self.maximumAnswers { break }
        }
        return answers
    }

    /// Grows an answer group by group; what exceeds a provider's room is cut with everything below it.
    private mutating func walk(
        _ lists: [[Part]], _ suffixes: [String], _ depth: Int, _ partial: CandidateAllocation,
        _ seen: inout Set<CandidateAllocation>, _ answers: inout [CandidateAllocation]
    ) {
        guard depth < lists.count else {
            if keepsRules(partial), seen.insert(partial).inserted { answers.append(partial) }
            return
        }
        for part in lists[depth] {
            combinations += 1
            guard answers.count < Self.maximumAnswers, combinations < Self.maximumCombinations else { return }
            var next = partial
            var fits = true
            for (place, amount) in part.amounts {
                let sum = (next.amounts[place] ?? 0) + amount
                next.amounts[place] = sum
                guard let room = forest.room(place), sum <= room.capacity - room.used, sum <= room.maxUnit else {
                    fits = false
                    break
                }
            }
            guard fits else { continue }
            next.mappings[suffixes[depth]] = part.providers
            if request.isIsolated, !isApart(next.mappings) { continue }
            walk(lists, suffixes, depth + 1, next, &seen, &answers)
        }
    }

    private func isApart(_ mappings: [String: Set<ResourceProviderID>]) -> Bool {
        let single = mappings.filter { !$0.key.isEmpty }.map(\.value)
        return single.reduce(into: Set()) { $0.formUnion($1) }.count == single.count
    }

    private func keepsRules(_ answer: CandidateAllocation) -> Bool {
        for subtree in request.sameSubtrees {
            let providers = subtree.reduce(into: Set()) { $0.formUnion(answer.mappings[$1] ?? []) }
            guard forest.haveCommonTop(providers) else { return false }
        }
        guard !request.knowsTrees, hasTrees else { return true }
        let providers = Set(answer.amounts.keys.map(\.provider))
        return Set(providers.map(forest.root)).count == providers.count
    }

    private func answer(_ allocations: [CandidateAllocation]) -> CandidateAnswer {
        let kept = request.limit.map { Array(allocations.prefix($0)) } ?? allocations
        let providers = Set(kept.flatMap { $0.amounts.keys.map(\.provider) })
        let roots = Set(providers.map(forest.root))
        let summaries = forest.summaries { summary in
            request.knowsTrees || !hasTrees ? roots.contains(summary.root) : providers.contains(summary.id)
        }
        return CandidateAnswer(allocations: kept, summaries: summaries)
    }
}

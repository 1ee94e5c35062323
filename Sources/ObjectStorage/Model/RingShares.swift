// SPDX-License-Identifier: Apache-2.0

/// How a number of replicas is shared among parts (zones, the hosts of one, the devices of a host).
///
/// Spread comes before weight: no part gets a second replica of a partition while another that could take one has none.
/// Within that, each gets its share by weight.
enum RingShares {
    /// The most replicas of one partition that a part needs to take, so that all parts together take `total`.
    static func ceiling(_ total: Double, _ capacities: [Int]) -> Int {
        var level = 0
        while Double(capacities.reduce(0) { $0 + min($1, level) }) < total - 1e-9, level < (capacities.max() ?? 0) {
            level += 1
        }
        return level
    }

    /// The fewest replicas of one partition that each part (that has so many devices) gets of `total`.
    static func floor(_ total: Double, _ capacities: [Int]) -> Int {
        var level = 0
        while level < (capacities.max() ?? 0),
            Double(capacities.reduce(0) { $0 + min($1, level + 1) }) <= total + 1e-9
        {
            level += 1
        }
        return level
    }

    /// Replicas of a partition for each part on average; they add up to `total`.
    static func shares(_ total: Double, weights: [Double], capacities: [Int]) -> [Double] {
        let (low, high) = (floor(total, capacities), ceiling(total, capacities))
        func at(_ level: Double) -> [Double] {
            weights.indices.map { index in
                let (least, most) = (Double(min(low, capacities[index])), Double(min(high, capacities[index])))
                return min(max(level * weights[index], least), most)
            }
        }
        // The sum grows with the level; at the upper end every part has its most.
        var (lower, upper) = (0.0, Double(high + 1) / (weights.min() ?? 1))
        for _ in 0..<200 {
            let middle = (lower + upper) / 2
            if at(middle).reduce(0, +) < total { lower = middle } else { upper = middle }
        }
        return at(upper)
    }

    /// Whole numbers that add up to `total`, each as near to its share of it as can be.
    static func whole(_ total: Int, _ shares: [Double]) -> [Int] {
        let sum = shares.reduce(0, +)
        guard sum > 0 else { return shares.map { _ in 0 } }
        let exact = shares.map { $0 / sum * Double(total) }
        var counts = exact.map { Int($0 + 1e-6) }
        let byRest = counts.indices.sorted { left, right in
            let (first, second) = (exact[left] - Double(counts[left]), exact[right] - Double(counts[right]))
            return first == second ? left < right : first > second
        }
        var missing = total - counts.reduce(0, +)
        for index in byRest where missing > 0 {
            counts[index] += 1
            missing -= 1
        }
        return counts
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// The object store's state, as its API tells it, in lines for a terminal.
enum RingReport {
    static func lines(_ state: JSON) -> [String] {
        let devices = state["devices"]?.array ?? []
        let rings = state["rings"]?.array ?? []
        let all = rings.reduce(0) { $0 + integer($1["partitions"]) * integer($1["replicas"]) }
        var lines = table(
            [
                "NUMBER", "ZONE", "HOST", "PATH", "WEIGHT", "CLASS", "STATE", "USED", "TOTAL", "SHARE", "DAMAGED",
            ], devices.map { device($0, of: all) }, right: [0, 4, 7, 8, 9, 10])
        for device in devices where device["up"]?.bool != true {
            lines.append("device \(integer(device["number"])) is away: \(device["error"]?.string ?? "no reason known")")
        }
        lines.append("")
        lines += table(
            ["RING", "VERSION", "PARTITIONS", "REPLICAS", "MISSING", "MOVING", "IMBALANCE"], rings.map(ring),
            right: [1, 2, 3, 4, 5, 6])
        let unserved = rings.reduce(0) { $0 + integer($1["unserved"]) }
        if unserved > 0 { lines.append("\(unserved) partition\(unserved == 1 ? "" : "s") cannot be used now.") }
        lines.append("")
        let waiting = integer(state["waiting_repairs"])
        if waiting > 0 { lines.append("waiting repairs: \(waiting)") }
        lines.append("last pass: \(pass(state["last_pass"]))")
        lines.append("whole: \(state["whole"]?.bool == true ? "yes" : "no")")
        return lines
    }

    // MARK: Rows

    private static func device(_ device: JSON, of all: Int) -> [String] {
        let held = (device["replicas"]?.object ?? [:]).values.reduce(0) { $0 + integer($1) }
        let total = device["space"]?["total_bytes"]?.int
        let free = device["space"]?["free_bytes"]?.int ?? 0
        return [
            "\(integer(device["number"]))", text(device["zone"]), text(device["host"]), text(device["path"]),
            plain(number(device["weight"])), text(device["class"]), device["up"]?.bool == true ? "up" : "AWAY",
            total.map { bytes($0 - free) } ?? "-", total.map(bytes) ?? "-",
            all == 0 ? "-" : percent(Double(held) / Double(all) * 100), "\(integer(device["damaged"]))",
        ]
    }

    private static func ring(_ ring: JSON) -> [String] {
        [
            text(ring["name"]), "\(integer(ring["version"]))", "\(integer(ring["partitions"]))",
            "\(integer(ring["replicas"]))", "\(integer(ring["missing"]))", "\(integer(ring["moving"]))",
            percent(number(ring["imbalance_percent"])),
        ]
    }

    private static func pass(_ pass: JSON?) -> String {
        guard let pass, !pass.isNull else { return "none has ended since the start" }
        var words = [pass["ended_at"]?.string.map { $0.prefix(19) + "Z" } ?? "?"]
        if let start = pass["started_at"]?.string.flatMap({ Timestamp(iso8601: $0) }),
            let end = pass["ended_at"]?.string.flatMap({ Timestamp(iso8601: $0) })
        {
            words.append("took \((end - start).formattedSeconds) s")
        }
        for (key, one) in [("partitions", "partition"), ("repairs", "repair"), ("errors", "error")] {
            let count = integer(pass[key])
            words.append("\(count) \(count == 1 ? one : one + "s")")
        }
        if pass["whole"]?.bool != true { words.append("not all could be compared") }
        return words.joined(separator: ", ")
    }

    // MARK: Text

    /// Columns as wide as their widest cell; those of `right` are numbers.
    static func table(_ head: [String], _ rows: [[String]], right: Set<Int>) -> [String] {
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([head] + rows).map { row in
            var line = ""
            for column in row.indices {
                let space = String(repeating: " ", count: widths[column] - row[column].count)
                line += (column == 0 ? "" : "  ") + (right.contains(column) ? space + row[column] : row[column] + space)
            }
            while line.hasSuffix(" ") { line.removeLast() }
            return line
        }
    }

    /// `1.5 TiB`.
    static func bytes(_ count: Int64) -> String {
        var (value, unit) = (Double(max(count, 0)), 0)
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return (unit == 0 ? "\(Int(value))" : tenths(value)) + " " + units[unit]
    }

    private static func percent(_ value: Double) -> String { tenths(value) + "%" }

    private static func tenths(_ value: Double) -> String {
        let scaled = Int64((min(max(value, 0), 1e15) * 10).rounded())
        return "\(scaled / 10).\(scaled % 10)"
    }

    /// Without a fraction where there is none.
    private static func plain(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private static func integer(_ json: JSON?) -> Int { json?.int.map { Int($0) } ?? 0 }

    private static func number(_ json: JSON?) -> Double {
        switch json {
        case .int(let value): Double(value)
        case .double(let value): value
        default: 0
        }
    }

    private static func text(_ json: JSON?) -> String { json?.string ?? "-" }
}

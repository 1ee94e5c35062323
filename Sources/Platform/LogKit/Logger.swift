// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import Synchronization

/// How much a line matters. `debug` nothing to do, `info` work done, `warning` repaired something, `error` someone must look.
package enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case debug, info, warning, error
    package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// Writes events with fields, one line each, to standard error. Values are escaped, so no caller can forge a line.
package struct Logger: Sendable {
    private static let threshold = Atomic<Int>(LogLevel.info.rawValue)

    private let subsystem: String

    package init(_ subsystem: String) { self.subsystem = subsystem }

    /// Lines below this level are dropped.
    package static func setLevel(_ level: LogLevel) { threshold.store(level.rawValue, ordering: .relaxed) }

    package static var level: LogLevel { LogLevel(rawValue: threshold.load(ordering: .relaxed)) ?? .info }

    package func debug(
        _ event: StaticString, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]
    ) {
        write(.debug, event, fields)
    }
    package func info(
        _ event: StaticString, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]
    ) {
        write(.info, event, fields)
    }
    package func warning(
        _ event: StaticString, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]
    ) {
        write(.warning, event, fields)
    }
    package func error(
        _ event: StaticString, _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable> = [:]
    ) {
        write(.error, event, fields)
    }

    private func write(
        _ level: LogLevel, _ event: StaticString,
        _ fields: KeyValuePairs<String, any CustomStringConvertible & Sendable>
    ) {
        guard level.rawValue >= Self.threshold.load(ordering: .relaxed) else { return }
        var line = JSONWriter(capacity: 256)
        line.beginObject()
        line.field("time", WallClock.system.now().iso8601(fraction: true))
        line.field("level", "\(level)")
        line.field("part", subsystem)
        line.field("event", event.description)
        for (name, value) in fields {
            line.key(dynamic: name)
            line.value(value.description)
        }
        line.endObject()
        var bytes = line.finish()
        bytes.append(UInt8(ascii: "\n"))
        // One write per line, so that lines of several threads never mix. A full pipe loses the line, not the caller.
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}

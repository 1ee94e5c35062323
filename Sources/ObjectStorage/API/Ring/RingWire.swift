// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ObjectStorageCore

/// Rings and devices as JSON.
enum RingWire {
    private static let textLength = 1...255

    // MARK: In

    static func draft(_ body: JSON, host: String) throws -> RingDraft {
        var reader = try ObjectReader(body)
        guard let path = try text(&reader, "path") else {
            throw CloudError.badRequest("Name the device's directory on its host as 'path'.")
        }
        guard path.hasPrefix("/") else {
            throw CloudError.badRequest("The path of a device begins with '/': name the whole path.")
        }
        var draft = RingDraft(
            zone: try text(&reader, "zone") ?? "1", host: try text(&reader, "host") ?? host, path: plain(path))
        draft.weight = try weight(&reader) ?? draft.weight
        draft.deviceClass = try deviceClass(&reader).flatMap { $0.isEmpty ? nil : $0 }
        try reader.finish()
        return draft
    }

    static func change(_ body: JSON) throws -> RingChange {
        var reader = try ObjectReader(body)
        let change = RingChange(
            weight: try weight(&reader), zone: try text(&reader, "zone"), deviceClass: try deviceClass(&reader))
        try reader.finish()
        guard change.weight != nil || change.zone != nil || change.deviceClass != nil else {
            throw CloudError.badRequest("Say what changes: 'weight', 'zone' or 'class'.")
        }
        return change
    }

    private static func text(_ reader: inout ObjectReader, _ key: String) throws -> String? {
        try reader.string(key, textLength).map { try checked($0, key) }
    }

    /// What is shown in a table on a terminal is one line of its own.
    private static func checked(_ text: String, _ key: String) throws -> String {
        let isPlain = text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 127 }
        guard isPlain, text.utf8.count <= textLength.upperBound else {
            throw CloudError.badRequest("'\(key)' of a device has 1 to 255 bytes, and no control characters.")
        }
        return text
    }

    /// Nil: it is not named. Empty: none.
    private static func deviceClass(_ reader: inout ObjectReader) throws -> String? {
        guard let text = try reader.nullableString("class", 0...64) else { return nil }
        return try text.map { try checked($0, "class") } ?? ""
    }

    private static func weight(_ reader: inout ObjectReader) throws -> Double? {
        switch reader.value("weight") {
        case nil: return nil
        case .int(let number): return Double(number)
        case .double(let number): return number
        default:
            throw CloudError.badRequest(
                "'weight' of a device is a number: its share beside the others', often its size in GiB.")
        }
    }

    /// `/srv/a/` is `/srv/a`.
    private static func plain(_ path: String) -> String {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        return String(path)
    }

    // MARK: Out

    static func bytes(_ device: RingDevice) -> [UInt8] {
        JSONWriter.object { put(device, &$0) }
    }

    static func bytes(_ state: StorageState) -> [UInt8] {
        JSONWriter.object(capacity: 4096) { writer in
            writer.field("whole", state.isWhole)
            writer.array("devices") { writer in
                for device in state.devices {
                    writer.beginObject()
                    put(device.device, &writer)
                    put(device, &writer)
                    writer.endObject()
                }
            }
            writer.array("rings") { writer in
                for ring in state.rings {
                    writer.beginObject()
                    put(ring, &writer)
                    writer.endObject()
                }
            }
            if let pass = state.lastPass {
                writer.object("last_pass") { put(pass, &$0) }
            } else {
                writer.nullField("last_pass")
            }
            writer.field("waiting_repairs", state.waitingRepairs)
        }
    }

    private static func put(_ device: RingDevice, _ writer: inout JSONWriter) {
        writer.field("number", Int(device.number.rawValue))
        writer.field("zone", device.zone)
        writer.field("host", device.host)
        writer.field("path", device.path)
        writer.field("weight", device.weight)
        writer.field("class", device.deviceClass)
    }

    private static func put(_ device: StorageState.Device, _ writer: inout JSONWriter) {
        writer.field("up", device.isUp)
        writer.field("error", device.error)
        if let space = device.space {
            writer.object("space") { writer in
                writer.field("total_bytes", space.totalBytes)
                writer.field("free_bytes", space.freeBytes)
            }
        } else {
            writer.nullField("space")
        }
        writer.object("replicas") { writer in
            for (ring, count) in device.replicas.sorted(by: { $0.key < $1.key }) {
                writer.key(dynamic: ring)
                writer.value(count)
            }
        }
        writer.field("damaged", device.damaged)
    }

    private static func put(_ ring: StorageState.RingState, _ writer: inout JSONWriter) {
        writer.field("name", ring.name)
        writer.field("version", ring.version)
        writer.field("partitions", ring.partitions)
        writer.field("replicas", ring.replicas)
        writer.field("missing", ring.missingReplicas)
        writer.field("moving", ring.moving)
        writer.field("unserved", ring.unserved)
        writer.field("compared", ring.isCompared)
        writer.field("imbalance_percent", ring.imbalancePercent)
    }

    private static func put(_ pass: StorageState.Pass, _ writer: inout JSONWriter) {
        writer.field("started_at", pass.startedAt.iso8601(fraction: true))
        writer.field("ended_at", pass.endedAt.iso8601(fraction: true))
        writer.field("partitions", pass.partitions)
        writer.field("repairs", pass.repairs)
        writer.field("errors", pass.errors)
        writer.field("whole", pass.isWhole)
    }
}

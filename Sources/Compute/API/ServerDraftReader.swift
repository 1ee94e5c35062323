// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import PolicyKit
import SecurityKit

/// Reads the body of `POST /servers` as each microversion defines it (nova: schemas/servers.py).
struct ServerDraftReader {
    private let context: CallContext

    init(_ context: CallContext) { self.context = context }

    private func has(_ minor: Int) -> Bool { context.has(minor) }

    struct Request {
        var draft: ServerDraft
        var returnsReservation: Bool
        var securityGroups: JSON?
    }

    func read(_ body: JSON) throws -> Request {
        var outer = try ObjectReader(body, path: "body")
        let hints = outer.value("os:scheduler_hints") ?? outer.value("OS-SCH-HNT:scheduler_hints")
        guard var reader = try outer.object("server") else { throw outer.missing("server") }
        _ = outer.value("OS-SCH-HNT:scheduler_hints")
        try outer.finish()
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        var draft = ServerDraft(
            name: name, flavorID: try Self.reference(&reader, "flavorRef"), imageID: try imageID(&reader))
        draft.description = has(19) ? (try description(&reader)) : name
        try readIdentity(&reader, &draft)
        let groups = try readNetworks(&reader, &draft)
        try readPlacement(&reader, &draft)
        try BlockDeviceReader(context).read(&reader, &draft)
        if let hints { draft.schedulerHints = try Self.checked(hints) }
        draft.minCount = try Self.count(&reader, "min_count") ?? 1
        draft.maxCount = try Self.count(&reader, "max_count") ?? draft.minCount
        guard draft.minCount <= draft.maxCount else { throw CloudError.badRequest("min_count must be <= max_count") }
        if draft.hostname != nil, draft.maxCount > 1 {
            throw CloudError.badRequest(
                "Unable to allocate a single hostname to multiple instances",
                kind: "AmbiguousHostnameForMultipleInstances")
        }
        let returnsReservation = try reader.looseBool("return_reservation_id") ?? false
        try reader.finish()
        return Request(draft: draft, returnsReservation: returnsReservation, securityGroups: groups)
    }

    // MARK: Parts

    /// An id, or the end of a link: upstream takes both, and numbers for flavors.
    static func reference(_ reader: inout ObjectReader, _ key: String) throws -> String {
        guard let value = reader.value(key) else { throw reader.missing(key) }
        switch value {
        case .int(let number): return String(number)
        case .string(let text) where !text.isEmpty && text.utf8.count <= 2048:
            return text.split(separator: "/").last.map(String.init) ?? text
        default: throw reader.invalid(key, value, "is not of type 'string', 'integer'")
        }
    }

    private func imageID(_ reader: inout ObjectReader) throws -> String? {
        guard let text = try reader.string("imageRef", 0...255), !text.isEmpty else { return nil }
        return try ComputeWire.uuid(text, "imageRef")
    }

    private func description(_ reader: inout ObjectReader) throws -> String? {
        guard let text = try reader.nullableString("description").flatMap({ $0 }) else { return nil }
        try ComputeWire.checkPrintable(text, "description")
        return text
    }

    private func readIdentity(_ reader: inout ObjectReader, _ draft: inout ServerDraft) throws {
        draft.metadata = try Self.metadata(&reader) ?? [:]
        draft.adminPassword = try reader.string("adminPass", 0...255)
        draft.keyName = try reader.string("key_name", 1...255)
        draft.userData = try reader.string("user_data", 0...65535)
        if let userData = draft.userData, Base64.decode(userData) == nil {
            throw CloudError.badRequest(
                "Invalid input for field/attribute user_data. Value: …. User data needs to be valid base 64.")
        }
        draft.hasConfigDrive = try reader.looseBool("config_drive") ?? false
        draft.accessIPv4 = try Self.address(&reader, "accessIPv4", isIPv6: false) ?? ""
        draft.accessIPv6 = try Self.address(&reader, "accessIPv6", isIPv6: true) ?? ""
        draft.diskConfig = try Self.diskConfig(&reader) ?? "MANUAL"
        if !has(57), let files = try reader.array("personality") { draft.files = try files.map(Self.file) }
        if has(52), let tags = try reader.strings("tags", 0...ServerEngine.maximumTags) {
            draft.tags = try ServerTagRoutes.checked(tags)
        }
        if has(63) { draft.trustedCertificates = try certificates(&reader) }
        if has(90), let hostname = try reader.string("hostname", 1...255) {
            guard Hostname.isValid(hostname, allowsDomain: has(94)) else {
                throw reader.invalid("hostname", .string(hostname), "is not a valid host name")
            }
            draft.hostname = hostname
        }
    }

    static func metadata(_ reader: inout ObjectReader, _ key: String = "metadata") throws -> [String: String]? {
        guard let metadata = try reader.stringMap(key) else { return nil }
        for name in metadata.keys { try checkMetadataKey(name) }
        return metadata
    }

    /// nova: `^[a-zA-Z0-9-_:. ]{1,255}$`.
    static func checkMetadataKey(_ key: String) throws {
        let isValid =
            (1...255).contains(key.utf8.count)
            && key.utf8.allSatisfy { byte in
                (0x30...0x3A).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == 0x2D || byte == 0x5F || byte == 0x2E || byte == 0x20
            }
        guard isValid else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute metadata. '\(key.prefix(64))' does not match any of the regexes: "
                    + "'^[a-zA-Z0-9-_:. ]{1,255}$'")
        }
    }

    static func address(_ reader: inout ObjectReader, _ key: String, isIPv6: Bool) throws -> String? {
        guard let text = try reader.nullableString(key).flatMap({ $0 }) else { return nil }
        if text.isEmpty { return "" }
        guard let address = IPAddress(text), address.isIPv6 == isIPv6 else {
            throw reader.invalid(key, .string(text), "is not a 'ipv\(isIPv6 ? 6 : 4)'")
        }
        return address.description
    }

    static func diskConfig(_ reader: inout ObjectReader) throws -> String? {
        guard let text = try reader.string("OS-DCF:diskConfig") else { return nil }
        guard text == "AUTO" || text == "MANUAL" else {
            throw reader.invalid("OS-DCF:diskConfig", .string(text), "is not one of ['AUTO', 'MANUAL']")
        }
        return text
    }

    static func file(_ json: JSON) throws -> ServerDraft.File {
        var reader = try ObjectReader(json, path: "personality")
        let path = try reader.requiredString("path", 0...4096)
        let text = try reader.requiredString("contents", 0...1_000_000)
        try reader.finish()
        guard let content = Base64.decode(text) else {
            throw reader.invalid("contents", "…", "is not a 'base64'")
        }
        return .init(path: path, content: content)
    }

    private func certificates(_ reader: inout ObjectReader) throws -> [String]? {
        if reader.isNull("trusted_image_certificates") {
            _ = reader.value("trusted_image_certificates")
            return nil
        }
        guard let ids = try reader.strings("trusted_image_certificates", 1...50) else { return nil }
        guard Set(ids).count == ids.count, ids.allSatisfy({ !$0.isEmpty }) else {
            throw CloudError.badRequest("Invalid input for field/attribute trusted_image_certificates.")
        }
        return ids
    }

    static func count(_ reader: inout ObjectReader, _ key: String) throws -> Int? {
        try reader.looseInt(key, 1...Int64(10_000)).map(Int.init)
    }

    // MARK: Networks

    /// Returns the security groups as they were sent, for the answer.
    private func readNetworks(_ reader: inout ObjectReader, _ draft: inout ServerDraft) throws -> JSON? {
        let groups = reader.value("security_groups")
        if let groups {
            guard case .array(let elements) = groups else {
                throw reader.invalid("security_groups", groups, "is not of type 'array'")
            }
            var names: [String] = []
            for element in elements {
                var group = try ObjectReader(element, path: "security_groups")
                if let name = try group.string("name", 1...255), !names.contains(name) { names.append(name) }
                try group.finish()
            }
            draft.securityGroups = names
        }
        guard let value = reader.value("networks") else {
            // 2.37: the caller says what it wants.
            guard !has(37) else { throw reader.missing("networks") }
            return groups
        }
        draft.networks = try networks(value, reader)
        return groups
    }

    private func networks(_ value: JSON, _ reader: ObjectReader) throws -> ServerDraft.Networks {
        switch value {
        case .string("auto") where has(37): return .automatic(isExplicit: true)
        case .string("none") where has(37): return .none
        case .array(let elements):
            guard elements.count <= 128 else { throw reader.invalid("networks", "[…]", "is too long") }
            let requests = try elements.map(network)
            let ports = requests.compactMap(\.port)
            for port in ports where ports.count(where: { $0 == port }) > 1 {
                throw CloudError.badRequest(
                    "Port ID '\(port)' was specified twice: you cannot attach a port multiple times.")
            }
            return requests.isEmpty ? .automatic(isExplicit: false) : .requested(requests)
        default: throw reader.invalid("networks", value, "is not valid under any of the given schemas")
        }
    }

    private func network(_ json: JSON) throws -> ServerDraft.NetworkRequest {
        var reader = try ObjectReader(json, path: "networks")
        var request = ServerDraft.NetworkRequest()
        request.port = try reader.nullableString("port").flatMap { $0 }.map {
            try ComputeWire.uuid($0, "networks.port")
        }
        if let network = try reader.string("uuid") {
            guard UUIDText.isUUID(network) else {
                throw CloudError.badRequest(
                    "Bad networks format: network uuid is not in proper format (\(network.prefix(64)))")
            }
            request.network = network
        }
        if let text = try reader.string("fixed_ip") {
            guard let address = IPAddress(text) else {
                throw reader.invalid("fixed_ip", .string(text), "is not a valid IP address")
            }
            request.fixedIP = address.description
        }
        // 2.32 to 2.36 by accident of upstream's, then from 2.42 on.
        if has(42) || (has(32) && !has(37)), let tag = try reader.string("tag", 1...60) {
            guard !tag.contains("/"), !tag.contains(",") else {
                throw reader.invalid("tag", .string(tag), "does not match '^[^,/]*$'")
            }
            request.tag = tag
        }
        try reader.finish()
        if let port = request.port, let address = request.fixedIP {
            throw CloudError.badRequest(
                "Specified Fixed IP '\(address)' cannot be used with port '\(port)': the two cannot be "
                    + "specified together."
            )
        }
        guard request.port != nil || request.network != nil else {
            throw CloudError.badRequest("Bad network format: missing 'uuid'")
        }
        return request
    }

    // MARK: Placement

    private func readPlacement(_ reader: inout ObjectReader, _ draft: inout ServerDraft) throws {
        if let zone = try reader.string("availability_zone", 1...255) {
            try ComputeWire.checkName(zone, "availability_zone")
            // `zone:host:node`, for administrators (nova: compute/api.py, parse_availability_zone).
            let parts = zone.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard parts.count <= 3 else { throw CloudError.badRequest("Unable to parse availability_zone") }
            draft.zone = parts[0].isEmpty ? nil : parts[0]
            if parts.count > 1, !parts[1].isEmpty { draft.forcedHost = parts[1] }
            if parts.count > 2, !parts[2].isEmpty { draft.forcedNode = parts[2] }
        }
        guard has(74) else { return }
        draft.requestedHost = try Self.hostName(&reader, "host")
        draft.requestedNode = try Self.hostName(&reader, "hypervisor_hostname")
        if draft.requestedHost != nil || draft.requestedNode != nil, draft.forcedHost != nil || draft.forcedNode != nil
        {
            throw CloudError.badRequest(
                "One mechanism with host and/or hypervisor_hostname and another mechanism with zone:host:node are "
                    + "mutually exclusive.")
        }
    }

    private static func hostName(_ reader: inout ObjectReader, _ key: String) throws -> String? {
        guard let name = try reader.string(key, 1...255) else { return nil }
        guard Hostname.isValid(name, allowsDomain: true) else {
            throw reader.invalid(key, .string(name), "does not match '^[a-zA-Z0-9-._]*$'")
        }
        return name
    }

    private static func checked(_ hints: JSON) throws -> JSON {
        guard case .object(let fields) = hints else {
            throw CloudError.badRequest(
                "Invalid input for field/attribute os:scheduler_hints. It is not of type 'object'")
        }
        for key in ["group", "same_host", "different_host"] {
            switch fields[key] {
            case nil: continue
            case .string(let text)?: _ = try ComputeWire.uuid(text, key)
            case .array(let elements)?:
                for element in elements { _ = try ComputeWire.uuid(element.string ?? "", key) }
            default: throw CloudError.badRequest("Invalid input for field/attribute \(key).")
            }
        }
        // Which hosts are near an address, nobody here knows.
        for key in ["build_near_host_ip", "cidr"] where fields[key] != nil {
            throw CloudError.badRequest("The scheduler hint \(key) is not supported by this cloud.")
        }
        switch fields["query"] {
        case nil, .string?, .array?, .object?: break
        default: throw CloudError.badRequest("Invalid input for field/attribute query.")
        }
        guard hints.text().utf8.count <= 65_536 else {
            throw CloudError.badRequest("The scheduler hints are too long.")
        }
        return hints
    }
}

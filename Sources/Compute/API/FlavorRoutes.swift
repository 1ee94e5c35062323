// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import HTTPKit
import PolicyKit

/// /v2.1/flavors
struct FlavorRoutes: Sendable {
    private static let maximumPage = 1000
    /// What a column of upstream's database holds.
    private static let maximumNumber = Int64(Int32.max)
    let flavors: FlavorEngine

    func register(on routes: inout RouteTable) {
        let path = "/v2.1/flavors"
        routes.add(.get, path, object: "os_compute_api:os-flavor-extra-specs:index") { try await list($0, $1, false) }
        routes.add(.get, path + "/detail", object: "os_compute_api:os-flavor-extra-specs:index") {
            try await list($0, $1, true)
        }
        routes.add(.post, path, policy: "os_compute_api:os-flavor-manage:create", create)
        routes.add(.get, path + "/{flavor_id}", object: "os_compute_api:os-flavor-extra-specs:index", show)
        routes.add(
            .put, path + "/{flavor_id}", policy: "os_compute_api:os-flavor-manage:update", versions: versions(55),
            update)
        routes.add(.delete, path + "/{flavor_id}", policy: "os_compute_api:os-flavor-manage:delete", delete)
    }

    // MARK: View

    /// Whether extra specs are shown: from 2.61, to those who may list them.
    private func showsSpecs(_ context: CallContext) -> Bool {
        context.has(61)
            && context.allows("os_compute_api:os-flavor-extra-specs:index", PolicyTarget(project: context.projectID))
    }

    private func write(
        _ writer: inout JSONWriter, _ flavor: Flavor, _ request: APIRequest, _ context: CallContext,
        isDetailed: Bool, showsSpecs: Bool
    ) {
        writer.beginObject()
        writer.field("id", flavor.id)
        writer.field("name", flavor.name)
        if isDetailed {
            writer.field("ram", flavor.memoryMiB)
            writer.field("disk", flavor.rootGiB)
            if flavor.swapMiB == 0, !context.has(75) {
                writer.field("swap", "")
            } else {
                writer.field("swap", flavor.swapMiB)
            }
            writer.field("OS-FLV-EXT-DATA:ephemeral", flavor.ephemeralGiB)
            writer.field("vcpus", flavor.vcpus)
            writer.field("os-flavor-access:is_public", flavor.isPublic)
            if !context.has(102) {
                writer.field("OS-FLV-DISABLED:disabled", false)
                writer.field("rxtx_factor", flavor.rxtxFactor)
            }
            if showsSpecs { writer.field("extra_specs", flavor.extraSpecs) }
        }
        if context.has(55) { writer.field("description", flavor.description) }
        request.links.write(&writer, "flavors/\(Percent.encode(flavor.id))")
        writer.endObject()
    }

    private func answer(_ flavor: Flavor, _ request: APIRequest, _ context: CallContext) -> HTTPResponse {
        .object { writer in
            writer.key("flavor")
            write(&writer, flavor, request, context, isDetailed: true, showsSpecs: showsSpecs(context))
        }
    }

    // MARK: Read

    private func list(_ request: APIRequest, _ context: CallContext, _ isDetailed: Bool) async throws -> HTTPResponse {
        // Every token may see flavors; which ones is the query's part.
        context.authorizeListing()
        let known: Set<String> = ["limit", "marker", "is_public", "minRam", "minDisk", "sort_key", "sort_dir"]
        try ComputeWire.checkQuery(request, context, context.has(102) ? known.union(["name"]) : known)
        var filter = FlavorFilter(limit: try ComputeWire.limit(request, maximum: Self.maximumPage))
        filter.isPublic = try Self.isPublic(request.query("is_public"))
        filter.minDiskGiB = try Self.number(request, "minDisk")
        filter.minMemoryMiB = try Self.number(request, "minRam")
        if context.has(102), let name = request.query("name"), !name.isEmpty { filter.name = name }
        filter.sortKey = request.query("sort_key") ?? "flavorid"
        if context.has(102), filter.sortKey == "rxtx_factor" || filter.sortKey == "disabled" {
            throw CloudError.badRequest(
                "Invalid input for query parameters sort_key. Value: \(filter.sortKey).")
        }
        switch request.query("sort_dir") {
        case nil, "asc": break
        case "desc": filter.isDescending = true
        default: throw CloudError.badRequest("Unknown sort direction, must be one of: asc, desc")
        }
        filter.marker = request.query("marker")
        var page = try await flavors.list(filter, for: context)
        if page.count > filter.limit { page.removeLast(page.count - filter.limit) }
        let (final, showsSpecs) = (page, showsSpecs(context))
        return .object(capacity: final.count * 600 + 256) { writer in
            writer.array("flavors") { writer in
                for flavor in final {
                    write(&writer, flavor, request, context, isDetailed: isDetailed, showsSpecs: showsSpecs)
                }
            }
            if let last = final.last, final.count == filter.limit {
                let path = isDetailed ? "flavors/detail" : "flavors"
                request.links.next(&writer, "flavors_links", path, marker: last.id)
            }
        }
    }

    private static func isPublic(_ text: String?) throws -> Bool? {
        switch text?.lowercased() {
        case nil, "true", "1", "t", "yes", "on", "y": return true
        case "false", "0", "f", "no", "off", "n": return false
        case "none": return nil
        default: throw CloudError.badRequest("Invalid is_public filter [\(text?.prefix(64) ?? "")]")
        }
    }

    private static func number(_ request: APIRequest, _ name: String) throws -> Int {
        guard let text = request.query(name) else { return 0 }
        guard let number = Int(text) else {
            throw CloudError.badRequest("Invalid \(name) filter [\(text.prefix(64))]")
        }
        return number
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        context.authorizeListing()
        return answer(try await flavors.flavor(request.parameter("flavor_id"), for: context), request, context)
    }

    // MARK: Write

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("flavor", in: try await request.json())
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        let id = try Self.flavorID(&reader) ?? flavors.newID()
        guard let memory = try reader.looseInt("ram", 1...Self.maximumNumber) else { throw reader.missing("ram") }
        guard let vcpus = try reader.looseInt("vcpus", 1...Self.maximumNumber) else { throw reader.missing("vcpus") }
        guard let disk = try reader.looseInt("disk", 0...Self.maximumNumber) else { throw reader.missing("disk") }
        let ephemeral = try reader.looseInt("OS-FLV-EXT-DATA:ephemeral", 0...Self.maximumNumber) ?? 0
        let swap = try reader.looseInt("swap", 0...Self.maximumNumber) ?? 0
        let factor = context.has(102) ? 1 : try Self.factor(&reader)
        let isPublic = try reader.looseBool("os-flavor-access:is_public") ?? true
        var description: String?
        if context.has(55) { description = try Self.description(&reader) }
        try reader.finish()
        let flavor = try await flavors.create(
            Flavor(
                id: id, name: name, description: description, vcpus: Int(vcpus), memoryMiB: Int(memory),
                rootGiB: Int(disk), ephemeralGiB: Int(ephemeral), swapMiB: Int(swap), rxtxFactor: factor,
                isPublic: isPublic, createdAt: flavors.now()))
        return answer(flavor, request, context)
    }

    private static func flavorID(_ reader: inout ObjectReader) throws -> String? {
        guard let value = reader.value("id") else { return nil }
        switch value {
        case .null, .string("auto"): return nil
        case .int(let number) where number >= 0: return String(number)
        case .string(let text):
            let isValid =
                (1...255).contains(text.utf8.count) && text.first != " " && text.last != " "
                && text.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                        || byte == 0x20 || byte == 0x2D || byte == 0x2E || byte == 0x5F
                }
            guard isValid else { throw reader.invalid("id", value, "does not match '^[a-zA-Z0-9. _-]+$'") }
            return text
        default: throw reader.invalid("id", value, "is not of type 'string'")
        }
    }

    private static func factor(_ reader: inout ObjectReader) throws -> Double {
        guard let value = reader.value("rxtx_factor") else { return 1 }
        let factor: Double? =
            switch value {
            case .int(let number): Double(number)
            case .double(let number): number
            case .string(let text): Double(text)
            default: nil
            }
        guard let factor, factor > 0, factor <= 3.40282e38 else {
            throw reader.invalid("rxtx_factor", value, "does not match '^[0-9]+(\\.[0-9]+)?$'")
        }
        return factor
    }

    private static func description(_ reader: inout ObjectReader) throws -> String? {
        guard let text = try reader.nullableString("description", 0...65535).flatMap({ $0 }) else { return nil }
        try ComputeWire.checkPrintable(text, "description")
        return text
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("flavor", in: try await request.json())
        guard reader.has("description") else { throw reader.missing("description") }
        let description = try Self.description(&reader)
        try reader.finish()
        let flavor = try await flavors.setDescription(request.parameter("flavor_id"), description)
        return answer(flavor, request, context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await flavors.delete(request.parameter("flavor_id"))
        return HTTPResponse(status: 202)
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageContract
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /os-volume-transfer, and from 3.55 /volume-transfers
struct VolumeTransferRoutes: Sendable {
    private static let new = "volume-transfers"
    let transfers: VolumeTransferEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        for (name, range) in [("os-volume-transfer", RouteTable.anyVersion), (Self.new, versions(55))] {
            let (path, one) = ("/" + name, "/\(name)/{transfer_id}")
            routes.add(.get, path, policy: "volume:get_all_transfers", versions: range) {
                try await list($0, $1, name, false)
            }
            routes.add(.get, path + "/detail", policy: "volume:get_all_transfers", versions: range) {
                try await list($0, $1, name, true)
            }
            routes.add(.post, path, object: "volume:create_transfer", versions: range) {
                try await create($0, $1, name)
            }
            routes.add(.get, one, object: "volume:get_transfer", versions: range, show)
            routes.add(.delete, one, object: "volume:delete_transfer", versions: range, delete)
            routes.add(.post, one + "/accept", policy: "volume:accept_transfer", versions: range, accept)
        }
    }

    // MARK: View

    /// Both paths link to the old one, as upstream's view does.
    private static func links(_ writer: inout JSONWriter, _ transfer: VolumeTransfer, _ request: APIRequest) {
        request.links.write(&writer, "os-volume-transfer/\(transfer.id)")
    }

    private static func summary(_ writer: inout JSONWriter, _ transfer: VolumeTransfer, _ request: APIRequest) {
        writer.beginObject()
        writer.field("id", transfer.id)
        writer.field("volume_id", transfer.volumeID)
        writer.field("name", transfer.name)
        links(&writer, transfer, request)
        writer.endObject()
    }

    private static func write(
        _ writer: inout JSONWriter, _ transfer: VolumeTransfer, key: String? = nil, _ request: APIRequest,
        _ context: CallContext
    ) {
        writer.beginObject()
        writer.field("id", transfer.id)
        writer.field("created_at", BlockStorageWords.time(transfer.createdAt))
        writer.field("name", transfer.name)
        writer.field("volume_id", transfer.volumeID)
        if let key { writer.field("auth_key", key) }
        links(&writer, transfer, request)
        if context.has(55) { writer.field("no_snapshots", transfer.withoutSnapshots) }
        if context.has(57) {
            writer.field("destination_project_id", transfer.destinationProjectID)
            writer.field("source_project_id", transfer.sourceProjectID)
            writer.field("accepted", transfer.isAccepted)
        }
        writer.endObject()
    }

    // MARK: Read

    private func list(
        _ request: APIRequest, _ context: CallContext, _ path: String, _ isDetailed: Bool
    ) async throws -> HTTPResponse {
        let reader = ResourceListReader("transfer", maximum: maximumPage, request, context)
        let isPaged = context.has(59) && path == Self.new
        var page = isPaged ? try reader.page() : reader.wholePage(isDescending: false)
        if !isPaged { page.limit = try ResourceListReader.limit(request, maximum: maximumPage) }
        var filter = ResourceFilter(project: try reader.isAllProjects() ? nil : context.projectID ?? ProjectID(""))
        for name in ["name", "volume_id", "id"] { filter.equals[name] = request.query(name) }
        let found = try await transfers.list(filter, page)
        return .object(capacity: found.count * 400 + 128) { writer in
            writer.array("transfers") { writer in
                for transfer in found {
                    if isDetailed {
                        Self.write(&writer, transfer, request, context)
                    } else {
                        Self.summary(&writer, transfer, request)
                    }
                }
            }
            request.links.next(&writer, "transfers_links", path, after: found, limit: page.limit, \.id)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let transfer = try await transfers.transfer(request.id("transfer_id"), for: context)
        return .object { writer in
            writer.key("transfer")
            Self.write(&writer, transfer, request, context)
        }
    }

    // MARK: Write

    private func create(_ request: APIRequest, _ context: CallContext, _ path: String) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("transfer", in: try await request.json())
        let volume = try reader.requiredString("volume_id")
        guard UUIDText.isUUID(volume) else { throw reader.invalid("volume_id", .string(volume), "is not a 'uuid'") }
        let name = try BlockStorageWords.text(&reader, "name").map(BlockStorageWords.trimmed)
        let isNew = path == Self.new
        let withoutSnapshots = isNew && context.has(55) ? try reader.looseBool("no_snapshots") ?? false : false
        try reader.finish()
        let (transfer, key) = try await transfers.create(
            VolumeID(volume), name: name, withoutSnapshots: withoutSnapshots,
            allowsEncrypted: isNew && context.has(70), for: context)
        return .object(202) { writer in
            writer.key("transfer")
            Self.write(&writer, transfer, key: key, request, context)
        }
    }

    private func accept(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("accept", in: try await request.json())
        let key: String
        switch reader.value("auth_key") {
        case .string(let text)?: key = text
        case .int(let number)?: key = String(number)
        case let other?: throw reader.invalid("auth_key", other, "is not of type 'string', 'integer'")
        case nil: throw reader.missing("auth_key")
        }
        try reader.finish()
        let transfer = try await transfers.accept(request.id("transfer_id"), key: key, for: context)
        return .object(202) { writer in
            writer.key("transfer")
            Self.summary(&writer, transfer, request)
        }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await transfers.delete(request.id("transfer_id"), for: context)
        return HTTPResponse(status: 202)
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeContract
import ComputeCore
import HTTPKit
import PolicyKit
import SecurityKit

/// Actions of `/servers/{id}/action` that make a server anew, help it, put it away or bring it back.
struct CareActions: Sendable {
    let servers: ServerEngine

    /// Nil: no action of these.
    func act(
        _ name: String, _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse? {
        switch name {
        case "rebuild": return try await rebuild(id, value, request, context)
        case "createBackup": return try await createBackup(id, value, request, context)
        case "rescue": return try await rescue(id, value, context)
        case "unrescue": try await servers.unrescue(id, for: context)
        case "shelve": try await servers.shelve(id, for: context)
        case "shelveOffload": try await servers.shelveOffload(id, for: context)
        case "unshelve": try await servers.unshelve(id, try Self.unshelve(value, context), for: context)
        case "restore": try await servers.restore(id, for: context)
        case "changePassword":
            var reader = try ObjectReader(value, path: name)
            let password = try reader.requiredString("adminPass", 0...255)
            try reader.finish()
            try await servers.changePassword(id, to: password, for: context)
        case "trigger_crash_dump":
            guard context.has(17) else { throw CloudError.notFound("The resource could not be found.") }
            try await servers.triggerCrashDump(id, for: context)
        default: return nil
        }
        return HTTPResponse(status: 202)
    }

    // MARK: Rebuild

    private func rebuild(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse {
        let draft = try RebuildReader(context: context).read(value)
        try await servers.rebuild(id, draft, for: context)
        let server = try await servers.server(id, for: context)
        let page = try await servers.page(of: server)
        let group: ServerGroupID?? = context.has(71) ? .some(try await servers.group(of: server)) : .none
        var view = ServerView(request, context, hosts: page.hosts, servers.parts, project: server.projectID)
        var response = HTTPResponse.object(202, capacity: 3072) { writer in
            writer.key("server")
            view.detail(
                &writer, server, page.ports[server.id.rawValue] ?? [], page.disks[server.id] ?? [], group: group,
                isBrief: !context.has(75), rebuiltWith: draft.adminPassword)
        }
        response.headers.set("Location", "\(request.versionURL)/servers/\(id)")
        return response
    }

    // MARK: Backup

    private func createBackup(
        _ id: ServerID, _ value: JSON, _ request: APIRequest, _ context: CallContext
    ) async throws -> HTTPResponse {
        var reader = try ObjectReader(value, path: "createBackup")
        let name = try reader.requiredString("name", 1...255)
        try ComputeWire.checkName(name, "name")
        let type = try reader.requiredString("backup_type")
        guard let rotation = try reader.looseInt("rotation", 0...Int64(Int32.max)) else {
            throw reader.missing("rotation")
        }
        let metadata = try ServerDraftReader.metadata(&reader) ?? [:]
        try reader.finish()
        let image = try await servers.createBackup(
            id, name: name, type: type, rotation: Int(rotation), metadata: metadata, for: context)
        // 2.45: the id itself, and no address of another service.
        if context.has(45) { return .object(202) { $0.field("image_id", image) } }
        var response = HTTPResponse(status: 202)
        // Of none that are kept, this one goes, too.
        if rotation > 0 { response.headers.set("Location", "\(request.originURL)/image/v2/images/\(image)") }
        return response
    }

    // MARK: Rescue

    private func rescue(_ id: ServerID, _ value: JSON, _ context: CallContext) async throws -> HTTPResponse {
        var (password, image): (String?, String?)
        if !value.isNull {
            var reader = try ObjectReader(value, path: "rescue")
            password = try reader.string("adminPass", 0...255)
            image = try reader.string("rescue_image_ref", 0...255).map {
                try ComputeWire.uuid($0, "rescue_image_ref")
            }
            try reader.finish()
        }
        let final = password ?? ServerRoutes.password()
        try await servers.rescue(
            id, image: image, adminPassword: final, allowsVolume: context.has(87), for: context)
        return .object { $0.field("adminPass", final) }
    }

    // MARK: Unshelve

    /// 2.77 knows a zone, 2.91 a host and no zone; before, whatever was sent was ignored.
    private static func unshelve(_ value: JSON, _ context: CallContext) throws -> ServerEngine.UnshelveRequest {
        var wanted = ServerEngine.UnshelveRequest()
        guard context.has(77), !value.isNull else { return wanted }
        var reader = try ObjectReader(value, path: "unshelve")
        if context.has(91) {
            wanted.zone = try reader.nullableString("availability_zone", 0...255)
            wanted.host = try reader.string("host", 0...255)
        } else {
            let zone = try reader.requiredString("availability_zone", 1...255)
            try ComputeWire.checkName(zone, "availability_zone")
            wanted.zone = .some(zone)
        }
        try reader.finish()
        return wanted
    }
}

/// Reads the body of `rebuild` as each microversion defines it (nova: schemas/servers.py).
struct RebuildReader {
    let context: CallContext

    func read(_ value: JSON) throws -> RebuildDraft {
        var reader = try ObjectReader(value, path: "rebuild")
        let image = try ComputeWire.uuid(try reader.requiredString("imageRef", 0...255), "imageRef")
        let password = try reader.string("adminPass", 0...255) ?? ServerRoutes.password()
        var draft = RebuildDraft(imageID: image, adminPassword: password)
        try readIdentity(&reader, &draft)
        draft.metadata = try ServerDraftReader.metadata(&reader)
        draft.keepsEphemeral = try reader.looseBool("preserve_ephemeral") ?? false
        draft.diskConfig = try ServerDraftReader.diskConfig(&reader)
        draft.accessIPv4 = try ServerDraftReader.address(&reader, "accessIPv4", isIPv6: false)
        draft.accessIPv6 = try ServerDraftReader.address(&reader, "accessIPv6", isIPv6: true)
        try readContent(&reader, &draft)
        draft.reimagesVolume = context.has(93)
        try reader.finish()
        return draft
    }

    private func readIdentity(_ reader: inout ObjectReader, _ draft: inout RebuildDraft) throws {
        if let name = try reader.string("name", 1...255) {
            try ComputeWire.checkName(name, "name")
            draft.name = name
        }
        if context.has(19), let description = try reader.nullableString("description") {
            if let description { try ComputeWire.checkPrintable(description, "description") }
            draft.description = .some(description)
        }
        guard context.has(90), let hostname = try reader.string("hostname", 1...255) else { return }
        guard Hostname.isValid(hostname, allowsDomain: context.has(94)) else {
            throw reader.invalid("hostname", .string(hostname), "is not a valid host name")
        }
        draft.hostname = hostname
    }

    private func readContent(_ reader: inout ObjectReader, _ draft: inout RebuildDraft) throws {
        if context.has(54) { draft.keyName = try reader.nullableString("key_name", 1...255) }
        if context.has(57) {
            draft.userData = try reader.nullableString("user_data", 0...65535)
            if let userData = draft.userData.flatMap(\.self), Base64.decode(userData) == nil {
                throw reader.invalid("user_data", "…", "is not a 'base64'")
            }
        } else if let files = try reader.array("personality") {
            draft.files = try files.map(ServerDraftReader.file)
        }
        guard context.has(63) else { return }
        if reader.isNull("trusted_image_certificates") {
            _ = reader.value("trusted_image_certificates")
            draft.certificates = .some(nil)
        } else if let ids = try reader.strings("trusted_image_certificates", 1...50) {
            draft.certificates = .some(ids)
        }
    }
}

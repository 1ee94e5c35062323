// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /types
struct VolumeTypeRoutes: Sendable {
    let types: VolumeTypeEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        routes.add(.get, "/types", policy: "volume_extension:type_get_all", list)
        routes.add(.post, "/types", policy: "volume_extension:type_create", create)
        routes.add(.get, "/types/{type_id}", policy: "volume_extension:type_get", show)
        routes.add(.put, "/types/{type_id}", policy: "volume_extension:type_update", update)
        routes.add(.delete, "/types/{type_id}", policy: "volume_extension:type_delete", delete)
    }

    // MARK: View

    /// The specifications that the caller may read; nil: none at all.
    static func visibleSpecs(_ specs: [String: String], _ context: CallContext) -> [String: String] {
        let target = PolicyTarget(project: context.projectID)
        if context.allows("volume_extension:types_extra_specs:read_sensitive", target) { return specs }
        return specs.filter { VolumeType.userVisibleSpecs.contains($0.key) }
    }

    /// What an answer is to. Upstream's answers to changes say less.
    enum Purpose { case read, create, update }

    static func write(
        _ writer: inout JSONWriter, _ type: VolumeType, _ context: CallContext, for purpose: Purpose = .read
    ) {
        let target = PolicyTarget(project: context.projectID)
        writer.beginObject()
        writer.field("id", type.id)
        writer.field("name", type.name)
        writer.field("is_public", type.isPublic)
        writer.field("description", type.description)
        if context.allows("volume_extension:access_types_extra_specs", target) {
            writer.field("extra_specs", visibleSpecs(type.extraSpecs, context))
        }
        if purpose == .read, context.allows("volume_extension:access_types_qos_specs_id", target) {
            writer.field("qos_specs_id", type.qosID)
        }
        if purpose != .update, context.allows("volume_extension:volume_type_access", target) {
            writer.field("os-volume-type-access:is_public", type.isPublic)
        }
        writer.endObject()
    }

    private static func answer(
        _ type: VolumeType, _ context: CallContext, for purpose: Purpose = .read
    ) -> HTTPResponse {
        .object { writer in
            writer.key("volume_type")
            write(&writer, type, context, for: purpose)
        }
    }

    // MARK: Read

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let reader = ResourceListReader("volume_type", maximum: maximumPage, request, context)
        var filter = VolumeTypeFilter(page: try reader.page())
        filter.isPublic = context.allowsAllProjects ? try BlockStorageWords.isPublic(request) : true
        if context.has(52) {
            let sent = try reader.filter(oldFilters: [], without: ["is_public"])
            filter.name = sent.equals["name"]
            if let text = sent.equals["extra_specs"] {
                filter.extraSpecs = Self.dictionary(text)
                let visible = Self.visibleSpecs(filter.extraSpecs, context)
                // Who may not read a specification must not guess it either.
                if visible.count < filter.extraSpecs.count { return Self.page([], request, filter.page, context) }
            }
        }
        return Self.page(try await types.list(filter, for: context), request, filter.page, context)
    }

    private static func page(
        _ found: [VolumeType], _ request: APIRequest, _ page: ResourcePage, _ context: CallContext
    ) -> HTTPResponse {
        .object(capacity: found.count * 400 + 128) { writer in
            writer.array("volume_types") { writer in
                for type in found { write(&writer, type, context) }
            }
            request.links.next(&writer, "volume_type_links", "types", after: found, limit: page.limit, \.id)
        }
    }

    /// `{'key': 'value'}` as Python writes it, or JSON.
    private static func dictionary(_ text: String) -> [String: String] {
        let json = String(text.map { $0 == "'" ? "\"" : $0 })
        guard case .object(let fields)? = try? JSONReader.read(json) else { return [:] }  // no dictionary: no filter
        return fields.compactMapValues(\.string)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let id = request.parameter("type_id")
        if id == "default" { return Self.answer(try await types.defaultType(of: context.projectID), context) }
        return Self.answer(try await types.type(id, for: context), context)
    }

    // MARK: Write

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volume_type", in: try await request.json())
        let name = try BlockStorageWords.name(&reader)
        let description = try BlockStorageWords.text(&reader, "description")
        let specs = try reader.value("extra_specs").map { try BlockStorageWords.specs($0, "extra_specs") } ?? [:]
        let isPublic = try reader.looseBool("os-volume-type-access:is_public") ?? true
        try reader.finish()
        return Self.answer(
            try await types.create(
                .init(name: name, description: description, isPublic: isPublic, extraSpecs: specs)), context, for: .create)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader.envelope("volume_type", in: try await request.json())
        let name = try reader.nullableString("name", 1...255).flatMap { $0 }
        let description = try BlockStorageWords.text(&reader, "description")
        let isPublic = try reader.looseBool("is_public")
        try reader.finish()
        if let name, BlockStorageWords.trimmed(name).isEmpty {
            throw CloudError.badRequest("Volume type name can not be empty.")
        }
        guard name != nil || description != nil || isPublic != nil else {
            throw CloudError.badRequest(
                "Specify volume type name, description, is_public or a combination thereof.")
        }
        let type = try await types.update(
            request.parameter("type_id"),
            .init(name: name.map(BlockStorageWords.trimmed), description: description, isPublic: isPublic))
        return Self.answer(type, context, for: .update)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await types.delete(request.parameter("type_id"))
        return HTTPResponse(status: 202)
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import NetworkContract
import NetworkCore
import PolicyKit

/// /v2.0/flavors and /v2.0/service_profiles
struct NetworkFlavorRoutes: Sendable {
    private static let longText = 1024

    let flavors: NetworkFlavorEngine
    private let collection: Collection
    private let profiles: Collection

    init(_ flavors: NetworkFlavorEngine, maximumPage: Int?) {
        self.flavors = flavors
        collection = Collection("flavor", "flavors", maximumPage: maximumPage)
        profiles = Collection(
            "service_profile", "service_profiles", path: "/v2.0/service_profiles", maximumPage: maximumPage)
    }

    func register(on routes: inout RouteTable) {
        routes.add(.get, collection.path, object: "get_flavor", list)
        routes.add(.post, collection.path, object: "create_flavor", create)
        routes.add(.get, collection.item, object: "get_flavor", show)
        routes.add(.put, collection.item, object: "update_flavor", update)
        routes.add(.delete, collection.item, object: "delete_flavor") { request, context in
            try await flavors.delete(request.id("id"), for: context)
            return .noContent()
        }
        routes.add(.get, profiles.path, object: "get_service_profile", listProfiles)
        routes.add(.post, profiles.path, object: "create_service_profile", createProfile)
        routes.add(.get, profiles.item, object: "get_service_profile", showProfile)
        routes.add(.put, profiles.item, object: "update_service_profile", updateProfile)
        routes.add(.delete, profiles.item, object: "delete_service_profile") { request, context in
            try await flavors.deleteProfile(request.id("id"), for: context)
            return .noContent()
        }
        routes.add(
            .post, collection.item + "/service_profiles", object: "create_flavor_service_profile", bind)
        routes.add(
            .delete, collection.item + "/service_profiles/{profile_id}", object: "delete_flavor_service_profile"
        ) { request, context in
            try await flavors.unbind(request.id("id"), from: request.id("profile_id"), for: context)
            return .noContent()
        }
        routes.add(.get, collection.item + "/next_providers", object: "get_flavor", nextProviders)
    }

    // MARK: Flavors

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try collection.query(request)
        let found = try await flavors.list(query, for: context)
        return collection.list(request, query, found, id: { $0.id.rawValue }, write)
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let flavor = try await flavors.get(request.id("id"), for: context)
        return collection.one(flavor, fields: Collection.fields(request), write)
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await collection.drafts(request) { reader in
            try reader.require("service_type")
            return try read(&reader)
        }
        return collection.created(try await flavors.create(drafts, for: context), isBulk: isBulk, write)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await collection.change(request) { reader in
            try reader.refuseInUpdate("service_type")
            return try read(&reader)
        }
        return collection.one(try await flavors.update(request.id("id"), draft, for: context), fields: nil, write)
    }

    private func read(_ reader: inout AttributeReader) throws -> NetworkFlavorDraft {
        var draft = NetworkFlavorDraft()
        _ = try reader.project()
        draft.name = try reader.string("name")
        draft.description = try reader.nullableString("description", maximum: Self.longText).map { $0 ?? "" }
        draft.serviceType = try reader.string("service_type")
        if let type = draft.serviceType, !NetworkFlavor.serviceTypes.contains(type) {
            throw AttributeReader.invalid("service_type", "'\(type.prefix(64))' is not a valid service type")
        }
        draft.isEnabled = try reader.bool("enabled", default: true)
        // Profiles are bound one by one; upstream takes the list, and leaves it.
        _ = try reader.strings("service_profiles")
        return draft
    }

    private func write(_ flavor: NetworkFlavor, _ out: inout ResourceWriter) {
        out.field("id", flavor.id)
        out.field("name", flavor.name)
        out.field("description", flavor.description)
        out.field("service_type", flavor.serviceType)
        out.field("enabled", flavor.isEnabled)
        out.field("service_profiles", flavor.profiles.map(\.rawValue))
    }

    // MARK: Profiles

    private func listProfiles(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let query = try profiles.query(request)
        let found = try await flavors.listProfiles(query, for: context)
        return profiles.list(request, query, found, id: { $0.id.rawValue }, writeProfile)
    }

    private func showProfile(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let profile = try await flavors.getProfile(request.id("id"), for: context)
        return profiles.one(profile, fields: Collection.fields(request), writeProfile)
    }

    private func createProfile(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (drafts, isBulk) = try await profiles.drafts(request, readProfile)
        return profiles.created(
            try await flavors.createProfiles(drafts, for: context), isBulk: isBulk, writeProfile)
    }

    private func updateProfile(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let draft = try await profiles.change(request, readProfile)
        let profile = try await flavors.updateProfile(request.id("id"), draft, for: context)
        return profiles.one(profile, fields: nil, writeProfile)
    }

    private func readProfile(_ reader: inout AttributeReader) throws -> ServiceProfileDraft {
        var draft = ServiceProfileDraft()
        _ = try reader.project()
        draft.description = try reader.nullableString("description", maximum: Self.longText).map { $0 ?? "" }
        draft.driver = try reader.string("driver", maximum: Self.longText)
        draft.metainfo = try reader.nullableString("metainfo", maximum: Self.longText).map { $0 ?? "" }
        draft.isEnabled = try reader.bool("enabled", default: true)
        return draft
    }

    private func writeProfile(_ profile: ServiceProfile, _ out: inout ResourceWriter) {
        out.field("id", profile.id)
        out.field("description", profile.description)
        out.field("driver", profile.driver)
        out.field("metainfo", profile.metainfo)
        out.field("enabled", profile.isEnabled)
    }

    // MARK: Both

    private func bind(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        guard let body = try await request.json()[profiles.name] else {
            throw AttributeReader.bad("Unable to find '\(profiles.name)' in request body")
        }
        var reader = try AttributeReader(body, isCreate: true)
        _ = try reader.project()
        guard let profile: ServiceProfileID = try reader.id("id") else {
            throw AttributeReader.bad("Failed to parse request. Required attribute 'id' not specified")
        }
        try reader.finish()
        let flavor = try await flavors.bind(request.id("id"), to: profile, for: context)
        // Upstream's answer has the flavor under the name of what was bound.
        return profiles.one(flavor, status: 201, fields: nil, write)
    }

    private func nextProviders(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let driver = try await flavors.nextProvider(of: request.id("id"), for: context)
        return .json(
            200,
            JSONWriter.object { json in
                json.array("next_providers") { json in
                    json.beginObject()
                    json.field("driver", driver)
                    json.field("provider", ServiceProvider.name)
                    json.endObject()
                }
            })
    }
}

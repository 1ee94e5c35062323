// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementContract
import PlacementCore
import PolicyKit

/// /traits and /resource_providers/{uuid}/traits
struct TraitRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        routing.add(.get, "/traits", "placement:traits:list", since: 6, list)
        routing.add(.get, "/traits/{name}", "placement:traits:show", since: 6, answersJSON: false, show)
        routing.add(.put, "/traits/{name}", "placement:traits:update", since: 6, answersJSON: false, ensure)
        routing.add(.delete, "/traits/{name}", "placement:traits:delete", since: 6, answersJSON: false, delete)
        let ofProvider = "/resource_providers/{uuid}/traits"
        let rule = "placement:resource_providers:traits:"
        routing.add(.get, ofProvider, PolicyName(rule + "list"), since: 6, listOfProvider)
        routing.add(
            .put, ofProvider, PolicyName(rule + "update"), since: 6, takesBody: true, answersJSON: false, setOfProvider)
        routing.add(.delete, ofProvider, PolicyName(rule + "delete"), since: 6, answersJSON: false, clearOfProvider)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try PlacementQuery.checkNames(request, ["name", "associated"])
        var isAssociated: Bool?
        if let text = request.queryAll("associated").last {
            switch text.lowercased() {
            case "true": isAssociated = true
            case "false": isAssociated = false
            default:
                throw CloudError.badRequest("The query parameter \"associated\" only accepts \"true\" or \"false\"")
            }
        }
        let found = try await engine.traits(
            try request.queryAll("name").last.flatMap(nameFilter), isAssociated: isAssociated)
        let bytes = JSONWriter.object { $0.field("traits", found.names) }
        return PlacementRouting.json(200, bytes, modified: found.lastModified ?? clock.now(), context)
    }

    private func nameFilter(_ text: String) throws -> PlacementEngine.TraitFilter? {
        guard let colon = text.firstIndex(of: ":") else {
            throw CloudError.badRequest(
                """
                Badly formatted name parameter. Expected name query string parameter in form: \
                ?name=[in|startswith]:[name1,name2|prefix]. Got: "\(text)"
                """)
        }
        let value = text[text.index(after: colon)...]
        switch text[..<colon] {
        case "in": return .named(value.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
        case "startswith": return .startingWith(String(value))
        default: return nil
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let created = try await engine.trait(request.parameter("name"))
        return PlacementRouting.empty(204, modified: created ?? clock.now(), context)
    }

    private func ensure(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let name = request.parameter("name")
        guard PlacementNames.isCustom(name) else {
            throw CloudError.badRequest(
                """
                The trait is invalid. A valid trait must be no longer than 255 characters, start with the prefix "CUSTOM_" \
                and use following characters: "A"-"Z", "0"-"9" and "_"
                """)
        }
        let isNew = try await engine.ensureTrait(name)
        let created = try await engine.trait(name)
        return PlacementRouting.empty(
            isNew ? 201 : 204, location: "\(request.serviceURL)/traits/\(name)", modified: created ?? clock.now(),
            context)
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.deleteTrait(request.parameter("name"))
        return PlacementRouting.empty(204, context)
    }

    // MARK: Of a provider

    private func listOfProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let (provider, traits) = try await engine.traits(of: request.id("uuid"))
        return answer(provider, traits, context)
    }

    private func setOfProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.placementJSON(PlacementSchemas.traits)
        let (provider, traits) = try await engine.setTraits(
            (body["traits"]?.array ?? []).compactMap(\.string), of: request.id("uuid"),
            generation: body["resource_provider_generation"]?.int ?? -1)
        return answer(provider, traits, context)
    }

    private func clearOfProvider(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await engine.clearTraits(of: request.id("uuid"))
        return PlacementRouting.empty(204, context)
    }

    private func answer(_ provider: ResourceProvider, _ traits: [String], _ context: CallContext) -> HTTPResponse {
        let bytes = JSONWriter.object { writer in
            writer.field("traits", traits)
            writer.field("resource_provider_generation", provider.generation)
        }
        return PlacementRouting.json(200, bytes, modified: clock.now(), context)
    }
}

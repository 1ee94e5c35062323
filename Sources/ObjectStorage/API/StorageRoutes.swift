// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// The end of the pipeline: the store itself, with the methods that it takes and the origins that browsers may come
/// from.
package struct StorageRoutes: SwiftLayer {
    private static let methods: [HTTPMethod] = [.delete, .get, .head, .options, .post, .put]

    private let accounts: AccountRoutes
    private let containers: ContainerRoutes
    private let objects: ObjectRoutes
    private let cors: CORSRules
    private let gate: AccessGate

    package init(gate: AccessGate, settings: SwiftSettings, clock: WallClock) {
        let engine = AccountEngine(cluster: gate.cluster)
        self.gate = gate
        cors = CORSRules(settings: settings)
        accounts = AccountRoutes(gate: gate, accounts: engine, settings: settings)
        containers = ContainerRoutes(
            gate: gate, accounts: engine, containers: ContainerEngine(cluster: gate.cluster), settings: settings)
        objects = ObjectRoutes(
            gate: gate, objects: ObjectEngine(cluster: gate.cluster, limits: settings.limits), settings: settings,
            clock: clock)
    }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        let allowed = allowedMethods(request)
        guard allowed.contains(request.method) else {
            return SwiftResponse(405, headers: ["allow": allowed.map(\.rawValue).joined(separator: ", ")])
        }
        if request.method == .options {
            return cors.preflight(request, allowed, try await corsRecord(request))
        }
        var response: SwiftResponse
        do {
            response = try await dispatch(request)
        } catch {
            response = SwiftNext.response(to: error, request)
        }
        if !request.isAccount, let origin = request.headers["origin"] {
            cors.expose(&response, to: origin, try await corsRecord(request))
        }
        return response
    }

    private func dispatch(_ request: SwiftRequest) async throws -> SwiftResponse {
        if request.isObject { return try await objects.answer(request) }
        if request.isContainer { return try await containers.answer(request) }
        return try await accounts.answer(request)
    }

    private func allowedMethods(_ request: SwiftRequest) -> [HTTPMethod] {
        guard request.isAccount, !gate.rules.isReseller(request.caller) else { return Self.methods }
        return Self.methods.filter { $0 != .put && $0 != .delete }
    }

    /// A browser asks before its user has said who he is, so this is read in the store's own name; nothing of it is
    /// shown but what its owner made public for browsers.
    private func corsRecord(_ request: SwiftRequest) async throws -> IndexRecord? {
        guard !request.isAccount, request.headers["origin"] != nil else { return nil }
        return try await gate.container(request.path, .readContainer, for: .system, seen: request.seen).record
    }
}

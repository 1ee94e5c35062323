// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// Versions that have ids: `X-Versions-Enabled`, `?versions`, `version-id=`. Bytes lie in a hidden container beside;
/// the current version is a link to one of them.
package struct ObjectVersioning: SwiftLayer {
    package static let info: InfoPage.Section = ("object_versioning", [:])
    static let enabled = "x-container-sysmeta-versions-enabled"
    static let container = "x-container-sysmeta-versions-container"
    private let gate: AccessGate

    package init(gate: AccessGate) { self.gate = gate }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard !request.isAccount, !request.allowsReservedNames else { return await next(request) }
        if request.isContainer {
            return try await VersionedContainer(gate: gate, next: next).answer(request)
        }
        let facts = try await gate.container(request.path, .readContainer, for: .system, seen: request.seen).record
        let versions = facts?.header(Self.container).map { _ in
            ObjectPath(
                account: request.path.account, container: VersionNames.container(request.path.container ?? ""))
        }
        if let id = request.parameter("version-id"), !id.isEmpty {
            return try await VersionedObject(gate: gate, next: next, versions: versions).answer(request, version: id)
        }
        guard let versions else { return await next(request) }
        let isEnabled = facts?.header(Self.enabled).map(SwiftText.isTrue) ?? false
        let object = VersionedObject(gate: gate, next: next, versions: versions)
        switch request.method {
        case .put where isEnabled: return try await object.put(request)
        case .delete where isEnabled: return try await object.delete(request)
        case .post: return try await object.describe(request)
        case .get, .head: return await object.read(request)
        default: return await next(request)
        }
    }
}

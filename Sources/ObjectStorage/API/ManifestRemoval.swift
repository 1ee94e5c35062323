// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// `DELETE …?multipart-manifest=delete`: the segments first, those of manifests among them too, then the manifest.
struct ManifestRemoval: Sendable {
    let next: SwiftNext

    func answer(_ request: SwiftRequest) async throws -> SwiftResponse {
        guard let type = BulkReport.form(request, BulkLayer.forms) else { throw SwiftFault(406) }
        var deletion = BulkDeletion(request: request, next: next)
        await remove(request.path, request.parameter("version-id"), depth: 0, request, &deletion)
        return SwiftResponse(
            200, headers: ["content-type": type], body: .bytes(deletion.finish().render(type, root: "delete")))
    }

    private func remove(
        _ path: ObjectPath, _ version: String?, depth: Int, _ request: SwiftRequest, _ deletion: inout BulkDeletion
    ) async {
        do {
            for case .object(let segment) in try await manifest(path, version, request).parts {
                let names = segment.name.dropping(leading: "/").split(byte: "/", maxSplits: 1).map(String.init)
                guard names.count == 2 else { continue }
                let place = ObjectPath(account: path.account, container: names[0], object: names[1])
                if segment.isManifest, depth < StaticLargeObjects.maximumDepth {
                    await remove(place, nil, depth: depth + 1, request, &deletion)
                } else {
                    await deletion.delete(place, version: nil)
                }
            }
            await deletion.delete(path, version: version)
        } catch {
            deletion.failed(path, SwiftNext.response(to: error, request))
        }
    }

    private func manifest(_ path: ObjectPath, _ version: String?, _ request: SwiftRequest) async throws
        -> SegmentManifest
    {
        var get = request.step(.get, path)
        get.set("multipart-manifest", "get")
        if let version { get.set("version-id", version) }
        let response = await next(get)
        guard response.isSuccess else {
            await response.drop()
            if response.status == 404 { throw SwiftFault(404, "SLO manifest not found") }
            if response.status == 401 { throw SwiftFault(401, "401 Unauthorized") }
            throw SwiftFault(response.status == 403 ? 403 : 500, "Unable to load SLO manifest or segment.")
        }
        guard response.headers.isTrue(StorageHeader.isManifest) else {
            await response.drop()
            throw SwiftFault(400, "Not an SLO manifest")
        }
        return try await StaticLargeObjects.stored(response)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import DatabaseKit

/// Finds backends for volumes: those that pass the filters, the one with most room first.
package struct VolumeScheduler: Sendable {
    let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    /// Chooses in the caller's transaction, where the choice is written too, so that two volumes cannot both take the
    /// last room. Throws `NoValidBackend`, whose cause names every backend's reason.
    package func place(_ request: BackendRequest, _ transaction: any Transaction) throws -> VolumeBackend {
        let stores = parts.stores
        let hinted = request.hints.sameHost + request.hints.differentHost
        let placed = try stores.volumes.volumes(hinted, transaction)
            .reduce(into: [VolumeID: String]()) { if $1.projectID == request.project { $0[$1.id] = $1.host } }
        var reasons: [String] = []
        var best: BackendView?
        for view in try views(transaction) {
            if let reason = BackendFilter.refusal(view, request, placed: placed) {
                reasons.append("\(view.backend.pool.name): \(reason)")
            } else if view.freeGiB > best?.freeGiB ?? -1 {
                best = view
            }
        }
        if let best { return best.backend }
        throw CloudError(
            .unavailable, "No valid backend was found. No weighed backends available", kind: "NoValidBackend",
            cause: reasons.isEmpty ? "no backend has reported" : reasons.joined(separator: "; "))
    }

    /// Every backend with what is promised on it.
    package func views(_ transaction: any Transaction) throws -> [BackendView] {
        let (stores, now, config) = (parts.stores, parts.clock.now(), parts.config)
        let used = try stores.volumes.usageByPool(transaction)
        return try stores.backends.all(transaction).map { backend in
            BackendView(
                backend: backend, isUp: backend.isUp(at: now, limit: config.backendTimeout),
                volumeCount: used[backend.pool.name]?.volumes ?? 0,
                promisedGiB: used[backend.pool.name]?.gigabytes ?? 0,
                oversubscriptionRatio: config.oversubscriptionRatio, reservedPercent: config.reservedPercent)
        }
    }

    /// The zones that volumes can be made in.
    package func zones(_ transaction: any Transaction) throws -> Set<String> {
        let backends = try parts.stores.backends.all(transaction)
        return Set(backends.filter { !$0.isDisabled }.map(\.zone)).union([parts.config.defaultZone])
    }
}

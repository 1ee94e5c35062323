// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import ObjectStorageCore

/// Puts the API together: the features in the order in which they see a request.
package enum SwiftAPI {
    /// `logIn` nil: there is no `/auth/v1.0`.
    package static func handler(
        cluster: StorageCluster, identity: any IdentityService, settings: SwiftSettings,
        rateLimits: RateLimitLayer.Limits = RateLimitLayer.Limits(), origin: String, ids: IDSource, clock: WallClock,
        logIn: LegacyAuthPage.LogIn? = nil
    ) -> SwiftHandler {
        let gate = AccessGate(cluster: cluster, rules: settings.rules)
        let rates = RateLimitLayer(gate: gate, limits: rateLimits, clock: clock)
        let layers: [any SwiftLayer] = [
            // Who may call.
            TempURLLayer(gate: gate, clock: clock), FormPostLayer(gate: gate, clock: clock),
            TokenAuthentication(identity: identity),
            // What one request stands for.
            rates, BulkLayer(limits: settings.limits), StaticWebLayer(gate: gate), CopyLayer(limits: settings.limits),
            QuotaLayer(gate: gate),
            // What one object stands for.
            S3ListingTagLayer(), StaticLargeObjects(), DynamicLargeObjects(), VersionedWrites(gate: gate),
            ObjectVersioning(gate: gate), SymlinkLayer(), StorageRoutes(gate: gate, settings: settings, clock: clock),
        ]
        let info = InfoPage(settings: settings, sections: sections(rates))
        var pages: [String: SwiftHandler.Page] = [
            "/healthcheck": ServicePages.health, "/crossdomain.xml": ServicePages.crossDomain, "/info": info.answer,
        ]
        if let logIn {
            let page = LegacyAuthPage(rules: settings.rules, clock: clock, logIn: logIn)
            for path in ["/auth/v1.0", "/auth/v1", "/auth/v1.0/", "/v1.0", "/v1.0/"] { pages[path] = page.answer }
        }
        return SwiftHandler(layers: layers, pages: pages, origin: origin, ids: ids, clock: clock)
    }

    /// What S3 and other ways to the same objects stand on: all but who calls, and what only this API's clients send.
    package static func storageLayers(gate: AccessGate, settings: SwiftSettings, clock: WallClock) -> [any SwiftLayer] {
        [
            QuotaLayer(gate: gate), S3ListingTagLayer(), StaticLargeObjects(), DynamicLargeObjects(),
            VersionedWrites(gate: gate), ObjectVersioning(gate: gate), SymlinkLayer(), StorageRoutes(gate: gate, settings: settings, clock: clock),
        ]
    }

    private static func sections(_ rates: RateLimitLayer) -> [InfoPage.Section] {
        [
            TempURLLayer.info, FormPostLayer.info, rates.info, BulkLayer.deleteInfo, BulkLayer.uploadInfo,
            StaticWebLayer.info, QuotaLayer.containerInfo, QuotaLayer.accountInfo, StaticLargeObjects.info,
            DynamicLargeObjects.info, VersionedWrites.info, ObjectVersioning.info, SymlinkLayer.info,
            ("keystoneauth", [:]), ("crossdomain", [:]),
        ]
    }
}

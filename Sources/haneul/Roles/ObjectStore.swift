// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import DatabaseKit
import HTTPKit
import IdentityCore
import LifecycleKit
import ObjectStorageAPI
import ObjectStorageContract
import ObjectStorageCore

/// Object storage of one controller: the store, and the two APIs to it.
package struct ObjectStore: Sendable {
    /// What it keeps objects on.
    package struct Devices: Sendable {
        /// The name of this host in the rings.
        package var host: String
        /// What becomes devices of this host when they are none yet.
        package var directories: [String]
        package var open: StorageParts.OpenDevice
        package var close: StorageParts.CloseDevice
        /// What the devices need to run.
        package var services: [any Service]

        package init(
            host: String, directories: [String], services: [any Service] = [],
            close: @escaping StorageParts.CloseDevice = { _ in }, open: @escaping StorageParts.OpenDevice
        ) {
            self.host = host
            self.directories = directories
            self.services = services
            self.open = open
            self.close = close
        }
    }

    package let parts: StorageParts
    private let swift: SwiftHandler
    private let s3: S3Handler
    private let deviceServices: [any Service]
    private let expirer: ObjectExpirer

    init(
        _ devices: Devices, database: any Database, identity: IdentityEngine, config: ObjectStorageConfig,
        origin: String, clock: WallClock, ids: IDSource
    ) async throws {
        parts = try await StorageParts.make(
            database: database, config: config, host: devices.host, directories: devices.directories, clock: clock,
            ids: ids, close: devices.close, open: devices.open)
        deviceServices = devices.services
        let cluster = parts.cluster
        expirer = ObjectExpirer(cluster: cluster)
        var settings = SwiftSettings { cluster.policies }
        settings.corsOrigins = config.corsOrigins
        var rates = RateLimitLayer.Limits()
        rates.accountWrites = Double(config.accountContainerWrites)
        var s3Config = S3Config()
        s3Config.region = config.s3Region
        s3Config.storageDomains = config.s3Domains
        s3Config.preflightOrigins = config.corsOrigins
        swift = SwiftAPI.handler(
            cluster: cluster, identity: identity, settings: settings, rateLimits: rates, origin: origin, ids: ids,
            clock: clock, logIn: config.legacyAuth ? Self.logIn(identity) : nil)
        s3 = S3Handler(
            layers: SwiftAPI.storageLayers(
                gate: AccessGate(cluster: cluster, rules: settings.rules), settings: settings, clock: clock),
            identity: identity, rules: settings.rules, config: s3Config, origin: origin, ids: ids, clock: clock)
    }

    var services: [any Service] { deviceServices + parts.services + [expirer] }

    /// Who answers a request for objects; nil: it is for another service.
    func handler(of request: HTTPRequest) -> (any HTTPHandler)? {
        if s3.takes(request) { return s3 }
        return swift.takes(request) ? swift : nil
    }

    /// Users of the default domain, by name: the old way has no word for a domain.
    private static func logIn(_ identity: IdentityEngine) -> LegacyAuthPage.LogIn {
        { project, user, password in
            let domain = AuthRequest.DomainReference.id(.default)
            let request = AuthRequest(
                methods: [.password(.name(user, domain), password)], scope: .project(.name(project, domain)))
            let known = try await identity.tokens.issue(request)
            guard let projectID = known.subject.principal.projectID else { throw CloudError(.unauthorized, "") }
            return .init(token: known.token, projectID: projectID, expiresAt: known.payload.expiresAt)
        }
    }
}

/// The one origin: objects have APIs of their own shape, all else is routed.
struct CloudHandler: HTTPHandler {
    let objects: ObjectStore
    let router: APIRouter

    func handle(_ request: HTTPRequest) async -> HTTPResponse {
        guard let handler = objects.handler(of: request) else { return await router.handle(request) }
        return await handler.handle(request)
    }
}

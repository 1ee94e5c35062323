// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import IdentityCore
import Synchronization

/// Shows a token.
enum TokenWire {
    /// `{"token": {…}}`, with the catalog where there is one to show.
    static func body(_ known: KnownToken, catalog: [UInt8]?, serviceProviders: [ServiceProvider] = []) -> [UInt8] {
        let start = known.body { open(known.subject, serviceProviders) }
        guard let catalog else { return start + "}}".utf8 }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.count + catalog.count + 16)
        bytes += start
        bytes += ",\"catalog\":".utf8
        bytes += catalog
        bytes += "}}".utf8
        return bytes
    }

    /// Everything but the catalog and the two braces at the end.
    private static func open(_ subject: TokenSubject, _ serviceProviders: [ServiceProvider]) -> [UInt8] {
        let principal = subject.principal
        var bytes = JSONWriter.object(capacity: 1024) { writer in
            writer.object("token") { writer in
                writer.field("methods", principal.methods)
                writer.object("user") { writer in
                    writer.object("domain") { named(principal.userDomain, &$0) }
                    writer.field("id", principal.userID)
                    writer.field("name", principal.userName)
                    writer.field(
                        "password_expires_at", subject.passwordExpiresAt?.iso8601(fraction: true, zone: false))
                    if let federated = subject.federated { self.federated(federated, &writer) }
                }
                writer.field("audit_ids", principal.auditIDs)
                writer.field("expires_at", principal.expiresAt.iso8601(fraction: true))
                writer.field("issued_at", principal.issuedAt.iso8601(fraction: true))
                scope(principal, &writer)
                if let credential = subject.applicationCredential { applicationCredential(credential, &writer) }
                if !serviceProviders.isEmpty {
                    writer.array("service_providers") { writer in
                        for provider in serviceProviders {
                            writer.beginObject()
                            writer.field("auth_url", provider.authURL)
                            writer.field("id", provider.id)
                            writer.field("sp_url", provider.url)
                            writer.endObject()
                        }
                    }
                }
                if let trust = subject.trust { self.trust(trust, &writer) }
                if let token = subject.accessToken {
                    writer.object("OS-OAUTH1") { writer in
                        writer.field("access_token_id", token.id)
                        writer.field("consumer_id", token.consumerID)
                    }
                }
            }
        }
        bytes.removeLast(2)
        return bytes
    }

    private static func scope(_ principal: Principal, _ writer: inout JSONWriter) {
        switch principal.scope {
        case .unscoped: return
        case .project(let id, let name, let domain):
            writer.object("project") { writer in
                writer.object("domain") { named(domain, &$0) }
                writer.field("id", id)
                writer.field("name", name)
            }
            writer.field("is_domain", false)
        case .domain(let id, let name):
            writer.object("domain") { named(Principal.Named(id: id.rawValue, name: name), &$0) }
        case .system:
            writer.object("system") { $0.field("all", true) }
        }
        writer.array("roles") { writer in
            for role in principal.roles {
                writer.beginObject()
                named(role, &writer)
                writer.endObject()
            }
        }
    }

    private static func federated(_ user: FederatedUser, _ writer: inout JSONWriter) {
        writer.object("OS-FEDERATION") { writer in
            writer.object("identity_provider") { $0.field("id", user.source.providerID) }
            writer.object("protocol") { $0.field("id", user.source.protocolID) }
            writer.array("groups") { writer in
                for group in user.groupIDs {
                    writer.beginObject()
                    writer.field("id", group)
                    writer.endObject()
                }
            }
        }
    }

    private static func trust(_ trust: Trust, _ writer: inout JSONWriter) {
        writer.object("OS-TRUST:trust") { writer in
            writer.field("id", trust.id)
            writer.object("trustor_user") { $0.field("id", trust.trustorID) }
            writer.object("trustee_user") { $0.field("id", trust.trusteeID) }
            writer.field("impersonation", trust.impersonates)
        }
    }

    private static func applicationCredential(_ credential: ApplicationCredential, _ writer: inout JSONWriter) {
        writer.object("application_credential") { writer in
            writer.field("id", credential.id)
            writer.field("name", credential.name)
            writer.field("restricted", !credential.isUnrestricted)
            guard !credential.accessRules.isEmpty else { return }
            writer.array("access_rules") { writer in
                for rule in credential.accessRules {
                    writer.beginObject()
                    AccessRuleWire.write(rule, &writer)
                    writer.endObject()
                }
            }
        }
    }

    private static func named(_ named: Principal.Named, _ writer: inout JSONWriter) {
        writer.field("id", named.id)
        writer.field("name", named.name)
    }
}

/// Shows the catalog; keeps what it rendered until something in Identity changes.
final class CatalogWire: Sendable {
    private struct Key: Hashable {
        let origin: String
        /// Set only where an address depends on them.
        let projectID: ProjectID?
        let userID: UserID?
    }
    private struct Rendered {
        var generation: UInt64 = 0
        var bytes: [Key: [UInt8]] = [:]
    }

    private static let maximumEntries = 256
    private let rendered = Mutex(Rendered())

    /// The JSON array. `origin` is the cloud's configured address.
    func bytes(_ engine: CatalogEngine, origin: String, for principal: Principal) async throws -> [UInt8] {
        let generation = engine.generation
        let catalog = try await engine.catalog()
        let isPerProject = catalog.isPerProject
        let key = Key(
            origin: origin,
            projectID: isPerProject || catalog.isSelected(for: principal.projectID) ? principal.projectID : nil,
            userID: isPerProject ? principal.userID : nil)
        let found = rendered.withLock { $0.generation == generation ? $0.bytes[key] : nil }
        if let found { return found }
        let bytes = Self.render(catalog, key)
        rendered.withLock { rendered in
            if rendered.generation != generation || rendered.bytes.count >= Self.maximumEntries {
                rendered = Rendered(generation: generation)
            }
            rendered.bytes[key] = bytes
        }
        return bytes
    }

    private static func render(_ catalog: Catalog, _ key: Key) -> [UInt8] {
        var writer = JSONWriter(capacity: 4096)
        writer.beginArray()
        for entry in catalog.shown(to: key.projectID) {
            writer.beginObject()
            writer.array("endpoints") { writer in
                for endpoint in entry.endpoints {
                    guard
                        let url = endpoint.url.resolved(
                            origin: key.origin, projectID: key.projectID, userID: key.userID)
                    else { continue }
                    writer.beginObject()
                    writer.field("id", endpoint.id)
                    writer.field("interface", endpoint.interface.rawValue)
                    writer.field("region_id", endpoint.regionID)
                    writer.field("url", url)
                    writer.field("region", endpoint.regionID)
                    writer.endObject()
                }
            }
            writer.field("id", entry.service.id)
            writer.field("type", entry.service.type)
            writer.field("name", entry.service.name ?? "")
            writer.endObject()
        }
        writer.endArray()
        return writer.finish()
    }
}

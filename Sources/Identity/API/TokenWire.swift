// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import IdentityCore
import Synchronization

/// Shows a token.
enum TokenWire {
    /// `{"token": {…}}`, with the catalog where there is one to show.
    static func body(_ known: KnownToken, catalog: [UInt8]?) -> [UInt8] {
        let start = known.body { open(known.subject) }
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
    private static func open(_ subject: TokenSubject) -> [UInt8] {
        let principal = subject.principal
        var bytes = JSONWriter.object(capacity: 1024) { writer in
            writer.object("token") { writer in
                writer.field("methods", principal.methods)
                writer.object("user") { writer in
                    writer.object("domain") { named(principal.userDomain, &$0) }
                    writer.field("id", principal.userID)
                    writer.field("name", principal.userName)
                    writer.nullField("password_expires_at")
                }
                writer.field("audit_ids", principal.auditIDs)
                writer.field("expires_at", principal.expiresAt.iso8601(fraction: true))
                writer.field("issued_at", principal.issuedAt.iso8601(fraction: true))
                scope(principal, &writer)
                if let credential = subject.applicationCredential { applicationCredential(credential, &writer) }
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
            origin: origin, projectID: isPerProject ? principal.projectID : nil,
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
        for entry in catalog.entries {
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

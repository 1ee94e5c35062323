// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

package struct Region: Sendable, Equatable {
    package var id: RegionID
    package var parentID: RegionID?
    package var description: String
    package var extras: Extras

    package init(id: RegionID, parentID: RegionID?, description: String, extras: Extras) {
        self.id = id
        self.parentID = parentID
        self.description = description
        self.extras = extras
    }
}

package struct CatalogService: Sendable, Equatable {
    package var id: CatalogServiceID
    package var type: String
    package var name: String?
    package var description: String?
    package var isEnabled: Bool
    package var extras: Extras
}

package struct Endpoint: Sendable, Equatable {
    package enum Interface: String, Sendable, CaseIterable {
        case admin, `internal`, `public`
    }

    package var id: EndpointID
    package var serviceID: CatalogServiceID
    package var regionID: RegionID?
    package var interface: Interface
    package var url: EndpointURL
    package var isEnabled: Bool
    package var extras: Extras
}

/// An endpoint's address with what is filled in when it is shown: `{origin}` is the cloud's own address,
/// `$(project_id)s` and `$(tenant_id)s` the project, `$(user_id)s` the user.
package struct EndpointURL: Sendable, Equatable {
    package static let maximumLength = 225
    /// keystone: `catalog.core.WHITELISTED_PROPERTIES` without what only its own files could fill.
    private static let substitutions: Set<String> = ["tenant_id", "project_id", "user_id"]

    package let template: String

    /// Throws `.badRequest` for a text that is no URL or names something that cannot be filled in.
    package init(_ template: String) throws {
        guard template.utf8.count <= Self.maximumLength,
            template.hasPrefix("{origin}") || Self.hasScheme(template),
            !template.unicodeScalars.contains(where: { $0.value <= 0x20 || $0.value == 0x7F }),
            let names = Self.names(in: template), names.allSatisfy(Self.substitutions.contains)
        else {
            throw CloudError.badRequest("Cannot create an endpoint with an invalid URL: \(template.prefix(256)).")
        }
        self.template = template
    }

    init(stored template: String) { self.template = template }

    package var isPerProject: Bool { template.contains("_id)s") }

    /// For an operator: with the cloud's address, and with `$(project_id)s` as it stands.
    package func shown(origin: String) -> String {
        template.hasPrefix("{origin}") ? origin + template.dropFirst("{origin}".count) : template
    }

    /// Nil when the address needs a project and there is none: such endpoints are left out of a catalog.
    package func resolved(origin: String, projectID: ProjectID?, userID: UserID?) -> String? {
        var url = shown(origin: origin)
        guard isPerProject else { return url }
        for (open, close) in [("$(", ")s"), ("%(", ")s")] {
            for (name, value) in [
                ("project_id", projectID?.rawValue), ("tenant_id", projectID?.rawValue), ("user_id", userID?.rawValue),
            ] {
                let parts = Self.split(url, by: open + name + close)
                guard parts.count > 1 else { continue }
                guard let value else { return nil }
                url = parts.joined(separator: value)
            }
        }
        return url
    }

    private static func hasScheme(_ text: String) -> Bool {
        guard let colon = text.firstIndex(of: ":"), colon != text.startIndex else { return false }
        let isScheme = text[..<colon].utf8.allSatisfy {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "+.-".utf8.contains($0)
        }
        return isScheme && text.index(after: colon) != text.endIndex
    }

    /// The names in `$(name)s` and `%(name)s`; nil when one is not closed.
    private static func names(in text: String) -> [String]? {
        var names: [String] = []
        for open in ["$(", "%("] {
            for part in split(text, by: open).dropFirst() {
                guard let close = part.firstIndex(of: ")"), part[close...].hasPrefix(")s") else { return nil }
                names.append(String(part[..<close]))
            }
        }
        return names
    }

    private static func split(_ text: String, by separator: String) -> [String] {
        var parts: [String] = []
        var part = ""
        var rest = text[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) {
                parts.append(part)
                part = ""
                rest = rest.dropFirst(separator.count)
            } else {
                part.append(rest.removeFirst())
            }
        }
        return parts + [part]
    }
}

/// Everything that a catalog is made of.
package struct Catalog: Sendable {
    package struct Entry: Sendable {
        package var service: CatalogService
        package var endpoints: [Endpoint]
    }
    /// Enabled ones only.
    package var entries: [Entry]
    /// The endpoints of each project that was given some; others see all.
    package var selections: [ProjectID: Set<EndpointID>]

    package init(_ entries: [Entry], selections: [ProjectID: Set<EndpointID>] = [:]) {
        self.entries = entries
        self.selections = selections
    }

    package func isSelected(for project: ProjectID?) -> Bool { project.map { selections[$0] != nil } ?? false }

    /// What the project's users see of it. A service without an endpoint left is not shown (as upstream has it).
    package func shown(to project: ProjectID?) -> [Entry] {
        guard let selection = project.flatMap({ selections[$0] }) else { return entries }
        return entries.compactMap { entry in
            let endpoints = entry.endpoints.filter { selection.contains($0.id) }
            return endpoints.isEmpty ? nil : Entry(service: entry.service, endpoints: endpoints)
        }
    }

    package var isPerProject: Bool { entries.contains { $0.endpoints.contains { $0.url.isPerProject } } }
}

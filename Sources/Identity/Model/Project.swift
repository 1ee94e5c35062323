// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// A project, or a domain: upstream's domains are projects that act as one, and each is to be seen as the other.
package struct Project: Sendable, Equatable {
    package var id: ProjectID
    /// Nil for a domain.
    package var domainID: DomainID?
    /// The project above; for a project at the top, its domain. Nil for a domain.
    package var parentID: ProjectID?
    package var name: String
    package var isEnabled: Bool
    package var description: String
    package var options: ResourceOptions
    package var extras: Extras
    package var tags: [String]

    package static let maximumNameLength = 64
    package static let maximumTagCount = 80
    package static let maximumTagLength = 255
    /// Of a tree of projects, its domain included (keystone: `max_project_tree_depth`).
    package static let maximumDepth = 5

    package var isDomain: Bool { domainID == nil }

    /// This domain's id as such. A project has none of its own.
    package var asDomainID: DomainID { DomainID(id.rawValue) }
}

extension DomainID {
    package static let `default` = DomainID("default")

    /// The project that this domain is.
    package var asProjectID: ProjectID { ProjectID(rawValue) }
}

package struct ProjectDraft: Sendable {
    /// Nil makes a domain.
    package var domainID: DomainID?
    package var parentID: ProjectID?
    package var name: String
    package var isEnabled = true
    package var description = ""
    package var options = ResourceOptions()
    package var tags: [String] = []
    package var extras = Extras()
    /// A domain's id that the caller chose.
    package var explicitID: String?

    package init(domainID: DomainID?, name: String, parentID: ProjectID? = nil) {
        self.domainID = domainID
        self.name = name
        self.parentID = parentID
    }
}

package struct ProjectChange: Sendable {
    package var name: String?
    package var isEnabled: Bool?
    package var description: String?
    package var options: [String: JSON]?
    package var tags: [String]?
    package var extras = Extras()

    package init() {}

    /// Whether nothing but the option that protects the resource changes, which is all that an immutable one allows.
    var touchesOptionsOnly: Bool {
        name == nil && isEnabled == nil && description == nil && tags == nil && extras.isEmpty
    }
}

package enum ProjectTagRule {
    /// Throws `.badRequest` unless every tag is 1 to 255 characters without `,` and `/`, and none is twice there.
    package static func check(_ tags: [String]) throws {
        guard tags.count <= Project.maximumTagCount else {
            throw CloudError.badRequest("Invalid input for field 'tags': the list is too long")
        }
        guard Set(tags).count == tags.count else {
            throw CloudError.badRequest("Invalid input for field 'tags': the list has non-unique elements")
        }
        for tag in tags { try check(tag) }
    }

    package static func check(_ tag: String) throws {
        let count = tag.unicodeScalars.count
        guard (1...Project.maximumTagLength).contains(count), !tag.contains(","), !tag.contains("/"),
            !tag.utf8.contains(0)
        else {
            throw CloudError.badRequest("Invalid input for field 'tags': '\(tag.prefix(64))' is not a valid tag")
        }
    }
}

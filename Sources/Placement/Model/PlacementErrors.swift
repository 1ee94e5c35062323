// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementContract

/// Failures under upstream's codes, which travel in `kind`.
package enum PlacementErrors {
    package static let inventoryInUse = "placement.inventory.inuse"
    package static let concurrentUpdate = "placement.concurrent_update"
    package static let duplicateName = "placement.duplicate_name"
    package static let providerInUse = "placement.resource_provider.inuse"
    package static let cannotDeleteParent = "placement.resource_provider.cannot_delete_parent"
    package static let providerNotFound = "placement.resource_provider.not_found"
    package static let duplicateKey = "placement.query.duplicate_key"
    package static let badValue = "placement.query.bad_value"
    package static let missingValue = "placement.query.missing_value"

    static func noProvider(_ id: ResourceProviderID) -> CloudError {
        .notFound("No resource provider with uuid \(id) found : No resource provider with uuid \(id) found")
    }

    static let generationConflict = CloudError.conflict(
        "resource provider generation conflict", kind: concurrentUpdate)

    static func noResourceClass(_ name: String) -> CloudError { .notFound("No such resource class \(name).") }

    static func noTraits(_ names: some Sequence<String>) -> CloudError {
        .badRequest("No such trait(s): \(names.sorted().joined(separator: ", ")).")
    }

    /// No inventory of that class there.
    static func invalidInventory(_ resourceClass: String, _ provider: ResourceProviderID) -> CloudError {
        .conflict(
            "Unable to allocate inventory: Inventory for '\(resourceClass)' on resource provider '\(provider)' invalid."
        )
    }

    static func capacityExceeded(_ resourceClass: String, _ provider: ResourceProviderID) -> CloudError {
        .conflict(
            """
            Unable to allocate inventory: Unable to create allocation for '\(resourceClass)' on resource provider \
            '\(provider)'. The requested amount would exceed the capacity.
            """)
    }

    static func constraintsViolated(_ resourceClass: String, _ provider: ResourceProviderID) -> CloudError {
        .conflict(
            """
            Unable to allocate inventory: Unable to create allocation for '\(resourceClass)' on resource provider \
            '\(provider)'. The requested amount would violate inventory constraints.
            """)
    }

    static func inUse(_ classes: [String], _ provider: ResourceProviderID, prefix: String) -> CloudError {
        .conflict(
            "\(prefix)Inventory for '\(classes.joined(separator: ", "))' on resource provider '\(provider)' in use.",
            kind: inventoryInUse)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import NetworkContract
import PolicyKit

/// Flavors of network services and their profiles. Administrators make them, users choose by them.
package struct NetworkFlavorEngine: Sendable {
    let environment: NetworkEnvironment

    package init(_ environment: NetworkEnvironment) { self.environment = environment }

    // MARK: Flavors

    /// Empty for those who may see none.
    package func list(_ query: ListQuery, for context: CallContext) async throws -> [NetworkFlavor] {
        context.authorizeListing()
        guard context.allows("get_flavor", [:]) else { return [] }
        return try await environment.read { try NetworkFlavorStore.list(query, $0) }
    }

    package func get(_ id: NetworkFlavorID, for context: CallContext) async throws -> NetworkFlavor {
        try context.authorizeSight("get_flavor", [:], missing: NetworkFault.flavorNotFound(id))
        return try await environment.read { try Self.find(id, $0) }
    }

    private static func find(_ id: NetworkFlavorID, _ transaction: any Transaction) throws -> NetworkFlavor {
        guard let flavor = try NetworkFlavorStore.find(id, transaction) else { throw NetworkFault.flavorNotFound(id) }
        return flavor
    }

    package func create(_ drafts: [NetworkFlavorDraft], for context: CallContext) async throws -> [NetworkFlavor] {
        try context.authorizeCreation("create_flavor", [:])
        return try await environment.write { change in
            try drafts.map { draft in
                let flavor = NetworkFlavor(
                    id: change.newID(), name: draft.name ?? "", description: draft.description ?? "",
                    serviceType: draft.serviceType ?? "", isEnabled: draft.isEnabled ?? true, profiles: [])
                try NetworkFlavorStore.insert(flavor, change.transaction)
                return flavor
            }
        }
    }

    package func update(_ id: NetworkFlavorID, _ draft: NetworkFlavorDraft, for context: CallContext) async throws
        -> NetworkFlavor
    {
        try context.authorizeChange(
            "update_flavor", seenBy: "get_flavor", [:], missing: NetworkFault.flavorNotFound(id))
        return try await environment.write { change in
            var flavor = try Self.find(id, change.transaction)
            flavor.name = draft.name ?? flavor.name
            flavor.description = draft.description ?? flavor.description
            flavor.isEnabled = draft.isEnabled ?? flavor.isEnabled
            try NetworkFlavorStore.update(flavor, change.transaction)
            return flavor
        }
    }

    package func delete(_ id: NetworkFlavorID, for context: CallContext) async throws {
        try context.authorizeChange(
            "delete_flavor", seenBy: "get_flavor", [:], missing: NetworkFault.flavorNotFound(id))
        try await environment.write { change in
            _ = try Self.find(id, change.transaction)
            guard try !NetworkFlavorStore.isInUse(id, change.transaction) else {
                throw CloudError.conflict("Flavor \(id) is used by some service instance.", kind: "FlavorInUse")
            }
            try NetworkFlavorStore.delete(id, change.transaction)
        }
    }

    /// Throws unless a router may have the flavor.
    static func checkRouter(_ id: NetworkFlavorID, for context: CallContext?, _ change: NetworkChange) throws {
        guard context?.allows("get_flavor", [:]) ?? true else { throw NetworkFault.flavorNotFound(id) }
        let flavor = try find(id, change.transaction)
        guard flavor.serviceType == NetworkFlavor.router else {
            throw NetworkFault.invalidInput("Flavor \(id) is no flavor of routers")
        }
        guard flavor.isEnabled else { throw CloudError(.unavailable, "Flavor is not enabled.", kind: "FlavorDisabled") }
        _ = try provider(of: id, change.transaction)
    }

    // MARK: Profiles

    package func listProfiles(_ query: ListQuery, for context: CallContext) async throws -> [ServiceProfile] {
        context.authorizeListing()
        guard context.allows("get_service_profile", [:]) else { return [] }
        return try await environment.read { try ServiceProfileStore.list(query, $0) }
    }

    package func getProfile(_ id: ServiceProfileID, for context: CallContext) async throws -> ServiceProfile {
        try context.authorizeSight("get_service_profile", [:], missing: NetworkFault.serviceProfileNotFound(id))
        return try await environment.read { try Self.findProfile(id, $0) }
    }

    private static func findProfile(_ id: ServiceProfileID, _ transaction: any Transaction) throws -> ServiceProfile {
        guard let profile = try ServiceProfileStore.find(id, transaction) else {
            throw NetworkFault.serviceProfileNotFound(id)
        }
        return profile
    }

    private static func check(driver: String) throws {
        guard driver.isEmpty || driver == ServiceProvider.driver else {
            throw CloudError.notFound(
                "Service Profile driver \(driver.prefix(128)) could not be found.", kind: "ServiceProfileDriverNotFound"
            )
        }
    }

    package func createProfiles(_ drafts: [ServiceProfileDraft], for context: CallContext) async throws
        -> [ServiceProfile]
    {
        try context.authorizeCreation("create_service_profile", [:])
        return try await environment.write { change in
            try drafts.map { draft in
                let profile = ServiceProfile(
                    id: change.newID(), description: draft.description ?? "", driver: draft.driver ?? "",
                    metainfo: draft.metainfo ?? "", isEnabled: draft.isEnabled ?? true, flavors: [])
                try Self.check(driver: profile.driver)
                guard !profile.driver.isEmpty || !profile.metainfo.isEmpty else {
                    throw CloudError.badRequest(
                        "Service Profile needs either a driver or metainfo.", kind: "ServiceProfileEmpty")
                }
                try ServiceProfileStore.insert(profile, change.transaction)
                return profile
            }
        }
    }

    package func updateProfile(_ id: ServiceProfileID, _ draft: ServiceProfileDraft, for context: CallContext)
        async throws -> ServiceProfile
    {
        try context.authorizeChange(
            "update_service_profile", seenBy: "get_service_profile", [:],
            missing: NetworkFault.serviceProfileNotFound(id))
        if let driver = draft.driver { try Self.check(driver: driver) }
        return try await environment.write { change in
            var profile = try Self.unused(id, change)
            profile.description = draft.description ?? profile.description
            profile.driver = draft.driver ?? profile.driver
            profile.metainfo = draft.metainfo ?? profile.metainfo
            profile.isEnabled = draft.isEnabled ?? profile.isEnabled
            try ServiceProfileStore.update(profile, change.transaction)
            return profile
        }
    }

    package func deleteProfile(_ id: ServiceProfileID, for context: CallContext) async throws {
        try context.authorizeChange(
            "delete_service_profile", seenBy: "get_service_profile", [:],
            missing: NetworkFault.serviceProfileNotFound(id))
        try await environment.write { change in
            _ = try Self.unused(id, change)
            try ServiceProfileStore.delete(id, change.transaction)
        }
    }

    private static func unused(_ id: ServiceProfileID, _ change: NetworkChange) throws -> ServiceProfile {
        let profile = try findProfile(id, change.transaction)
        guard profile.flavors.isEmpty else {
            throw CloudError.conflict(
                "Service Profile \(id) is used by some service instance.", kind: "ServiceProfileInUse")
        }
        return profile
    }

    // MARK: Both

    package func bind(_ id: NetworkFlavorID, to profile: ServiceProfileID, for context: CallContext) async throws
        -> NetworkFlavor
    {
        try context.authorizeCreation("create_flavor_service_profile", [:])
        return try await environment.write { change in
            _ = try Self.find(id, change.transaction)
            _ = try Self.findProfile(profile, change.transaction)
            guard try NetworkFlavorStore.bind(id, to: profile, change.transaction) else {
                throw CloudError.conflict(
                    "Service Profile \(profile) is already associated with flavor \(id).",
                    kind: "FlavorServiceProfileBindingExists")
            }
            return try Self.find(id, change.transaction)
        }
    }

    package func unbind(_ id: NetworkFlavorID, from profile: ServiceProfileID, for context: CallContext) async throws {
        try context.authorizeCreation("delete_flavor_service_profile", [:])
        try await environment.write { change in
            guard try NetworkFlavorStore.unbind(id, from: profile, change.transaction) else {
                throw Self.unbound(id, profile.rawValue)
            }
        }
    }

    private static func unbound(_ id: NetworkFlavorID, _ profile: String) -> CloudError {
        .notFound(
            "Service Profile \(profile) is not associated with flavor \(id).",
            kind: "FlavorServiceProfileBindingNotFound")
    }

    /// The driver that serves the next object of this flavor.
    package func nextProvider(of id: NetworkFlavorID, for context: CallContext) async throws -> String {
        try context.authorizeSight("get_flavor", [:], missing: NetworkFault.flavorNotFound(id))
        return try await environment.read { try Self.provider(of: id, $0) }
    }

    private static func provider(of id: NetworkFlavorID, _ transaction: any Transaction) throws -> String {
        guard let profile = try NetworkFlavorStore.profiles(of: id, transaction).first else { throw unbound(id, "") }
        guard profile.isEnabled else {
            throw CloudError(.unavailable, "Service Profile is not enabled.", kind: "ServiceProfileDisabled")
        }
        try check(driver: profile.driver)
        guard !profile.driver.isEmpty else {
            throw CloudError.notFound(
                "Service Profile driver  could not be found.", kind: "ServiceProfileDriverNotFound")
        }
        return profile.driver
    }
}

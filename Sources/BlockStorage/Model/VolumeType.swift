// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A kind of volumes: which backends may hold them, and what they can do.
package struct VolumeType: Sendable, Equatable {
    /// The name of the type that every cloud begins with.
    package static let defaultName = "__DEFAULT__"

    package var id: VolumeTypeID
    package var name: String
    package var description: String?
    package var isPublic: Bool
    package var extraSpecs: [String: String]
    package var qosID: QoSSpecsID?
    /// Nil: its volumes are not encrypted.
    package var encryption: VolumeTypeEncryption?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: VolumeTypeID, name: String, description: String? = nil, isPublic: Bool = true,
        extraSpecs: [String: String] = [:], qosID: QoSSpecsID? = nil, encryption: VolumeTypeEncryption? = nil,
        createdAt: Timestamp, updatedAt: Timestamp? = nil
    ) {
        self.id = id
        self.name = name
        self.description = description
        self.isPublic = isPublic
        self.extraSpecs = extraSpecs
        self.qosID = qosID
        self.encryption = encryption
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Specifications that every user may read (cinder: policies/type_extra_specs.py).
    package static let userVisibleSpecs: Set<String> = [
        "RESKEY:availability_zones", "multiattach", "replication_enabled",
    ]

    /// Whether a specification says `<is> True`, as upstream writes capabilities.
    package func requires(_ spec: String) -> Bool {
        guard let value = extraSpecs[spec]?.lowercased() else { return false }
        return value == "<is> true" || value == "true"
    }

    package var isMultiattach: Bool { requires("multiattach") }

    /// The zones that `RESKEY:availability_zones` allows; nil: all.
    package var availabilityZones: [String]? {
        guard let text = extraSpecs["RESKEY:availability_zones"] else { return nil }
        let zones = text.split(separator: ",").map { Self.trimmed($0) }.filter { !$0.isEmpty }
        return zones.isEmpty ? nil : zones
    }

    /// Sizes that `provisioning:min_vol_size` and `provisioning:max_vol_size` allow.
    package var minimumGiB: Int? { extraSpecs["provisioning:min_vol_size"].flatMap { Int($0) } }
    package var maximumGiB: Int? { extraSpecs["provisioning:max_vol_size"].flatMap { Int($0) } }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text = text.dropFirst() }
        while text.last == " " { text = text.dropLast() }
        return String(text)
    }
}

/// How volumes of a type are encrypted.
package struct VolumeTypeEncryption: Sendable, Codable, Equatable {
    package enum Location: String, Sendable, Codable {
        case frontEnd = "front-end"
        case backEnd = "back-end"
    }

    package var id: String
    /// `luks`, `luks2`, `plain`.
    package var provider: String
    package var cipher: String?
    package var keySize: Int?
    package var location: Location
    package var createdAt: Timestamp
    package var updatedAt: Timestamp?

    package init(
        id: String, provider: String, cipher: String? = nil, keySize: Int? = nil, location: Location = .frontEnd,
        createdAt: Timestamp, updatedAt: Timestamp? = nil
    ) {
        self.id = id
        self.provider = provider
        self.cipher = cipher
        self.keySize = keySize
        self.location = location
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// Which types a list shows.
package struct VolumeTypeFilter: Sendable {
    /// Nil: public and private ones.
    package var isPublic: Bool? = true
    package var name: String?
    package var extraSpecs: [String: String] = [:]
    package var page: ResourcePage
    package init(page: ResourcePage) { self.page = page }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract

/// Somebody else who says who somebody is.
package struct IdentityProvider: Sendable, Equatable {
    package var id: IdentityProviderID
    /// Where its users live.
    package var domainID: DomainID
    package var isEnabled: Bool
    package var description: String?
    /// How many minutes a membership counts that came with a sign-in; nil: while the sign-in lasts.
    package var authorizationTTL: Int?
    /// Its own names for itself. No two providers have one.
    package var remoteIDs: [String]

    package static let maximumRemoteIDLength = 255
}

package struct IdentityProviderChange: Sendable {
    package var domainID: DomainID?
    package var isEnabled: Bool?
    package var description: String??
    package var authorizationTTL: Int??
    package var remoteIDs: [String]?
    package init() {}
}

/// How a provider says it (`openid`, `mapped`), and which mapping reads that.
package struct FederationProtocol: Sendable, Equatable {
    package var id: String
    package var providerID: IdentityProviderID
    package var mappingID: FederationMappingID
    package var remoteIDAttribute: String?
    package init(
        id: String, providerID: IdentityProviderID, mappingID: FederationMappingID, remoteIDAttribute: String?
    ) {
        self.id = id
        self.providerID = providerID
        self.mappingID = mappingID
        self.remoteIDAttribute = remoteIDAttribute
    }
}

/// Another cloud that trusts this one.
package struct ServiceProvider: Sendable, Equatable {
    package var id: ServiceProviderID
    package var authURL: String
    package var url: String
    package var isEnabled: Bool
    package var description: String?
    package var relayStatePrefix: String?

    /// keystone: `[saml] relay_state_prefix`.
    package static let defaultRelayStatePrefix = "ss:mem:"
    package static let maximumURLLength = 225

    package init(id: ServiceProviderID, authURL: String, url: String, isEnabled: Bool) {
        self.id = id
        self.authURL = authURL
        self.url = url
        self.isEnabled = isEnabled
    }
}

package struct ServiceProviderChange: Sendable {
    package var authURL: String?
    package var url: String?
    package var isEnabled: Bool?
    package var description: String??
    package var relayStatePrefix: String??
    package init() {}
}

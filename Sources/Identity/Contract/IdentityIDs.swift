// SPDX-License-Identifier: Apache-2.0
import BaseKit

package enum GroupTag {}
package enum RegionTag {}
package enum CatalogServiceTag {}
package enum EndpointTag {}
package enum CredentialTag {}
package enum ApplicationCredentialTag {}
package enum AccessRuleTag {}
package enum RegisteredLimitTag {}
package enum LimitTag {}
package enum TrustTag {}
package enum ConsumerTag {}
package enum RequestTokenTag {}
package enum AccessTokenTag {}
package enum EndpointGroupTag {}
package enum PolicyBlobTag {}
package enum IdentityProviderTag {}
package enum FederationMappingTag {}
package enum ServiceProviderTag {}
package typealias GroupID = ID<GroupTag>
package typealias RegionID = ID<RegionTag>
package typealias CatalogServiceID = ID<CatalogServiceTag>
package typealias EndpointID = ID<EndpointTag>
package typealias CredentialID = ID<CredentialTag>
package typealias ApplicationCredentialID = ID<ApplicationCredentialTag>
package typealias AccessRuleID = ID<AccessRuleTag>
package typealias RegisteredLimitID = ID<RegisteredLimitTag>
package typealias LimitID = ID<LimitTag>
package typealias TrustID = ID<TrustTag>
package typealias ConsumerID = ID<ConsumerTag>
package typealias RequestTokenID = ID<RequestTokenTag>
package typealias AccessTokenID = ID<AccessTokenTag>
package typealias EndpointGroupID = ID<EndpointGroupTag>
package typealias PolicyBlobID = ID<PolicyBlobTag>
package typealias IdentityProviderID = ID<IdentityProviderTag>
package typealias FederationMappingID = ID<FederationMappingTag>
package typealias ServiceProviderID = ID<ServiceProviderTag>

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
package typealias GroupID = ID<GroupTag>
package typealias RegionID = ID<RegionTag>
package typealias CatalogServiceID = ID<CatalogServiceTag>
package typealias EndpointID = ID<EndpointTag>
package typealias CredentialID = ID<CredentialTag>
package typealias ApplicationCredentialID = ID<ApplicationCredentialTag>
package typealias AccessRuleID = ID<AccessRuleTag>
package typealias RegisteredLimitID = ID<RegisteredLimitTag>
package typealias LimitID = ID<LimitTag>

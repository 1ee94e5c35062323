// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// placement 16: placement/policies.
    static let placement = """
        admin+service placement:resource_providers:list GET /resource_providers
        admin+service placement:resource_providers:create POST /resource_providers
        admin+service placement:resource_providers:show GET /resource_providers/{}
        admin+service placement:resource_providers:update PUT /resource_providers/{}
        admin+service placement:resource_providers:delete DELETE /resource_providers/{}
        admin+service placement:resource_classes:list GET /resource_classes
        admin+service placement:resource_classes:create POST /resource_classes
        admin+service placement:resource_classes:show GET /resource_classes/{}
        admin+service placement:resource_classes:update PUT /resource_classes/{}
        admin+service placement:resource_classes:delete DELETE /resource_classes/{}
        admin+service placement:resource_providers:inventories:list GET /resource_providers/{}/inventories
        admin+service placement:resource_providers:inventories:create POST /resource_providers/{}/inventories
        admin+service placement:resource_providers:inventories:show GET /resource_providers/{}/inventories/{}
        admin+service placement:resource_providers:inventories:update PUT /resource_providers/{}/inventories
          PUT /resource_providers/{}/inventories/{}
        admin+service placement:resource_providers:inventories:delete DELETE /resource_providers/{}/inventories
          DELETE /resource_providers/{}/inventories/{}
        admin+service placement:resource_providers:aggregates:list GET /resource_providers/{}/aggregates
        admin+service placement:resource_providers:aggregates:update PUT /resource_providers/{}/aggregates
        admin+service placement:resource_providers:usages GET /resource_providers/{}/usages
        reader+service placement:usages GET /usages
        admin+service placement:traits:list GET /traits
        admin+service placement:traits:show GET /traits/{}
        admin+service placement:traits:update PUT /traits/{}
        admin+service placement:traits:delete DELETE /traits/{}
        admin+service placement:resource_providers:traits:list GET /resource_providers/{}/traits
        admin+service placement:resource_providers:traits:update PUT /resource_providers/{}/traits
        admin+service placement:resource_providers:traits:delete DELETE /resource_providers/{}/traits
        admin+service placement:allocations:manage POST /allocations
        admin+service placement:allocations:list GET /allocations/{}
        admin+service placement:allocations:update PUT /allocations/{}
        admin+service placement:allocations:delete DELETE /allocations/{}
        admin+service placement:resource_providers:allocations:list GET /resource_providers/{}/allocations
        admin+service placement:allocation_candidates:list GET /allocation_candidates
        service placement:reshaper:reshape POST /reshaper
        """
}

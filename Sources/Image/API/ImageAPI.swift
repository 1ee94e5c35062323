// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ImageCore
import PolicyKit
import TaskKit

/// The image service's API (glance v2).
package struct ImageAPI: ServiceAPI {
    package let serviceType = "image"
    package let prefix = "/image"
    package let enforcer: PolicyEnforcer
    package let versioning: Versioning? = nil
    package let ignoresTrailingSlash = false
    package let routes: RouteTable

    /// `policyOverrides` is the operator's. Throws when one is no rule.
    package init(engine: ImageEngine, sagas: SagaRunner, policyOverrides: [String: String] = [:]) throws {
        let imports = ImageImportEngine(engine, sagas: sagas)
        let definitions = MetadataEngine(engine)
        enforcer = try PolicyEnforcer(ImagePolicies.all, overrides: policyOverrides)
        var routes = RouteTable()
        ImageVersionRoutes().register(on: &routes)
        ImageDiscoveryRoutes(engine: engine).register(on: &routes)
        ImageRoutes(engine: engine).register(on: &routes)
        ImageDataRoutes(engine: engine).register(on: &routes)
        ImageMemberRoutes(engine: engine).register(on: &routes)
        ImageImportRoutes(engine: engine, imports: imports).register(on: &routes)
        ImageTaskRoutes(engine: engine, imports: imports).register(on: &routes)
        ImageStoreRoutes(engine: engine).register(on: &routes)
        ImageCacheRoutes(engine: engine).register(on: &routes)
        MetadataNamespaceRoutes(engine: definitions).register(on: &routes)
        MetadataDefinitionRoutes(engine: definitions).register(on: &routes)
        self.routes = routes
    }

    package func render(_ error: CloudError, status: Int, requestID: String) -> HTTPResponse {
        ImageFaults.render(error, status: status)
    }
}

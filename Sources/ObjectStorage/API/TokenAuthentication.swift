// SPDX-License-Identifier: Apache-2.0
import BaseKit
import IdentityContract
import ObjectStorageCore

/// Finds out who calls. A token that does not count makes the caller a stranger, who still sees what is public.
package struct TokenAuthentication: SwiftLayer {
    private let identity: any IdentityService

    package init(identity: any IdentityService) { self.identity = identity }

    package func answer(_ request: SwiftRequest, _ next: SwiftNext) async throws -> SwiftResponse {
        guard case .anonymous = request.caller,
            let token = request.headers["x-auth-token"] ?? request.headers["x-storage-token"], !token.isEmpty
        else { return await next(request) }
        var request = request
        do {
            let principal = try await identity.authenticate(token: token)
            guard permits(principal, request) else { return SwiftResponse(401) }
            request.caller = .user(principal)
        } catch let error as CloudError where error.code == .unauthorized || error.code == .notFound {
            request.caller = .anonymous
        }
        return await next(request)
    }

    /// An application credential may be for some calls only.
    private func permits(_ principal: Principal, _ request: SwiftRequest) -> Bool {
        guard let rules = principal.accessRules else { return true }
        let below = [request.path.account, request.path.container, request.path.object].compactMap { $0 }
            .flatMap { $0.split(byte: "/").map(String.init) }
        let versioned = [request.version] + below
        return rules.contains { rule in
            rule.permits(
                service: "object-store", method: request.method.rawValue,
                paths: [versioned, ["object-store"] + versioned])
        }
    }
}

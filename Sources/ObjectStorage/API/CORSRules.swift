// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPKit
import ObjectStorageContract
import ObjectStorageCore

/// What browsers are told of a container's pages: cross-origin resource sharing.
struct CORSRules: Sendable {
    private static let allowOrigin = "x-container-meta-access-control-allow-origin"
    private static let maximumAge = "x-container-meta-access-control-max-age"
    private static let exposeHeaders = "x-container-meta-access-control-expose-headers"
    private static let alwaysExposed = [
        "cache-control", "content-language", "content-type", "expires", "last-modified", "pragma", "etag",
        "x-timestamp", "x-trans-id", "x-openstack-request-id",
    ]

    let settings: SwiftSettings

    func preflight(_ request: SwiftRequest, _ allowed: [HTTPMethod], _ container: IndexRecord?) -> SwiftResponse {
        let methods = (allowed.map(\.rawValue) + (request.isObject ? ["COPY"] : [])).joined(separator: ", ")
        var response = SwiftResponse(200, headers: ["allow": methods], body: .none)
        guard let origin = request.headers["origin"], !request.isAccount else { return response }
        let wanted = request.headers["access-control-request-method"] ?? ""
        guard isAllowed(origin, container),
            methods.split(byte: ",").contains(where: { $0.trimmed.isByteEqual(to: wanted) })
        else {
            response.status = 401
            return response
        }
        setOrigin(&response, origin, container)
        response.headers["access-control-max-age"] = container?.header(Self.maximumAge)
        response.headers["access-control-allow-methods"] = methods
        let names = (request.headers["access-control-request-headers"] ?? "").split(byte: ",").map(\.trimmed)
        if !names.filter({ !$0.isEmpty }).isEmpty {
            response.headers["access-control-allow-headers"] = names.filter { !$0.isEmpty }.joined(separator: ", ")
            response.headers.append("vary", "Access-Control-Request-Headers")
        }
        return response
    }

    func expose(_ response: inout SwiftResponse, to origin: String, _ container: IndexRecord?) {
        if settings.isCORSStrict, !isAllowed(origin, container) { return }
        var names = Self.alwaysExposed + settings.corsExposedHeaders.map { $0.asciiLowercased() }
        names += response.headers.values.keys.filter {
            $0.hasBytePrefix("x-container-meta") || $0.hasBytePrefix("x-object-meta")
        }.sorted()
        names += (container?.header(Self.exposeHeaders) ?? "").split(byte: " ").map { $0.asciiLowercased() }
        var seen: Set<ByteText> = []
        let unique = names.filter { seen.insert(ByteText($0)).inserted }
        if response.headers["access-control-expose-headers"] == nil {
            response.headers["access-control-expose-headers"] = unique.joined(separator: ", ")
        }
        if response.headers["access-control-allow-origin"] == nil { setOrigin(&response, origin, container) }
    }

    private func setOrigin(_ response: inout SwiftResponse, _ origin: String, _ container: IndexRecord?) {
        if container?.header(Self.allowOrigin)?.trimmed == "*" {
            response.headers["access-control-allow-origin"] = "*"
        } else {
            response.headers["access-control-allow-origin"] = origin
            response.headers.append("vary", "Origin")
        }
    }

    private func isAllowed(_ origin: String, _ container: IndexRecord?) -> Bool {
        let own = (container?.header(Self.allowOrigin) ?? "").split(byte: " ").map(String.init)
        let all = settings.corsOrigins + own
        return all.contains("*") || all.contains { $0.isByteEqual(to: origin) }
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import ObjectStorageCore

/// `/object-store/ring`
struct RingRoutes: Sendable {
    let parts: StorageParts
    let host: String

    func register(on routes: inout RouteTable) {
        routes.add(.get, "/ring", policy: RingPolicies.show) { _, _ in try await show() }
        routes.add(.post, "/ring/devices", policy: RingPolicies.change) { request, _ in try await add(request) }
        routes.add(.patch, "/ring/devices/{number}", policy: RingPolicies.change) { request, _ in
            try await change(request)
        }
        routes.add(.delete, "/ring/devices/{number}", policy: RingPolicies.change) { request, _ in
            try await remove(request)
        }
        routes.add(.post, "/ring/repair", policy: RingPolicies.repair) { _, _ in
            parts.replicator.passSoon()
            return HTTPResponse(status: 202)
        }
    }

    private func show() async throws -> HTTPResponse {
        let state = try await parts.state.state()
        return .json(RingWire.bytes(state))
    }

    private func add(_ request: APIRequest) async throws -> HTTPResponse {
        let draft = try RingWire.draft(try await request.json(), host: host)
        return .json(201, RingWire.bytes(try await parts.add(draft)))
    }

    private func change(_ request: APIRequest) async throws -> HTTPResponse {
        let number = try number(request)
        let change = try RingWire.change(try await request.json())
        let device = try await parts.rings.change(number, change)
        try await parts.refresh()
        return .json(RingWire.bytes(device))
    }

    private func remove(_ request: APIRequest) async throws -> HTTPResponse {
        let (number, isForced) = (try number(request), try request.queryBool("force") ?? false)
        try await parts.rings.remove(number, isForced: isForced)
        try await parts.refresh()
        return .noContent()
    }

    private func number(_ request: APIRequest) throws -> DeviceNumber {
        let text = request.parameter("number")
        guard text.utf8.count <= 5, let number = UInt16(text) else {
            throw CloudError.notFound("There is no device \(text.prefix(32)).")
        }
        return DeviceNumber(number)
    }
}

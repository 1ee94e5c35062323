// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import NetworkContract

/// Answers guests that ask 169.254.169.254 about themselves. Who asks is settled before: by network and address.
package struct MetadataEngine: Sendable {
    /// nova: metadata/password.py, `MAX_SIZE`.
    package static let maximumPasswordBytes = 1020
    private let parts: ComputeParts

    package init(_ parts: ComputeParts) { self.parts = parts }

    package func metadata(of server: ServerID, in project: ProjectID, path: String) async throws -> MetadataAnswer? {
        var segments = path.split(separator: "/").map(String.init)
        guard !segments.contains(".."), segments.count <= 8 else { return nil }
        // nova: whatever names neither tree is EC2's.
        let isOpenStack = segments.first == "openstack"
        if isOpenStack || segments.first == "ec2" { segments.removeFirst() }
        if segments.isEmpty { return Self.list(versions(isOpenStack)) }
        guard let documents = try await documents(of: server, in: project) else { return nil }
        if isOpenStack { return try await openStack(segments, documents) }
        guard let tree = documents.ec2Tree(segments[0])?.find(segments.dropFirst()) else { return nil }
        return MetadataAnswer(body: tree.body)
    }

    /// See `ComputeService.keepPassword`.
    package func keepPassword(
        _ password: [UInt8], of id: ServerID, in project: ProjectID, path: String
    ) async throws -> Bool {
        let segments = path.split(separator: "/").map(String.init)
        guard segments.count == 3, segments[0] == "openstack", segments[2] == "password",
            MetadataDocuments.hasPassword(segments[1])
        else { return false }
        let stores = parts.stores
        // The text is checked after the conflict, as upstream does it: a second one is refused whatever it is.
        return try await parts.database.write { transaction in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted,
                server.projectID == project
            else { return false }
            guard try stores.servers.extras(id, transaction)?.guestPassword.isEmpty ?? true else {
                throw CloudError.conflict("The server has a password already.")
            }
            guard password.count <= Self.maximumPasswordBytes else {
                throw CloudError.badRequest("Request is too large.")
            }
            guard let text = String(validating: password, as: UTF8.self), !password.contains(0) else {
                throw CloudError.badRequest("The password is not text.")
            }
            try stores.servers.setGuestPassword(id, text, transaction)
            return true
        }
    }

    private func versions(_ isOpenStack: Bool) -> [String] {
        // Dates that have not come are not told, though they may be asked for.
        let today = String(parts.clock.now().iso8601().prefix(10))
        let versions =
            isOpenStack ? MetadataDocuments.openStackVersions.filter { $0 <= today } : MetadataDocuments.ec2Versions
        return versions + ["latest"]
    }

    private func openStack(_ segments: [String], _ documents: MetadataDocuments) async throws -> MetadataAnswer? {
        let version = segments[0]
        guard version == "latest" || MetadataDocuments.openStackVersions.contains(version) else { return nil }
        guard segments.count > 1 else { return Self.list(documents.names(version)) }
        guard segments.count == 2, documents.names(version).contains(segments[1]) else { return nil }
        switch segments[1] {
        case "meta_data.json": return Self.json(documents.metaData(version))
        case "network_data.json": return Self.json(documents.networkData)
        case "vendor_data.json", "vendor_data2.json": return Self.json(Array("{}".utf8))
        case "user_data":
            return documents.userData.map { MetadataAnswer(contentType: "application/octet-stream", body: $0) }
        case "password": return MetadataAnswer(body: Array(try await password(of: documents.server.id).utf8))
        default: return nil
        }
    }

    private func documents(of id: ServerID, in project: ProjectID) async throws -> MetadataDocuments? {
        let stores = parts.stores
        let found = try await parts.database.read { transaction -> (Server, ServerStore.Extras, [ServerBlockDevice])? in
            guard let server = try stores.servers.server(id, transaction), !server.isDeleted,
                server.projectID == project, let extras = try stores.servers.extras(id, transaction)
            else { return nil }
            return (server, extras, try stores.blockDevices.of(id, transaction))
        }
        guard let (server, extras, devices) = found else { return nil }
        let ports = try await parts.networks.ports(of: [server])[id.rawValue] ?? []
        return try GuestAssembly.documents(server, extras, ports: ports, devices: devices, parts.config)
    }

    private func password(of id: ServerID) async throws -> String {
        let stores = parts.stores
        return try await parts.database.read { try stores.servers.extras(id, $0)?.guestPassword ?? "" }
    }

    private static func list(_ names: [String]) -> MetadataAnswer {
        MetadataAnswer(body: Array(names.joined(separator: "\n").utf8))
    }

    private static func json(_ bytes: [UInt8]) -> MetadataAnswer {
        MetadataAnswer(contentType: "application/json", body: bytes)
    }
}

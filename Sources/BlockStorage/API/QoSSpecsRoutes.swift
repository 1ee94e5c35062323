// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import BlockStorageCore
import HTTPKit
import PolicyKit

/// /qos-specs
struct QoSSpecsRoutes: Sendable {
    let specs: QoSSpecsEngine
    let maximumPage: Int

    func register(on routes: inout BlockStorageRouteTable) {
        let (path, one) = ("/qos-specs", "/qos-specs/{qos_id}")
        let update: PolicyName = "volume_extension:qos_specs_manage:update"
        routes.add(.get, path, policy: "volume_extension:qos_specs_manage:get_all", list)
        routes.add(.post, path, policy: "volume_extension:qos_specs_manage:create", create)
        routes.add(.get, one, policy: "volume_extension:qos_specs_manage:get", show)
        routes.add(.put, one, policy: update, self.update)
        routes.add(.delete, one, policy: "volume_extension:qos_specs_manage:delete", delete)
        routes.add(.put, one + "/delete_keys", policy: "volume_extension:qos_specs_manage:delete", deleteKeys)
        routes.add(.get, one + "/associations", policy: "volume_extension:qos_specs_manage:get_all", associations)
        routes.add(.get, one + "/associate", policy: update, associate)
        routes.add(.get, one + "/disassociate", policy: update, disassociate)
        routes.add(.get, one + "/disassociate_all", policy: update, disassociateAll)
    }

    // MARK: View

    private static func write(_ writer: inout JSONWriter, _ specs: QoSSpecs) {
        writer.beginObject()
        writer.field("id", specs.id)
        writer.field("name", specs.name)
        writer.field("consumer", specs.consumer.rawValue)
        writer.field("specs", specs.specs)
        writer.endObject()
    }

    private static func answer(_ specs: QoSSpecs, _ request: APIRequest) -> HTTPResponse {
        .object { writer in
            writer.key("qos_specs")
            write(&writer, specs)
            request.links.write(&writer, "qos-specs/\(specs.id)")
        }
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let reader = ResourceListReader("qos_specs", maximum: maximumPage, request, context)
        let page = try reader.page()
        var filter = ResourceFilter(project: nil)
        for name in ["id", "name", "consumer"] { filter.equals[name] = request.query(name) }
        let found = try await specs.list(filter, page)
        return .object(capacity: found.count * 300 + 128) { writer in
            writer.array("qos_specs") { writer in
                for specs in found { Self.write(&writer, specs) }
            }
            request.links.next(&writer, "qos_specs_links", "qos-specs", after: found, limit: page.limit, \.id)
        }
    }

    private func show(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        Self.answer(try await specs.specs(request.id("qos_id")), request)
    }

    // MARK: Write

    /// Values of any simple type become text, as upstream's database makes them.
    private static func values(_ fields: [String: JSON]) throws -> [String: String] {
        var values: [String: String] = [:]
        for (key, value) in fields {
            guard (1...255).contains(key.unicodeScalars.count) else {
                throw CloudError.badRequest("Invalid input received: Key \"\(key.prefix(64))\" has bad length.")
            }
            switch value {
            case .string(let text) where text.unicodeScalars.count <= 255: values[key] = text
            case .int(let number): values[key] = String(number)
            case .double(let number): values[key] = "\(number)"
            case .bool(let flag): values[key] = flag ? "True" : "False"
            default:
                throw VolumeErrors.invalidInput("\(key.prefix(64)) has a value that is no text, or too long.")
            }
        }
        return values
    }

    private func create(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let body = try await request.json()
        var envelope = try ObjectReader(body, path: "body")
        _ = envelope.value("qos_specs")
        try envelope.finish()
        var reader = try ObjectReader.envelope("qos_specs", in: body, allowsUnknown: true)
        let name = try BlockStorageWords.name(&reader)
        var fields = body["qos_specs"]?.object ?? [:]
        fields["name"] = nil
        return Self.answer(try await specs.create(name: name, try Self.values(fields)), request)
    }

    private func update(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let value = reader.value("qos_specs") else { throw reader.missing("qos_specs") }
        try reader.finish()
        let sent = try BlockStorageWords.specs(value, "qos_specs")
        try await specs.update(request.id("qos_id"), sent)
        return .object { $0.field("qos_specs", sent) }
    }

    private func delete(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await specs.delete(
            request.id("qos_id"), isForced: try BlockStorageWords.bool(request, "force"))
        return HTTPResponse(status: 202)
    }

    private func deleteKeys(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        var reader = try ObjectReader(try await request.json(), path: "body")
        guard let keys = try reader.strings("keys") else { throw reader.missing("keys") }
        try reader.finish()
        guard Set(keys).count == keys.count else {
            throw reader.invalid("keys", .array(keys.map(JSON.string)), "has non-unique elements")
        }
        try await specs.deleteKeys(request.id("qos_id"), keys)
        return HTTPResponse(status: 202)
    }

    // MARK: Associations

    private func associations(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let types = try await specs.associations(request.id("qos_id"))
        return .object { writer in
            writer.array("qos_associations") { writer in
                for type in types {
                    writer.beginObject()
                    writer.field("association_type", "volume_type")
                    writer.field("name", type.name)
                    writer.field("id", type.id)
                    writer.endObject()
                }
            }
        }
    }

    private static func type(_ request: APIRequest) throws -> VolumeTypeID {
        guard let id = request.query("vol_type_id"), !id.isEmpty else {
            throw CloudError.badRequest("Volume Type id must not be None.")
        }
        return VolumeTypeID(id)
    }

    private func associate(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await specs.associate(request.id("qos_id"), with: try Self.type(request))
        return HTTPResponse(status: 202)
    }

    private func disassociate(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await specs.disassociate(request.id("qos_id"), from: try Self.type(request))
        return HTTPResponse(status: 202)
    }

    private func disassociateAll(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        try await specs.disassociateAll(request.id("qos_id"))
        return HTTPResponse(status: 202)
    }
}

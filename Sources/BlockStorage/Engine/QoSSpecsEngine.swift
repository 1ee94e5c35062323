// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import PolicyKit

package struct QoSSpecsEngine: Sendable {
    private let parts: BlockStorageParts

    package init(_ parts: BlockStorageParts) { self.parts = parts }

    private static func notFound(_ id: QoSSpecsID) -> CloudError {
        .notFound("No such QoS spec \(id.rawValue.prefix(255)).", kind: "QoSSpecsNotFound")
    }

    package func list(_ filter: ResourceFilter, _ page: ResourcePage) async throws -> [QoSSpecs] {
        let stores = parts.stores
        return try await parts.database.read { try stores.qosSpecs.list(filter, page, $0) }
    }

    package func specs(_ id: QoSSpecsID) async throws -> QoSSpecs {
        let stores = parts.stores
        guard let specs = try await parts.database.read({ try stores.qosSpecs.specs(id, $0) }) else {
            throw Self.notFound(id)
        }
        return specs
    }

    private static func consumer(_ text: String) throws -> QoSSpecs.Consumer {
        guard let consumer = QoSSpecs.Consumer(rawValue: text) else {
            throw CloudError.badRequest(
                "Invalid qos specs: Valid consumer of QoS specs are: "
                    + "Enum(valid_values=['back-end', 'front-end', 'both'])",
                kind: "InvalidQoSSpecs")
        }
        return consumer
    }

    package func create(name: String, _ sent: [String: String]) async throws -> QoSSpecs {
        var values = sent
        let consumer = try values.removeValue(forKey: "consumer").map(Self.consumer) ?? .backEnd
        let specs = QoSSpecs(
            id: parts.ids.next(), name: name, consumer: consumer, specs: values, createdAt: parts.clock.now())
        let stores = parts.stores
        do {
            try await parts.database.write { try stores.qosSpecs.insert(specs, $0) }
        } catch DatabaseError.unique {
            throw CloudError.conflict("QoS Specs \(name) already exists.", kind: "QoSSpecsExists")
        }
        return specs
    }

    package func update(_ id: QoSSpecsID, _ sent: [String: String]) async throws {
        try await edit(id) { specs in
            var values = sent
            if let text = values.removeValue(forKey: "consumer") { specs.consumer = try Self.consumer(text) }
            specs.specs.merge(values) { _, new in new }
        }
    }

    package func deleteKeys(_ id: QoSSpecsID, _ keys: [String]) async throws {
        try await edit(id) { specs in
            for key in keys {
                guard specs.specs.removeValue(forKey: key) != nil else {
                    throw CloudError.notFound(
                        "No spec with key \(key.prefix(255)) in QoS specs \(id).", kind: "QoSSpecsKeyNotFound")
                }
            }
        }
    }

    private func edit(_ id: QoSSpecsID, _ change: @escaping @Sendable (inout QoSSpecs) throws -> Void) async throws {
        let (stores, now) = (parts.stores, parts.clock.now())
        try await parts.database.write { transaction in
            guard var specs = try stores.qosSpecs.specs(id, transaction) else { throw Self.notFound(id) }
            try change(&specs)
            specs.updatedAt = now
            try stores.qosSpecs.update(specs, transaction)
        }
    }

    package func delete(_ id: QoSSpecsID, isForced: Bool) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard try stores.qosSpecs.specs(id, transaction) != nil else { throw Self.notFound(id) }
            if isForced {
                try stores.types.removeQoS(id, transaction)
            } else if try !stores.types.types(ofQoS: id, transaction).isEmpty {
                throw CloudError.badRequest("Qos specs still in use.", kind: "QoSSpecsInUse")
            }
            try stores.qosSpecs.delete(id, transaction)
        }
    }

    // MARK: Associations

    package func associations(_ id: QoSSpecsID) async throws -> [VolumeType] {
        let stores = parts.stores
        return try await parts.database.read { transaction in
            guard try stores.qosSpecs.specs(id, transaction) != nil else { throw Self.notFound(id) }
            return try stores.types.types(ofQoS: id, transaction)
        }
    }

    package func associate(_ id: QoSSpecsID, with typeID: VolumeTypeID) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            let type = try Self.type(typeID, for: id, stores, transaction)
            if let other = type.qosID, other != id {
                throw CloudError.badRequest(
                    "Invalid volume type: Type \(typeID) is already associated with another qos specs: \(other)",
                    kind: "InvalidVolumeType")
            }
            try stores.types.setQoS(id, of: typeID, transaction)
        }
    }

    package func disassociate(_ id: QoSSpecsID, from typeID: VolumeTypeID) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            let type = try Self.type(typeID, for: id, stores, transaction)
            if type.qosID == id { try stores.types.setQoS(nil, of: typeID, transaction) }
        }
    }

    /// A type to be tied to the specifications, or untied. Throws `.notFound` unless there are both.
    private static func type(
        _ typeID: VolumeTypeID, for id: QoSSpecsID, _ stores: BlockStorageStores, _ transaction: any Transaction
    ) throws -> VolumeType {
        guard try stores.qosSpecs.specs(id, transaction) != nil else { throw notFound(id) }
        guard let type = try stores.types.type(typeID, transaction) else {
            throw VolumeTypeEngine.notFound(typeID.rawValue)
        }
        return type
    }

    package func disassociateAll(_ id: QoSSpecsID) async throws {
        let stores = parts.stores
        try await parts.database.write { transaction in
            guard try stores.qosSpecs.specs(id, transaction) != nil else { throw Self.notFound(id) }
            try stores.types.removeQoS(id, transaction)
        }
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import PlacementCore

/// The bodies of placement by version (placement: `placement/schemas`).
enum PlacementSchemas {
    private static let maximumInt: Int64 = 0x7FFF_FFFF
    private static let maximumRatio = 3.40282e38
    private static let name255 = 1...255

    // MARK: Providers

    static func provider(isUpdate: Bool, hasParent: Bool) -> PlacementSchema {
        var fields = PlacementSchema.Fields(properties: ["name": .string(0...200)], required: ["name"])
        if !isUpdate { fields.properties["uuid"] = .uuid }
        if hasParent { fields.properties["parent_provider_uuid"] = .nullable(.uuid) }
        return .object(fields)
    }

    static func aggregates(hasGeneration: Bool) -> PlacementSchema {
        let list = PlacementSchema.array(.uuid, isUnique: true)
        guard hasGeneration else { return list }
        return .object(
            .init(
                properties: ["aggregates": list, "resource_provider_generation": .integer()],
                required: ["aggregates", "resource_provider_generation"]))
    }

    static let traits = PlacementSchema.object(
        .init(
            properties: ["traits": .array(.string(name255)), "resource_provider_generation": .integer()],
            required: ["traits", "resource_provider_generation"]))

    static let resourceClass = PlacementSchema.object(
        .init(properties: ["name": .string(0...255, pattern: .customWord)], required: ["name"]))

    // MARK: Inventories

    private static let inventoryProperties: [String: PlacementSchema] = [
        "resource_provider_generation": .integer(), "total": .integer(1...maximumInt),
        "reserved": .integer(0...maximumInt), "min_unit": .integer(1...maximumInt),
        "max_unit": .integer(1...maximumInt),
        "step_size": .integer(1...maximumInt), "allocation_ratio": .number(maximum: maximumRatio),
    ]

    static let inventory = PlacementSchema.object(
        .init(properties: inventoryProperties, required: ["total", "resource_provider_generation"]))

    static let newInventory: PlacementSchema = {
        var fields = PlacementSchema.Fields(properties: inventoryProperties, required: ["total", "resource_class"])
        fields.properties["resource_class"] = .string(pattern: .word)
        return .object(fields)
    }()

    static let inventories: PlacementSchema = {
        let record = PlacementSchema.object(.init(properties: inventoryProperties, required: ["total"]))
        // Upstream's schema lets a key pass that is no class's name; the look-up of the class then refuses it.
        let map = PlacementSchema.object(.init(pattern: (.word, record), allowsOthers: false))
        return .object(
            .init(
                properties: ["resource_provider_generation": .integer(), "inventories": map],
                required: ["resource_provider_generation", "inventories"]))
    }()

    // MARK: Allocations

    private static let resources = PlacementSchema.object(
        .init(pattern: (.word, .integer(1...Int64.max)), minimumCount: 1))

    /// Until 1.11 a list, since 1.12 a map by provider; since 1.28 with generations, since 1.34 with mappings,
    /// since 1.38 with a type.
    static func allocations(minor: Int, isPost: Bool = false) -> PlacementSchema {
        var fields = PlacementSchema.Fields(
            properties: ["project_id": .string(name255), "user_id": .string(name255)],
            required: ["allocations", "project_id", "user_id"])
        if minor < 12 {
            let provider = PlacementSchema.object(.init(properties: ["uuid": .uuid], required: ["uuid"]))
            let entry = PlacementSchema.object(
                .init(
                    properties: ["resource_provider": provider, "resources": resources],
                    required: ["resource_provider", "resources"]))
            fields.properties["allocations"] = .array(entry, minimumCount: 1)
            if minor < 8 {
                fields.properties["project_id"] = nil
                fields.properties["user_id"] = nil
                fields.required = ["allocations"]
            }
            return .object(fields)
        }
        let entry = PlacementSchema.object(
            .init(properties: ["generation": .integer(), "resources": resources], required: ["resources"]))
        let mayBeEmpty = minor >= 28 || isPost
        fields.properties["allocations"] = .object(.init(pattern: (.uuid, entry), minimumCount: mayBeEmpty ? 0 : 1))
        if minor >= 28 {
            fields.properties["consumer_generation"] = .nullable(.integer())
            fields.required.append("consumer_generation")
        }
        if minor >= 34 {
            fields.properties["mappings"] = .object(
                .init(pattern: (.suffix, .array(.uuid, minimumCount: 1)), allowsOthers: true, minimumCount: 1))
        }
        if minor >= 38 {
            fields.properties["consumer_type"] = .string(name255, pattern: .word)
            fields.required.append("consumer_type")
        }
        return .object(fields)
    }

    static func manyAllocations(minor: Int, minimumCount: Int = 1) -> PlacementSchema {
        .object(.init(pattern: (.uuid, allocations(minor: minor, isPost: true)), minimumCount: minimumCount))
    }

    static func reshape(minor: Int) -> PlacementSchema {
        .object(
            .init(
                properties: [
                    "inventories": .object(.init(pattern: (.uuid, inventories), minimumCount: 1)),
                    "allocations": manyAllocations(minor: minor, minimumCount: 0),
                ], required: ["inventories", "allocations"]))
    }
}

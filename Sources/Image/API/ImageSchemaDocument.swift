// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ImageCore

/// The JSON schemas that clients read to learn which attributes exist.
enum ImageSchemaDocument {
    static let image = Array(imageSchema.text().utf8)
    static let images = Array(collection("images", of: imageSchema).text().utf8)
    static let member = Array(memberSchema.text().utf8)
    static let task = Array(taskSchema(isStub: false).text().utf8)
    static let tasks = Array(collection("tasks", of: taskSchema(isStub: true)).text().utf8)
    static let members = Array(collection("members", of: memberSchema).text().utf8)

    private static let uuidPattern: JSON =
        "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"

    private static func text(_ description: JSON, readOnly: Bool = false, nullable: Bool = false, limit: Int64? = nil)
        -> JSON
    {
        var fields: [String: JSON] = ["description": description, "type": nullable ? ["null", "string"] : "string"]
        if readOnly { fields["readOnly"] = true }
        if let limit { fields["maxLength"] = .int(limit) }
        return .object(fields)
    }

    private static func number(_ description: JSON, readOnly: Bool = false, nullable: Bool = false) -> JSON {
        var fields: [String: JSON] = ["description": description, "type": nullable ? ["null", "integer"] : "integer"]
        if readOnly { fields["readOnly"] = true }
        return .object(fields)
    }

    private static func choice(_ description: JSON, _ choices: [String], nullable: Bool = false, readOnly: Bool = false)
        -> JSON
    {
        let values = (nullable ? [JSON.null] : []) + choices.map(JSON.string)
        var fields: [String: JSON] = [
            "description": description, "type": nullable ? ["null", "string"] : "string", "enum": .array(values),
        ]
        if readOnly { fields["readOnly"] = true }
        return .object(fields)
    }

    private static let properties: JSON = [
        "id": ["type": "string", "description": "An identifier for the image", "pattern": uuidPattern],
        "name": text("Descriptive name for the image", nullable: true, limit: 255),
        "status": choice(
            "Status of the image",
            [
                "queued", "saving", "active", "killed", "deleted", "uploading", "importing", "pending_delete",
                "deactivated",
            ], readOnly: true),
        "visibility": choice("Scope of image accessibility", ["community", "public", "private", "shared"]),
        "protected": ["type": "boolean", "description": "If true, image will not be deletable."],
        "os_hidden": [
            "type": "boolean", "description": "If true, image will not appear in default image list response.",
        ],
        "checksum": text("md5 hash of image contents.", readOnly: true, nullable: true, limit: 32),
        "os_hash_algo": text("Algorithm to calculate the os_hash_value", readOnly: true, nullable: true, limit: 64),
        "os_hash_value": text(
            "Hexdigest of the image contents using the algorithm specified by the os_hash_algo", readOnly: true,
            nullable: true, limit: 128),
        "owner": text("Owner of the image", nullable: true, limit: 255),
        "size": number("Size of image file in bytes", readOnly: true, nullable: true),
        "virtual_size": number("Virtual size of image in bytes", readOnly: true, nullable: true),
        "container_format": choice("Format of the container", ImageFormats.container, nullable: true),
        "disk_format": choice("Format of the disk", ImageFormats.disk, nullable: true),
        "created_at": text("Date and time of image registration", readOnly: true),
        "updated_at": text("Date and time of the last image modification", readOnly: true),
        "tags": [
            "type": "array", "description": "List of strings related to the image",
            "items": ["type": "string", "maxLength": 255],
        ],
        "direct_url": text("URL to access the image file kept in external store", readOnly: true),
        "min_ram": number("Amount of ram (in MB) required to boot image."),
        "min_disk": number("Amount of disk space (in GB) required to boot image."),
        "self": text("An image self url", readOnly: true),
        "file": text("An image file url", readOnly: true),
        "stores": text("Store in which image data resides.", readOnly: true),
        "schema": text("An image schema url", readOnly: true),
        "locations": [
            "type": "array", "description": "A set of URLs to access the image file kept in external store",
            "items": [
                "type": "object", "required": ["url", "metadata"],
                "properties": ["url": ["type": "string", "maxLength": 255], "metadata": ["type": "object"]],
            ],
        ],
    ]

    private static let imageSchema: JSON = [
        "name": "image", "properties": properties, "additionalProperties": ["type": "string"],
        "links": [
            ["rel": "self", "href": "{self}"], ["rel": "enclosure", "href": "{file}"],
            ["rel": "describedby", "href": "{schema}"],
        ],
    ]

    private static let memberSchema: JSON = [
        "name": "member",
        "properties": [
            "member_id": text("An identifier for the image member (tenantId)"),
            "image_id": ["type": "string", "description": "An identifier for the image", "pattern": uuidPattern],
            "created_at": text("Date and time of image member creation"),
            "updated_at": text("Date and time of last modification of image member"),
            "status": choice("The status of this image member", ["pending", "accepted", "rejected"]),
            "schema": ["type": "string", "readOnly": true],
        ],
    ]

    /// Lists leave out what may be long.
    private static func taskSchema(isStub: Bool) -> JSON {
        var fields: [String: JSON] = [
            "id": ["type": "string", "description": "An identifier for the task", "pattern": uuidPattern],
            "type": choice(
                "The type of task represented by this content", ["import", "api_image_import", "location_import"]),
            "status": choice(
                "The current status of this task", ["pending", "processing", "success", "failure"]),
            "owner": text("An identifier for the owner of this task"),
            "image_id": text("Image associated with the task"),
            "request_id": text("Human-readable informative request-id"),
            "user_id": text("User associated with the task"),
            "expires_at": text("Datetime when this resource would be subject to removal", nullable: true),
            "created_at": text("Datetime when this resource was created"),
            "updated_at": text("Datetime when this resource was updated"),
            "self": ["type": "string", "readOnly": true], "schema": ["type": "string", "readOnly": true],
        ]
        if !isStub {
            fields["input"] = [
                "type": ["null", "object"], "description": "The parameters required by task, JSON blob",
            ]
            fields["result"] = ["type": ["null", "object"], "description": "The result of current task, JSON blob"]
            fields["message"] = text(
                "Human-readable informative message only included when appropriate (usually on failure)")
        }
        return ["name": "task", "properties": .object(fields), "additionalProperties": false]
    }

    private static func collection(_ name: String, of item: JSON) -> JSON {
        [
            "name": .string(name),
            "properties": .object([
                name: ["type": "array", "items": item], "first": ["type": "string"], "next": ["type": "string"],
                "schema": ["type": "string"],
            ]),
            "links": [
                ["rel": "first", "href": "{first}"], ["rel": "next", "href": "{next}"],
                ["rel": "describedby", "href": "{schema}"],
            ],
        ]
    }
}

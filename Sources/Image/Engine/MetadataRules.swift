// SPDX-License-Identifier: Apache-2.0
import PolicyKit

extension PolicyName {
    package static let getMetadataNamespace: PolicyName = "get_metadef_namespace"
    package static let getMetadataNamespaces: PolicyName = "get_metadef_namespaces"
    package static let modifyMetadataNamespace: PolicyName = "modify_metadef_namespace"
    package static let addMetadataNamespace: PolicyName = "add_metadef_namespace"
    package static let deleteMetadataNamespace: PolicyName = "delete_metadef_namespace"
    package static let getMetadataObject: PolicyName = "get_metadef_object"
    package static let getMetadataObjects: PolicyName = "get_metadef_objects"
    package static let modifyMetadataObject: PolicyName = "modify_metadef_object"
    package static let addMetadataObject: PolicyName = "add_metadef_object"
    package static let deleteMetadataObject: PolicyName = "delete_metadef_object"
    package static let listMetadataResourceTypes: PolicyName = "list_metadef_resource_types"
    package static let getMetadataResourceType: PolicyName = "get_metadef_resource_type"
    package static let addMetadataResourceType: PolicyName = "add_metadef_resource_type_association"
    package static let removeMetadataResourceType: PolicyName = "remove_metadef_resource_type_association"
    package static let getMetadataProperty: PolicyName = "get_metadef_property"
    package static let getMetadataProperties: PolicyName = "get_metadef_properties"
    package static let modifyMetadataProperty: PolicyName = "modify_metadef_property"
    package static let addMetadataProperty: PolicyName = "add_metadef_property"
    package static let removeMetadataProperty: PolicyName = "remove_metadef_property"
    package static let getMetadataTag: PolicyName = "get_metadef_tag"
    package static let getMetadataTags: PolicyName = "get_metadef_tags"
    package static let modifyMetadataTag: PolicyName = "modify_metadef_tag"
    package static let addMetadataTag: PolicyName = "add_metadef_tag"
    package static let addMetadataTags: PolicyName = "add_metadef_tags"
    package static let deleteMetadataTag: PolicyName = "delete_metadef_tag"
    package static let deleteMetadataTags: PolicyName = "delete_metadef_tags"
}

/// Which rule decides over which kind of definition.
package enum MetadataRules {
    package static func add(_ kind: MetadataDefinition.Kind) -> PolicyName {
        switch kind {
        case .object: .addMetadataObject
        case .property: .addMetadataProperty
        case .tag: .addMetadataTag
        case .resourceType: .addMetadataResourceType
        }
    }

    package static func get(_ kind: MetadataDefinition.Kind) -> PolicyName {
        switch kind {
        case .object: .getMetadataObject
        case .property: .getMetadataProperty
        case .tag: .getMetadataTag
        case .resourceType: .getMetadataResourceType
        }
    }

    package static func list(_ kind: MetadataDefinition.Kind) -> PolicyName {
        switch kind {
        case .object: .getMetadataObjects
        case .property: .getMetadataProperties
        case .tag: .getMetadataTags
        case .resourceType: .listMetadataResourceTypes
        }
    }

    /// Associations are not changed.
    package static func modify(_ kind: MetadataDefinition.Kind) -> PolicyName {
        switch kind {
        case .object: .modifyMetadataObject
        case .property: .modifyMetadataProperty
        case .tag: .modifyMetadataTag
        case .resourceType: .addMetadataResourceType
        }
    }

    package static func delete(_ kind: MetadataDefinition.Kind) -> PolicyName {
        switch kind {
        case .object: .deleteMetadataObject
        case .property: .removeMetadataProperty
        case .tag: .deleteMetadataTag
        case .resourceType: .removeMetadataResourceType
        }
    }
}

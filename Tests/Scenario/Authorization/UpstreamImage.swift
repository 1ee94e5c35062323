// SPDX-License-Identifier: Apache-2.0

extension UpstreamRules {
    /// glance 33: glance/policies.
    static let image = """
        member add_image POST /v2/images
        member delete_image DELETE /v2/images/{}
        reader get_image GET /v2/images/{}
        reader get_images GET /v2/images
        member modify_image PATCH /v2/images/{}
        admin publicize_image
        member communitize_image
        member download_image GET /v2/images/{}/file
        member upload_image PUT /v2/images/{}/file
        admin delete_image_location
        member+service add_image_location POST /v2/images/{}/locations
        admin+service fetch_image_location GET /v2/images/{}/locations
        member add_member POST /v2/images/{}/members
        member delete_member DELETE /v2/images/{}/members/{}
        reader get_member GET /v2/images/{}/members/{}
        reader get_members GET /v2/images/{}/members
        admin modify_member PUT /v2/images/{}/members/{}
        member deactivate POST /v2/images/{}/actions/deactivate
        member reactivate POST /v2/images/{}/actions/reactivate
        admin copy_image
        admin list_cached_nodes GET /v2/cache/nodes/{}
        admin tasks_api_access GET /v2/tasks/{} /v2/tasks POST /v2/tasks DELETE /v2/tasks/{}
        reader get_metadef_namespace GET /v2/metadefs/namespaces/{}
        reader get_metadef_namespaces GET /v2/metadefs/namespaces
        admin modify_metadef_namespace PUT /v2/metadefs/namespaces/{}
        admin add_metadef_namespace POST /v2/metadefs/namespaces
        admin delete_metadef_namespace DELETE /v2/metadefs/namespaces/{}
        reader get_metadef_object GET /v2/metadefs/namespaces/{}/objects/{}
        reader get_metadef_objects GET /v2/metadefs/namespaces/{}/objects
        admin modify_metadef_object PUT /v2/metadefs/namespaces/{}/objects/{}
        admin add_metadef_object POST /v2/metadefs/namespaces/{}/objects
        admin delete_metadef_object DELETE /v2/metadefs/namespaces/{}/objects/{}
        reader list_metadef_resource_types GET /v2/metadefs/resource_types
        reader get_metadef_resource_type GET /v2/metadefs/namespaces/{}/resource_types
        admin add_metadef_resource_type_association POST /v2/metadefs/namespaces/{}/resource_types
        admin remove_metadef_resource_type_association DELETE /v2/metadefs/namespaces/{}/resource_types/{}
        reader get_metadef_property GET /v2/metadefs/namespaces/{}/properties/{}
        reader get_metadef_properties GET /v2/metadefs/namespaces/{}/properties
        admin modify_metadef_property PUT /v2/metadefs/namespaces/{}/properties/{}
        admin add_metadef_property POST /v2/metadefs/namespaces/{}/properties
        admin remove_metadef_property DELETE /v2/metadefs/namespaces/{}/properties/{}
        reader get_metadef_tag GET /v2/metadefs/namespaces/{}/tags/{}
        reader get_metadef_tags GET /v2/metadefs/namespaces/{}/tags
        admin modify_metadef_tag PUT /v2/metadefs/namespaces/{}/tags/{}
        admin add_metadef_tag POST /v2/metadefs/namespaces/{}/tags/{}
        admin add_metadef_tags POST /v2/metadefs/namespaces/{}/tags
        admin delete_metadef_tag DELETE /v2/metadefs/namespaces/{}/tags/{}
        admin delete_metadef_tags DELETE /v2/metadefs/namespaces/{}/tags
        admin cache_image PUT /v2/cache/{}
        admin cache_list GET /v2/cache
        admin cache_delete DELETE /v2/cache /v2/cache/{}
        admin cache_clean POST /v2/cache/clean
        admin cache_prune POST /v2/cache/prune
        admin+service stores_info_detail GET /v2/info/stores/detail
        """

    /// What has no rule there, or none that names its path: who gets through all the same.
    static let imageUnruled = """
        member - POST /v2/images/{}/import PUT /v2/images/{}/stage /v2/images/{}/tags/{}
        member - DELETE /v2/images/{}/tags/{}
        admin - DELETE /v2/stores/{}/{}
        admin - DELETE /v2/metadefs/namespaces/{}/objects /v2/metadefs/namespaces/{}/properties
        reader - GET /v2/images/{}/tasks
        token - GET /v2/info/usage /v2/info/import /v2/info/stores /v2/schemas/image /v2/schemas/images
        token - GET /v2/schemas/member /v2/schemas/members /v2/schemas/task /v2/schemas/tasks
        token - GET /v2/schemas/metadefs/namespace /v2/schemas/metadefs/namespaces
        token - GET /v2/schemas/metadefs/object /v2/schemas/metadefs/objects /v2/schemas/metadefs/property
        token - GET /v2/schemas/metadefs/properties /v2/schemas/metadefs/resource_type
        token - GET /v2/schemas/metadefs/resource_types /v2/schemas/metadefs/tag /v2/schemas/metadefs/tags
        """
}

// SPDX-License-Identifier: Apache-2.0
import PolicyKit

/// Upstream's defaults (glance: `glance/policies`), under its own names.
package enum ImagePolicies {
    private static let isAdmin = "rule:context_is_admin"
    private static let member = "(role:member and project_id:%(project_id)s)"
    private static let reader = "(role:reader and project_id:%(project_id)s)"
    private static let visible = """
        (project_id:%(project_id)s or project_id:%(member_id)s or 'community':%(visibility)s or \
        'public':%(visibility)s or 'shared':%(visibility)s)
        """

    private static let services = "rule:service_api"
    private static let visibleNamespace = """
        \(isAdmin) or (role:reader and (project_id:%(project_id)s or 'public':%(visibility)s))
        """

    package static let all: [PolicyRule] = (images + locations + work + definitions).map { rule in
        // Others build upon these, and no more than a token is needed to learn what the service can do.
        let isOpen = ["context_is_admin", "service_api", "metadef_admin", "image_discovery"].contains(rule.name)
        return isOpen ? rule : rule.needing([.project])
    }

    private static let images = [
        PolicyRule("context_is_admin", "role:admin", "Who counts as an administrator of images."),
        PolicyRule("add_image", "\(isAdmin) or (\(member) and project_id:%(owner)s)", "Create an image."),
        PolicyRule("get_image", "\(isAdmin) or (role:reader and \(visible))", "Show an image."),
        PolicyRule("get_images", "\(isAdmin) or \(reader)", "List images."),
        PolicyRule("modify_image", "\(isAdmin) or \(member)", "Change an image."),
        PolicyRule("delete_image", "\(isAdmin) or \(member)", "Delete an image."),
        PolicyRule("publicize_image", isAdmin, "Show an image to every project."),
        PolicyRule("communitize_image", "\(isAdmin) or \(member)", "Let every project use an image by its id."),
        PolicyRule("upload_image", "\(isAdmin) or \(member)", "Upload an image's data."),
        PolicyRule("download_image", "\(isAdmin) or (role:member and \(visible))", "Download an image's data."),
        PolicyRule("deactivate", "\(isAdmin) or \(member)", "Deactivate an image."),
        PolicyRule("reactivate", "\(isAdmin) or \(member)", "Reactivate an image."),
        PolicyRule("add_member", "\(isAdmin) or \(member)", "Share an image with a project."),
        PolicyRule("delete_member", "\(isAdmin) or \(member)", "Stop sharing an image with a project."),
        PolicyRule(
            "get_member", "\(isAdmin) or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))",
            "Show one project's share in an image."),
        PolicyRule(
            "get_members", "\(isAdmin) or (role:reader and (project_id:%(project_id)s or project_id:%(member_id)s))",
            "List the projects that an image is shared with."),
        PolicyRule(
            "modify_member", "\(isAdmin) or (role:member and project_id:%(member_id)s)",
            "Accept or reject an image that is shared with one's project."),
        // Upstream asks for no more than a valid token here.
        PolicyRule("image_discovery", "@", "Read schemas, stores, import methods and one's own quotas."),
    ]

    private static let locations = [
        // Upstream keeps the administrator here until every service sends a role of its own.
        PolicyRule("service_api", "role:service or role:admin", "What services ask of each other."),
        PolicyRule("delete_image_location", isAdmin, "Take an image's data out of a store."),
        PolicyRule(
            "add_image_location", "\(services) or (\(member) and project_id:%(owner)s)",
            "Make the data at a URL an image's own."),
        PolicyRule("fetch_image_location", services, "Show where an image's data is."),
        PolicyRule("copy_image", isAdmin, "Copy an image to further stores."),
        PolicyRule("stores_info_detail", "\(isAdmin) or \(services)", "Show how stores are made."),
    ]

    private static let work = [
        PolicyRule("tasks_api_access", isAdmin, "Show and create tasks."),
        PolicyRule("cache_image", isAdmin, "Ask for an image in the cache."),
        PolicyRule("cache_list", isAdmin, "Show what is in the cache."),
        PolicyRule("list_cached_nodes", isAdmin, "Show where an image is in a cache."),
        PolicyRule("cache_delete", isAdmin, "Take images out of the cache."),
        PolicyRule("cache_clean", isAdmin, "Remove what the cache has for nothing."),
        PolicyRule("cache_prune", isAdmin, "Make the cache as small as it must be."),
    ]

    private static let definitions =
        [
            PolicyRule("metadef_admin", isAdmin, "Who writes definitions of metadata."),
            PolicyRule("get_metadef_namespaces", "\(isAdmin) or \(reader)", "List namespaces of definitions."),
        ]
        + [
            "get_metadef_namespace", "get_metadef_object", "get_metadef_objects", "list_metadef_resource_types",
            "get_metadef_resource_type", "get_metadef_property", "get_metadef_properties", "get_metadef_tag",
            "get_metadef_tags",
        ].map { PolicyRule(PolicyName($0), visibleNamespace, "Read definitions of metadata.") }
        + [
            "modify_metadef_namespace", "add_metadef_namespace", "delete_metadef_namespace", "modify_metadef_object",
            "add_metadef_object", "delete_metadef_object", "add_metadef_resource_type_association",
            "remove_metadef_resource_type_association", "modify_metadef_property", "add_metadef_property",
            "remove_metadef_property", "modify_metadef_tag", "add_metadef_tag", "add_metadef_tags",
            "delete_metadef_tag", "delete_metadef_tags",
        ].map { PolicyRule(PolicyName($0), "rule:metadef_admin", "Write definitions of metadata.") }
}

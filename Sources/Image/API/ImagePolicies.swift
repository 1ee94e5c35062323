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

    package static let all = [
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
        PolicyRule("image_discovery", "@", "Read schemas, stores and import methods."),
    ]
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit

extension PolicyName {
    package static let contextIsAdmin: PolicyName = "context_is_admin"
    package static let getImage: PolicyName = "get_image"
    package static let getImages: PolicyName = "get_images"
    package static let addImage: PolicyName = "add_image"
    package static let modifyImage: PolicyName = "modify_image"
    package static let deleteImage: PolicyName = "delete_image"
    package static let publicizeImage: PolicyName = "publicize_image"
    package static let communitizeImage: PolicyName = "communitize_image"
    package static let uploadImage: PolicyName = "upload_image"
    package static let downloadImage: PolicyName = "download_image"
    package static let deactivateImage: PolicyName = "deactivate"
    package static let reactivateImage: PolicyName = "reactivate"
    package static let addMember: PolicyName = "add_member"
    package static let getMember: PolicyName = "get_member"
    package static let getMembers: PolicyName = "get_members"
    package static let modifyMember: PolicyName = "modify_member"
    package static let deleteMember: PolicyName = "delete_member"
}

/// An image that the caller may see, with what the rules need to know of both.
package struct VisibleImage: Sendable {
    package var image: Image
    /// The caller's project, when the image is shared with it.
    let member: ProjectID?

    var target: PolicyTarget {
        var target = PolicyTarget(project: image.owner)
        target["owner"] = image.owner?.rawValue
        target["visibility"] = image.visibility.rawValue
        target["member_id"] = member?.rawValue
        return target
    }

    /// Throws `.forbidden` unless `rule` lets the caller act on this image.
    func authorize(_ rule: PolicyName, _ context: CallContext) throws {
        do {
            try context.authorize(target, as: rule)
        } catch {
            throw CloudError(
                .forbidden, "You are not authorized to complete \(rule) action.", kind: "Forbidden", cause: "\(error)")
        }
    }
}

/// Loads images for callers: what one may not see does not exist.
package struct ImageAccess: Sendable {
    let images = ImageStore()
    let members = ImageMemberStore()

    /// What services ask of each other's images: to see one is enough, whether or not one could read it.
    private static let serviceRules: Set<PolicyName> = [.fetchImageLocation, .addImageLocation]

    /// Throws `.notFound` for a missing and for an unseen image alike.
    func load(_ id: ImageID, _ context: CallContext, _ tx: any Transaction) throws -> VisibleImage {
        let visible = try see(id, context, tx)
        do {
            try context.authorize(visible.target, as: .getImage)
        } catch {
            throw Self.absent(id)
        }
        return visible
    }

    private static func absent(_ id: ImageID) -> CloudError { CloudError.notFound("No image found with ID \(id)") }

    private func see(_ id: ImageID, _ context: CallContext, _ tx: any Transaction) throws -> VisibleImage {
        guard let image = try images.image(id, tx) else { throw Self.absent(id) }
        let visible = VisibleImage(image: image, member: try member(of: image, context.projectID, tx))
        guard isSeen(visible, context.projectID, isAdmin: context.allows(.contextIsAdmin, [:])) else {
            throw Self.absent(id)
        }
        return visible
    }

    /// The same, and `rule` must allow the caller to act on it.
    func load(_ id: ImageID, for rule: PolicyName, _ context: CallContext, _ tx: any Transaction) throws -> VisibleImage
    {
        let visible = try Self.serviceRules.contains(rule) ? see(id, context, tx) : load(id, context, tx)
        try visible.authorize(rule, context)
        return visible
    }

    private func member(of image: Image, _ project: ProjectID?, _ tx: any Transaction) throws -> ProjectID? {
        guard let project, image.visibility == .shared, image.owner != project else { return nil }
        return try members.member(image.id, project.rawValue, tx) == nil ? nil : project
    }

    /// glance: `is_image_visible`. A member that has not accepted sees the image by its id, only not in lists.
    private func isSeen(_ visible: VisibleImage, _ project: ProjectID?, isAdmin: Bool) -> Bool {
        switch visible.image.visibility {
        case .public, .community: true
        case .private, .shared:
            isAdmin || (project != nil && visible.image.owner == project) || visible.member != nil
        }
    }

    /// For other services, which ask with a principal alone.
    func seen(_ images: [Image], by principal: Principal, _ tx: any Transaction) throws -> [Image] {
        if principal.hasRole("admin") { return images }
        let project = principal.projectID
        var shared: Set<ImageID> = []
        let candidates = images.filter { $0.visibility == .shared && $0.owner != project }.map(\.id)
        if let project, !candidates.isEmpty { shared = try members.shared(candidates, with: project, tx) }
        return images.filter { image in
            switch image.visibility {
            case .public, .community: true
            case .private, .shared: (project != nil && image.owner == project) || shared.contains(image.id)
            }
        }
    }
}

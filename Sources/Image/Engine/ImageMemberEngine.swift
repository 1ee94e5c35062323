// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract
import PolicyKit

/// Sharing: an owner adds projects, each project accepts or rejects.
extension ImageEngine {
    package func addMember(_ memberID: String, to id: ImageID, for context: CallContext) async throws -> ImageMember {
        let now = clock.now()
        return try await database.write { tx in
            let visible = try shareable(id, context, tx)
            do {
                try visible.authorize(.addMember, context)
            } catch {
                throw CloudError.forbidden("Not allowed to create members for image \(id).")
            }
            let count = try members.count(id, tx)
            guard count < config.maximumMembers else {
                throw CloudError(
                    .tooLarge,
                    """
                    Image member limit exceeded for image \(id): The limit has been exceeded on the number of allowed \
                    image members for this image. Attempted: \(count + 1), Maximum: \(config.maximumMembers)
                    """)
            }
            let member = ImageMember(imageID: id, memberID: memberID, status: .pending, createdAt: now, updatedAt: now)
            try members.insert(member, tx)
            return member
        }
    }

    package func members(of id: ImageID, for context: CallContext) async throws -> [ImageMember] {
        try await database.read { tx in
            let visible = try shareable(id, context, tx)
            try visible.authorize(.getMembers, context)
            return try members.members(id, tx).filter { isSeen($0, visible, context) }
        }
    }

    package func member(_ memberID: String, of id: ImageID, for context: CallContext) async throws -> ImageMember {
        try await database.read { tx in
            do {
                let visible = try shareable(id, context, tx)
                try visible.authorize(.getMember, context)
                return try find(memberID, visible, context, tx)
            } catch let error as CloudError where error.code == .forbidden {
                throw CloudError.notFound(error.message)
            }
        }
    }

    package func setMember(
        _ memberID: String, of id: ImageID, status: ImageMember.Status, for context: CallContext
    ) async throws -> ImageMember {
        let now = clock.now()
        return try await database.write { tx in
            let visible = try shareable(id, context, tx)
            try visible.authorize(.getMember, context)
            var member = try find(memberID, visible, context, tx)
            do {
                try visible.authorize(.modifyMember, context)
            } catch {
                throw CloudError.forbidden("Not allowed to update members for image \(id).")
            }
            member.status = status
            member.updatedAt = now
            guard try members.update(member, tx) else { throw absent(memberID, id) }
            return member
        }
    }

    package func removeMember(_ memberID: String, from id: ImageID, for context: CallContext) async throws {
        try await database.write { tx in
            let visible = try shareable(id, context, tx)
            _ = try find(memberID, visible, context, tx)
            do {
                try visible.authorize(.deleteMember, context)
            } catch {
                throw CloudError.forbidden("Not allowed to delete members for image \(id).")
            }
            guard try members.delete(id, memberID, tx) else { throw absent(memberID, id) }
        }
    }

    private func shareable(_ id: ImageID, _ context: CallContext, _ tx: any Transaction) throws -> VisibleImage {
        let visible = try access.load(id, context, tx)
        guard visible.image.visibility == .shared else {
            throw CloudError.forbidden("Only shared images have members.")
        }
        return visible
    }

    private func find(_ memberID: String, _ visible: VisibleImage, _ context: CallContext, _ tx: any Transaction) throws
        -> ImageMember
    {
        guard let member = try members.member(visible.image.id, memberID, tx), isSeen(member, visible, context) else {
            throw absent(memberID, visible.image.id)
        }
        return member
    }

    private func absent(_ memberID: String, _ id: ImageID) -> CloudError {
        .notFound("\(memberID) not found in the member list of the image \(id).")
    }

    /// Owners and administrators see all members, a member sees itself (glance: `_image_member_find`).
    private func isSeen(_ member: ImageMember, _ visible: VisibleImage, _ context: CallContext) -> Bool {
        if context.allows(.contextIsAdmin, [:]) { return true }
        guard let project = context.projectID else { return false }
        return visible.image.owner == project || member.memberID == project.rawValue
    }
}

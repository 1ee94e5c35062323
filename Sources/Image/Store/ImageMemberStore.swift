// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import ImageContract

/// Which projects an image is shared with.
package struct ImageMemberStore: Sendable {
    package init() {}

    private static func member(_ row: any Row) throws -> ImageMember {
        ImageMember(
            imageID: row.id(0), memberID: row.text(1), status: try row.word(2),
            createdAt: row.timestamp(3), updatedAt: row.timestamp(4))
    }

    package func insert(_ member: ImageMember, _ tx: any Transaction) throws {
        do {
            try tx.execute(
                """
                INSERT INTO image_members (image_id, member_id, status, created_at, updated_at)
                VALUES (\(member.imageID), \(member.memberID), \(member.status.rawValue), \(member.createdAt),
                        \(member.updatedAt))
                """)
        } catch DatabaseError.unique {
            throw CloudError.conflict("Member \(member.memberID) is duplicated for image \(member.imageID)")
        }
    }

    package func update(_ member: ImageMember, _ tx: any Transaction) throws -> Bool {
        try tx.execute(
            """
            UPDATE image_members SET status = \(member.status.rawValue), updated_at = \(member.updatedAt)
             WHERE image_id = \(member.imageID) AND member_id = \(member.memberID)
            """) == 1
    }

    package func delete(_ id: ImageID, _ memberID: String, _ tx: any Transaction) throws -> Bool {
        try tx.execute("DELETE FROM image_members WHERE image_id = \(id) AND member_id = \(memberID)") == 1
    }

    package func member(_ id: ImageID, _ memberID: String, _ tx: any Transaction) throws -> ImageMember? {
        try tx.first(
            """
            SELECT image_id, member_id, status, created_at, updated_at FROM image_members
             WHERE image_id = \(id) AND member_id = \(memberID)
            """, Self.member)
    }

    package func members(_ id: ImageID, _ tx: any Transaction) throws -> [ImageMember] {
        try tx.query(
            """
            SELECT image_id, member_id, status, created_at, updated_at FROM image_members
             WHERE image_id = \(id) ORDER BY created_at, member_id
            """, Self.member)
    }

    package func count(_ id: ImageID, _ tx: any Transaction) throws -> Int {
        try tx.count("SELECT COUNT(*) FROM image_members WHERE image_id = \(id)")
    }

    /// Of `ids`, those that `project` is a member of, whatever it answered.
    package func shared(_ ids: [ImageID], with project: ProjectID, _ tx: any Transaction) throws -> Set<ImageID> {
        Set(
            try tx.query(
                "SELECT image_id FROM image_members WHERE member_id = \(project) AND image_id IN \(list: ids)"
            ) { $0.id(0) })
    }
}

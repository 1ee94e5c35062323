// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract

extension ServerStore {
    /// What a rebuild makes of a server. Nil: as it is.
    package struct Rebuild: Sendable {
        /// What it is made of from now on, as `ImageInfo` in JSON, and the properties of it that are shown.
        package var imageSnapshot: String
        package var imageProperties: String
        /// Nil: the server boots from a volume, and shows no image.
        package var image: ImageID?
        package var name: String?
        package var hostname: String?
        package var description: String??
        package var metadata: String?
        package var accessIPv4: String?
        package var accessIPv6: String?
        package var diskConfig: String?
        package var userData: String??
        package var key: KeyPair??
        /// True: none from now on.
        package var dropsCertificates = false

        package init(image: ImageID?, imageSnapshot: String, imageProperties: String) {
            self.image = image
            self.imageSnapshot = imageSnapshot
            self.imageProperties = imageProperties
        }
    }

    /// In the transaction that takes the row for the rebuild.
    package func rebuild(_ server: Server, _ rebuild: Rebuild, _ transaction: any Transaction) throws {
        try transaction.execute(
            """
            UPDATE servers SET image_id = \(rebuild.image), image_snapshot = \(rebuild.imageSnapshot),
                   image_properties = \(rebuild.imageProperties), name = \(rebuild.name ?? server.name),
                   hostname = \(rebuild.hostname ?? server.hostname),
                   description = \(rebuild.description ?? server.description),
                   metadata = \(rebuild.metadata ?? server.metadata),
                   access_ipv4 = \(rebuild.accessIPv4 ?? server.accessIPv4),
                   access_ipv6 = \(rebuild.accessIPv6 ?? server.accessIPv6),
                   disk_config = \(rebuild.diskConfig ?? server.diskConfig),
                   user_data = \(rebuild.userData ?? server.userData),
                   trusted_certificates = \(rebuild.dropsCertificates ? nil : server.trustedCertificates)
             WHERE id = \(server.id) AND is_deleted = 0
            """)
        if let key = rebuild.key {
            try transaction.execute(
                """
                UPDATE servers SET key_name = \(key?.name), key_data = \(key?.publicKey), key_type = \(key?.type)
                 WHERE id = \(server.id) AND is_deleted = 0
                """)
        }
        guard let image = rebuild.image else { return }
        try transaction.execute(
            """
            UPDATE server_block_devices SET source_id = \(image)
             WHERE server_id = \(server.id) AND boot_index = 0 AND volume_id IS NULL AND source = 'image'
            """)
    }
}

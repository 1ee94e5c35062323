// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import SecurityKit

/// What opens a volume: libvirt holds it in memory, gives it to QEMU alone, and forgets it with its own end.
///
/// Ids are made of the volume's, so that every start finds the secret that the guest's definition names.
struct VolumeSecret: Sendable, Equatable {
    enum Kind: Sendable, CaseIterable {
        case chap, cephx, passphrase

        /// The version digit of the volume's id is the only one that all volumes share.
        fileprivate var digit: Character {
            switch self {
            case .chap: "c"
            case .cephx: "e"
            case .passphrase: "d"
            }
        }
    }

    var kind: Kind
    var volume: VolumeID
    var value: [UInt8]

    var id: String { Self.id(kind, volume) }

    static func id(_ kind: Kind, _ volume: VolumeID) -> String {
        var letters = Array(volume.rawValue)
        let version = 14
        if letters.count == 36 { letters[version] = kind.digit }
        return String(letters)
    }

    /// Throws for a key that is no Base64.
    static func all(of connection: VolumeConnection) throws -> [VolumeSecret] {
        var secrets: [VolumeSecret] = []
        let volume = connection.volume
        switch connection.source {
        case .file: break
        case .iscsi(let target) where !target.chapUser.isEmpty:
            secrets.append(VolumeSecret(kind: .chap, volume: volume, value: Array(target.chapPassword.utf8)))
        case .iscsi: break
        case .rbd(let image) where !image.user.isEmpty:
            guard let key = Base64.decode(image.key) else {
                throw CloudError(.unavailable, "The volume cannot be opened.", cause: "the cephx key is no Base64")
            }
            secrets.append(VolumeSecret(kind: .cephx, volume: volume, value: key))
        case .rbd: break
        }
        if let passphrase = connection.passphrase {
            secrets.append(VolumeSecret(kind: .passphrase, volume: volume, value: Array(passphrase.utf8)))
        }
        return secrets
    }

    func xml() -> String {
        var xml = XMLWriter()
        xml.element("secret", ["ephemeral": "yes", "private": "yes"]) { xml in
            xml.element("uuid", text: id)
            xml.element("description", text: "volume \(volume)")
            switch kind {
            case .chap:
                xml.element("usage", ["type": "iscsi"]) { xml in xml.element("target", text: "haneul/\(volume)") }
            case .cephx:
                xml.element("usage", ["type": "ceph"]) { xml in xml.element("name", text: "haneul/\(volume)") }
            case .passphrase:
                xml.element("usage", ["type": "volume"]) { xml in xml.element("volume", text: "haneul/\(volume)") }
            }
        }
        return xml.text
    }
}

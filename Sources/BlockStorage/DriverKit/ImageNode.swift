// SPDX-License-Identifier: Apache-2.0
import BaseKit

/// A disk image as QEMU is told to open it: every file with its format, so that there is nothing left to find out.
///
/// A guest owns every byte of a raw disk, so a raw disk that begins like another format must stay raw. And what a
/// header says of other files is never followed: what is below a layer is said here.
package indirect enum ImageNode: Sendable, Equatable {
    case raw(path: String)
    case qcow2(path: String, isEncrypted: Bool, backing: ImageNode?)
    /// What a LUKS container on a raw file or device holds. The container may have room for more.
    case luks(path: String, sizeBytes: Int64)
    /// An image of a Ceph cluster.
    case rbd(RBDSource)
    /// What a LUKS container in an image of a Ceph cluster holds.
    case encryptedRBD(RBDSource, sizeBytes: Int64)
    /// An image in another hypervisor's format, by QEMU's name of its driver; only ever read.
    case foreign(path: String, driver: String)

    package var path: String {
        switch self {
        case .raw(let path), .qcow2(let path, _, _), .luks(let path, _), .foreign(let path, _): path
        case .rbd(let source), .encryptedRBD(let source, _): "rbd:\(source.pool)/\(source.image)"
        }
    }

    /// The file or device of this host that holds it. Nil: a cluster does.
    var hostPath: String? {
        switch self {
        case .raw(let path), .qcow2(let path, _, _), .luks(let path, _), .foreign(let path, _): path
        case .rbd, .encryptedRBD: nil
        }
    }

    package var driver: String {
        switch self {
        case .raw, .rbd, .luks, .encryptedRBD: "raw"
        case .qcow2: "qcow2"
        case .foreign(_, let driver): driver
        }
    }

    package var isEncrypted: Bool {
        switch self {
        case .raw, .foreign, .rbd: false
        case .qcow2(_, let isEncrypted, let backing): isEncrypted || backing?.isEncrypted ?? false
        case .luks, .encryptedRBD: true
        }
    }

    /// Whether bytes that were never written read as zeros: below encryption zeros are not zeros.
    var readsAsZerosWhenNew: Bool {
        switch self {
        case .raw, .qcow2, .rbd, .foreign: true
        case .luks, .encryptedRBD: false
        }
    }

    /// The file name that QEMU's tools take. `secret` is the id of the object that holds the passphrase.
    func fileName(secret: String) -> String { "json:" + options(secret).text() }

    private func options(_ secret: String) -> JSON {
        var fields: [String: JSON] = ["driver": .string(driver), "file": protocolOptions]
        switch self {
        case .raw, .foreign, .rbd: break
        case .luks(_, let size), .encryptedRBD(_, let size):
            fields["size"] = .int(size)
            fields["file"] = ["driver": "luks", "key-secret": .string(secret), "file": protocolOptions]
        case .qcow2(_, let isEncrypted, let backing):
            if isEncrypted { fields["encrypt"] = ["format": "luks", "key-secret": .string(secret)] }
            // Null says that there is none, whatever the header says.
            fields["backing"] = backing?.options(secret) ?? .null
        }
        return .object(fields)
    }

    private var protocolOptions: JSON {
        switch self {
        case .rbd(let source), .encryptedRBD(let source, _): return source.options
        case .raw, .qcow2, .luks, .foreign: break
        }
        return ["driver": path.hasPrefix("/dev/") ? "host_device" : "file", "filename": .string(path)]
    }
}

/// Where QEMU's tools find an image of a Ceph cluster.
package struct RBDSource: Sendable, Equatable {
    package var pool: String
    package var image: String
    package var snapshot: String?
    /// The file that says where the cluster is, and where the user's key is.
    package var configuration: String
    package var user: String

    package init(pool: String, image: String, snapshot: String? = nil, configuration: String, user: String) {
        self.pool = pool
        self.image = image
        self.snapshot = snapshot
        self.configuration = configuration
        self.user = user
    }

    fileprivate var options: JSON {
        var fields: [String: JSON] = [
            "driver": "rbd", "pool": .string(pool), "image": .string(image), "conf": .string(configuration),
            "user": .string(user),
        ]
        if let snapshot { fields["snapshot"] = .string(snapshot) }
        return .object(fields)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// The name of a file in the folder of layers. Names follow from ids alone, so a repeated call finds what an earlier
/// one left:
///
///     volume-V.qcow2            V's first layer
///     volume-V.S.qcow2          V's layer above the one that snapshot S froze
///     volume-V.W.frozen.qcow2   what V was when the volume W was made from it
///     volume-V.base.raw         raw bytes that V was made of when it was taken over
///     image-I.raw               an image
///     volume-V.S.taken.qcow2    what the operator had, and gave as the snapshot S of V
///     unmanaged-V.qcow2         what was V until it was given back to the operator
///     unmanaged-snapshot-S.qcow2  what rests on all that S froze, and keeps it there
///     *.tmp                     not complete
struct LayerName: Hashable, Sendable, CustomStringConvertible {
    static let temporarySuffix = ".tmp"
    private static let unmanagedSnapshotPrefix = "unmanaged-snapshot-"
    private static let maximumLength = 255

    let text: String
    var description: String { text }

    /// Nil unless `text` is a plain file name that this driver could have given. Whatever comes from the database or
    /// out of a header goes through here before it becomes part of a path.
    init?(_ text: String) {
        guard text.utf8.count <= Self.maximumLength, Self.isPlain(text), !text.hasSuffix(Self.temporarySuffix),
            text.hasSuffix(".qcow2") || text.hasSuffix(".raw"),
            text.hasPrefix("volume-") || text.hasPrefix("image-")
        else { return nil }
        self.text = text
    }

    private init(made text: String) { self.text = text }

    static func first(of volume: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).qcow2")
    }

    static func above(_ snapshot: VolumeSnapshotID, of volume: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).\(try checked(snapshot.rawValue)).qcow2")
    }

    static func frozen(_ volume: VolumeID, for clone: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).\(try checked(clone.rawValue)).frozen.qcow2")
    }

    static func numbered(_ number: Int, of volume: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).\(number).qcow2")
    }

    static func rawBase(of volume: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).base.raw")
    }

    static func image(_ id: String, isRaw: Bool) throws -> LayerName {
        LayerName(made: "image-\(try checked(id))\(isRaw ? ".raw" : ".qcow2")")
    }

    static func taken(_ snapshot: VolumeSnapshotID, of volume: VolumeID) throws -> LayerName {
        LayerName(made: "volume-\(try checked(volume.rawValue)).\(try checked(snapshot.rawValue)).taken.qcow2")
    }

    static func unmanaged(_ volume: VolumeID) throws -> String {
        "unmanaged-\(try checked(volume.rawValue)).qcow2"
    }

    static func unmanaged(_ snapshot: VolumeSnapshotID) throws -> String {
        "\(unmanagedSnapshotPrefix)\(try checked(snapshot.rawValue)).qcow2"
    }

    /// Whether an operator's file is one that a snapshot was given back as.
    static func namesSnapshot(_ file: String) -> Bool { file.hasPrefix(unmanagedSnapshotPrefix) }

    /// Whether the layer was made for this volume.
    func isLayer(of volume: VolumeID) -> Bool {
        text.hasPrefix("volume-\(volume.rawValue).")
    }

    var isRaw: Bool { text.hasSuffix(".raw") }
    var isVolumeLayer: Bool { text.hasPrefix("volume-") }
    var format: String { isRaw ? "raw" : "qcow2" }

    /// One path component of harmless characters that does not begin with a dot.
    static func isPlain(_ text: String) -> Bool {
        !text.isEmpty && !text.hasPrefix(".")
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                    || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                    || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
            }
    }

    private static func checked(_ id: String) throws -> String {
        guard UUIDText.isUUID(id) else { throw CloudError.badRequest("'\(id)' is not an id.") }
        return id
    }
}

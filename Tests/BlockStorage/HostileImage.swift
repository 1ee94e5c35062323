// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LinuxKit

/// Images that name a file of the host.
enum HostileImage: String, CaseIterable, Sendable {
    case qcow2Backing, qcow2DataFile, vmdkDescriptor, vmdkEmbedded, notWhatItSays

    var format: String {
        switch self {
        case .qcow2Backing, .qcow2DataFile, .notWhatItSays: "qcow2"
        case .vmdkDescriptor, .vmdkEmbedded: "vmdk"
        }
    }

    func write(in folder: VolumeTestFolder, naming secret: String) async throws -> String {
        let path = folder.file("hostile")
        let tool = "/usr/bin/qemu-img"
        switch self {
        case .qcow2Backing:
            try await Subprocess.runChecked(tool, ["create", "-q", "-f", "qcow2", "-b", secret, "-F", "raw", path])
        case .qcow2DataFile:
            let data = folder.file("data")
            try await Subprocess.runChecked(
                tool, ["create", "-q", "-f", "qcow2", "-o", "data_file=\(data),data_file_raw=on", path, "1M"])
        case .vmdkDescriptor: try FileSystem.writeAtomically(path, Self.descriptor(secret))
        case .vmdkEmbedded:
            // A sparse disk without a capacity: QEMU then reads the text behind the header and follows it.
            var bytes = [UInt8](repeating: 0, count: 4096)
            bytes.replaceSubrange(0..<8, with: [0x4B, 0x44, 0x4D, 0x56, 1, 0, 0, 0])
            bytes[28] = 1  // the text is at sector 1
            bytes[36] = 4  // and 4 sectors long
            let text = Array(Self.descriptor(secret).utf8)
            bytes.replaceSubrange(512..<512 + text.count, with: text)
            try FileSystem.writeAtomically(path, bytes)
        case .notWhatItSays: try FileSystem.writeAtomically(path, [UInt8](repeating: 0x41, count: 4096))
        }
        return path
    }

    private static func descriptor(_ secret: String) -> String {
        """
        # Disk DescriptorFile
        version=1
        CID=fffffffe
        parentCID=ffffffff
        createType="monolithicFlat"

        # Extent description
        RW 2048 FLAT "\(secret)" 0

        ddb.adapterType = "ide"

        """
    }
}

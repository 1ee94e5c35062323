// SPDX-License-Identifier: Apache-2.0

/// The formats that an image may declare (glance: `disk_formats`, `container_formats`).
package enum ImageFormats {
    package static let disk = [
        "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop",
    ]
    package static let container = ["ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed"]

    /// Containers that wrap the disk in another file format, which is not looked into.
    package static let opaqueContainers: Set<String> = ["ovf", "ova", "docker", "compressed"]

    /// Declared formats without a signature of their own: what is recognized as something else is refused.
    package static let withoutSignature: Set<String> = ["raw", "ami", "ari", "aki"]
}

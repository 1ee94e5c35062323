// SPDX-License-Identifier: Apache-2.0

/// How a container's listing shows an object: derived from what is written beside its bytes alone, so that a row can be
/// put again at any time.
extension ObjectRecord {
    package var row: ObjectRow {
        let prefix = "x-object-sysmeta-container-update-override-"
        var type = system[prefix + "content-type"] ?? contentType
        // The listing shows the size of a large object's content; the container counts the manifest's.
        if let size = system["x-object-sysmeta-slo-size"] { type += ";swift_bytes=\(size)" }
        return ObjectRow(
            name: path.object ?? "", time: modified,
            sizeBytes: system[prefix + "size"].flatMap(Int64.init) ?? sizeBytes,
            contentType: type, etag: system[prefix + "etag"] ?? etag)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CRBD
import Glibc

/// The images of one pool. Everything blocks: inside `RBDCluster.run` only.
struct RBDPool {
    let library: RBDLibrary
    let pool: UnsafeMutableRawPointer

    // MARK: Images

    func names() throws -> [String] {
        var count = 0
        var result = library.list(pool, nil, &count)
        // Others make images meanwhile; so ask until the room is enough.
        while result == -ERANGE {
            count += 16
            var images = [rbd_image_spec_t](repeating: rbd_image_spec_t(), count: count)
            result = library.list(pool, &images, &count)
            if result >= 0 {
                defer { library.freeList(&images, count) }
                return images[..<count].compactMap { $0.name.map { String(cString: $0) } }
            }
        }
        try check(result, "list", "images")
        return []
    }

    func exists(_ name: String) throws -> Bool {
        do {
            try with(name) { _ in }
            return true
        } catch let error as RBDError where error.code == ENOENT {
            return false
        }
    }

    func make(_ name: String, bytes: Int64) throws {
        try withOptions { options in try check(library.make(pool, name, UInt64(bytes), options), "create", name) }
    }

    func clone(_ parent: String, snapshot: String, as name: String) throws {
        try withOptions { options in
            try check(library.clone(pool, parent, snapshot, pool, name, options), "clone", name)
        }
    }

    /// Not an error when there is none.
    func remove(_ name: String) throws {
        let result = library.remove(pool, name)
        if result != -ENOENT { try check(result, "remove", name) }
    }

    func rename(_ name: String, to target: String) throws {
        try check(library.rename(pool, name, target), "rename", name)
    }

    // MARK: One image

    func size(_ name: String, snapshot: String? = nil) throws -> Int64 {
        try with(name, snapshot: snapshot) { image in
            var size: UInt64 = 0
            try check(library.size(image, &size), "size", name)
            return Int64(clamping: size)
        }
    }

    func madeSeconds(_ name: String) throws -> Int64 {
        try with(name) { image in
            var time = timespec()
            try check(library.madeAt(image, &time), "timestamp", name)
            return Int64(time.tv_sec)
        }
    }

    func resize(_ name: String, toBytes size: Int64) throws {
        try with(name) { try check(library.resize($0, UInt64(size)), "resize", name) }
    }

    func grow(_ name: String, toBytes size: Int64) throws {
        if try self.size(name) < size { try resize(name, toBytes: size) }
    }

    func flatten(_ name: String) throws {
        try with(name) { image in
            let result = library.flatten(image)
            // EINVAL: it has no parent.
            if result != -EINVAL { try check(result, "flatten", name) }
        }
    }

    /// The image that this one was cloned from.
    func parent(_ name: String) throws -> String? {
        try with(name) { image in
            var (parent, snapshot) = (rbd_linked_image_spec_t(), rbd_snap_spec_t())
            let result = library.parent(image, &parent, &snapshot)
            if result == -ENOENT { return nil }
            try check(result, "parent", name)
            defer {
                library.freeParent(&parent)
                library.freeParentSnapshot(&snapshot)
            }
            return parent.image_name.map { String(cString: $0) }
        }
    }

    /// Puts an empty LUKS container on an image.
    func encrypt(_ name: String, passphrase: String) throws {
        try with(name) { image in
            try passphrase.withCString { text in
                var options = rbd_encryption_luks1_format_options_t(
                    alg: RBD_ENCRYPTION_ALGORITHM_AES256, passphrase: text, passphrase_size: passphrase.utf8.count)
                try check(
                    library.encrypt(
                        image, RBD_ENCRYPTION_FORMAT_LUKS1, &options,
                        MemoryLayout<rbd_encryption_luks1_format_options_t>.size), "encrypt", name)
            }
        }
    }

    // MARK: Snapshots

    func snapshots(_ name: String) throws -> [String] {
        try with(name) { image in
            var count: Int32 = 16
            while true {
                var snapshots = [rbd_snap_info_t](repeating: rbd_snap_info_t(), count: Int(count))
                let result = library.snapshots(image, &snapshots, &count)
                if result == -ERANGE { continue }
                try check(result, "list snapshots of", name)
                if result == 0 { return [] }
                defer { library.freeSnapshots(&snapshots) }
                return snapshots[..<Int(result)].compactMap { $0.name.map { String(cString: $0) } }
            }
        }
    }

    /// Makes a snapshot that can be cloned.
    func ensureSnapshot(_ snapshot: String, of name: String) throws {
        try with(name) { image in
            let made = library.makeSnapshot(image, snapshot)
            if made != -EEXIST { try check(made, "snapshot", name) }
            let protected = library.protectSnapshot(image, snapshot)
            if protected != -EBUSY { try check(protected, "protect", name) }
        }
    }

    func hasChildren(_ snapshot: String, of name: String) throws -> Bool {
        try with(name, snapshot: snapshot) { image in
            var count = 8
            while true {
                var children = [rbd_linked_image_spec_t](repeating: rbd_linked_image_spec_t(), count: count)
                let result = library.children(image, &children, &count)
                if result == -ERANGE { continue }
                try check(result, "children of", name)
                defer { library.freeChildren(&children, count) }
                return count > 0
            }
        }
    }

    /// One that has no clones. Not an error when there is none.
    func removeSnapshot(_ snapshot: String, of name: String) throws {
        try with(name) { image in
            let unprotected = library.unprotectSnapshot(image, snapshot)
            if unprotected == -ENOENT { return }
            // EINVAL: it is not protected.
            if unprotected != -EINVAL { try check(unprotected, "unprotect", name) }
            let removed = library.removeSnapshot(image, snapshot)
            if removed != -ENOENT { try check(removed, "remove snapshot of", name) }
        }
    }

    func renameSnapshot(_ snapshot: String, of name: String, to target: String) throws {
        try with(name) { try check(library.renameSnapshot($0, snapshot, target), "rename snapshot of", name) }
    }

    func rollBack(_ name: String, to snapshot: String) throws {
        try with(name) { try check(library.rollBack($0, snapshot), "roll back", name) }
    }

    // MARK: Private

    private func with<T>(
        _ name: String, snapshot: String? = nil, _ body: (UnsafeMutableRawPointer) throws -> T
    ) throws -> T {
        var image: UnsafeMutableRawPointer?
        try check(library.open(pool, name, &image, snapshot), "open", name)
        guard let image else { preconditionFailure("an image without a handle") }
        defer { _ = library.close(image) }
        return try body(image)
    }

    /// Options as the cluster's configuration has them.
    private func withOptions(_ body: (UnsafeMutableRawPointer) throws -> Void) throws {
        var options: UnsafeMutableRawPointer?
        library.makeOptions(&options)
        guard let options else { preconditionFailure("options without a handle") }
        defer { library.freeOptions(options) }
        try body(options)
    }

    private func check(_ result: Int32, _ call: String, _ subject: String) throws(RBDError) {
        if result < 0 { throw RBDError(call: call, subject: subject, code: -result) }
    }
}

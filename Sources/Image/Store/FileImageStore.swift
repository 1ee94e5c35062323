// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc
import ImageContract
import LifecycleKit
import LogKit
import SecurityKit
import Synchronization

/// Image bytes as files in one directory: `<blob>` for whole images, `<blob>.part` while one arrives.
///
/// A blob's name appears in its image's row before its file exists and leaves it after, so a file that no row names is
/// waste. Files are never written again once they are whole, so that hosts may share them by hard link.
package struct FileImageStore: Sendable {
    /// Threads for reads, writes and digests: as many as there may be uploads before they share.
    package static let threads = 4
    static let partSuffix = ".part"

    package let directory: String
    let pool: BlockingPool
    private let log = Logger("image")

    package init(directory: String, pool: BlockingPool = BlockingPool("image-io", threads: FileImageStore.threads)) {
        self.directory = directory
        self.pool = pool
    }

    /// Creates the directory.
    package func prepare() async throws {
        let directory = directory
        try await pool.run {
            var path = ""
            for part in directory.split(separator: "/") {
                path += "/" + part
                let isLast = path == directory
                guard mkdir(path, isLast ? 0o711 : 0o755) == 0 || errno == EEXIST else {
                    throw FileCalls.failure("mkdir", path)
                }
            }
        }
    }

    func path(_ blob: String) -> String {
        precondition(!blob.isEmpty && !blob.contains("/") && !blob.hasPrefix("."), "not a blob's name")
        return directory + "/" + blob
    }

    // MARK: Writing

    /// Opens the file that one upload writes.
    func create(_ blob: String, algorithm: DigestAlgorithm = .sha512) async throws -> ImageFileWriter {
        let path = path(blob)
        return try await pool.run {
            let descriptor = Glibc.open(path + Self.partSuffix, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o444)
            guard descriptor >= 0 else { throw Self.cloudError(FileCalls.failure("open", path)) }
            return ImageFileWriter(path: path, descriptor: descriptor, algorithm: algorithm)
        }
    }

    /// Deletes a blob, whole or not. Not an error when there is none.
    package func remove(_ blob: String) async {
        let path = path(blob)
        do {
            try await pool.run {
                for name in [path, path + Self.partSuffix] where unlink(name) != 0 && errno != ENOENT {
                    throw FileCalls.failure("unlink", name)
                }
            }
        } catch {
            // The reconciler removes what no row names.
            log.warning("image file not removed", ["blob": blob, "error": "\(error)"])
        }
    }

    // MARK: Reading

    /// An open descriptor and the file's size; the caller closes it. Nil when there is no such file.
    package func open(_ blob: String) async throws -> (descriptor: Int32, sizeBytes: Int64)? {
        let path = path(blob)
        return try await pool.run {
            let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                if errno == ENOENT { return nil }
                throw Self.cloudError(FileCalls.failure("open", path))
            }
            var status = stat()
            guard fstat(descriptor, &status) == 0 else {
                let failure = FileCalls.failure("fstat", path)
                close(descriptor)
                throw Self.cloudError(failure)
            }
            return (descriptor, Int64(status.st_size))
        }
    }

    /// Puts the bytes at `target`: by hard link on the same file system, else by shared extents, else by copy.
    /// Returns false when there is no such blob.
    package func place(_ blob: String, at target: String, on threads: BlockingPool? = nil) async throws -> Bool {
        let source = path(blob)
        return try await (threads ?? pool).run {
            if link(source, target) == 0 { return true }
            switch errno {
            case ENOENT where access(source, F_OK) != 0: return false
            case EEXIST: throw FileCalls.failure("link", target)
            case EXDEV, EPERM, EMLINK, EOPNOTSUPP, EACCES: return try Self.copy(source, to: target)
            default: throw FileCalls.failure("link", target)
            }
        }
    }

    /// Copies beside the target and renames, so that a half file never stands under the target's name.
    private static func copy(_ source: String, to target: String) throws -> Bool {
        let from = Glibc.open(source, O_RDONLY | O_CLOEXEC)
        guard from >= 0 else {
            if errno == ENOENT { return false }
            throw FileCalls.failure("open", source)
        }
        defer { close(from) }
        let part = target + partSuffix
        // Of a process that died on the way: such a file is not opened for writing again.
        unlink(part)
        let into = Glibc.open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o444)
        guard into >= 0 else { throw FileCalls.failure("open", part) }
        do {
            defer { close(into) }
            try FileCalls.copy(from: from, to: into, path: part)
            guard fsync(into) == 0 else { throw FileCalls.failure("fsync", part) }
        } catch {
            unlink(part)
            throw error
        }
        guard rename(part, target) == 0 else {
            let failure = FileCalls.failure("rename", target)
            unlink(part)
            throw failure
        }
        return true
    }

    /// Puts the bytes into another store under the same name; nothing to do when they are there. False: this store has
    /// no such blob. A copy may take long: it runs on threads of its own.
    func copy(_ blob: String, to other: FileImageStore, on threads: BlockingPool) async throws -> Bool {
        do {
            return try await place(blob, at: other.path(blob), on: threads)
        } catch let failure as FileCalls.Failure {
            // What stands under the name is whole: it came there by a link or by a rename.
            if failure.errorNumber == EEXIST { return true }
            throw Self.cloudError(failure)
        }
    }

    /// Whether the blob is here, whole.
    func has(_ blob: String) async throws -> Bool {
        let path = path(blob)
        return try await pool.run { access(path, F_OK) == 0 }
    }

    // MARK: Sweeping

    /// The names of all files, with the suffix of those that are not whole.
    func files() async throws -> [String] {
        let directory = directory
        return try await pool.run { try FileCalls.names(in: directory) }
    }

    func removeFile(_ name: String) async throws {
        let path = directory + "/" + name
        try await pool.run {
            guard unlink(path) == 0 || errno == ENOENT else { throw FileCalls.failure("unlink", path) }
        }
    }

    /// Removes the files of blobs that nobody names, and returns their names.
    ///
    /// Files are listed before `named` is asked: a row names its file before the file exists, so what is listed and not
    /// named is waste, however busy the uploads are meanwhile.
    func removeWaste(unless named: () async throws -> Set<String>) async throws -> [String] {
        let files = try await files()
        let blobs = try await named()
        var removed: [String] = []
        for file in files {
            let isPart = file.hasSuffix(Self.partSuffix)
            let blob = isPart ? String(file.dropLast(Self.partSuffix.count)) : file
            guard Self.isBlob(blob), !blobs.contains(blob) else { continue }
            try await removeFile(file)
            removed.append(file)
        }
        return removed
    }

    /// Whether this program made the name: an image's id, a dot, twelve digits. Nothing else is ever touched.
    private static func isBlob(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && UUIDText.isUUID(String(parts[0])) && parts[1].utf8.count == 12
            && parts[1].utf8.allSatisfy { Hex.value($0) != nil }
    }

    /// What the caller hears of a failed call: a full disk is said as such.
    static func cloudError(_ failure: FileCalls.Failure) -> CloudError {
        switch failure.errorNumber {
        case ENOSPC, EDQUOT, EFBIG:
            CloudError(.tooLarge, "Image storage media is full.", cause: failure.description)
        case EACCES, EPERM, EROFS:
            CloudError(.unavailable, "Insufficient permissions on image storage media.", cause: failure.description)
        default:
            CloudError(.bug, "The image data could not be stored.", cause: failure.description)
        }
    }
}

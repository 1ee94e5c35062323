// SPDX-License-Identifier: Apache-2.0
import BaseKit
import Glibc

/// Reads what a response would send, and closes the file as the server does.
func read(_ descriptor: Int32, _ offset: Int64, _ length: Int64) throws -> [UInt8] {
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: Int(length))
    let count = pread(descriptor, &bytes, bytes.count, off_t(offset))
    guard count == bytes.count else { throw CloudError(.bug, "read \(count) of \(length) bytes") }
    return bytes
}

func content(of path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { throw CloudError(.bug, "cannot open \(path)") }
    let size = lseek(descriptor, 0, SEEK_END)
    return try read(descriptor, 0, Int64(size))
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

func makeFile(_ path: String) {
    let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
    if descriptor >= 0 { close(descriptor) }
}

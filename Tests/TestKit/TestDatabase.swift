// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import DatabaseSQLite
import Glibc

package enum TestDatabase {
    /// A database in memory with the tables of `migrations`.
    package static func make(_ migrations: [Migration]...) async throws -> SQLiteDatabase {
        let database = try SQLiteDatabase.inMemory()
        try await Migrator.apply(migrations.flatMap { $0 }, to: database)
        return database
    }
}

/// Gives `body` an empty directory of its own, and removes it with all its files.
package func withTemporaryDirectory<T>(_ body: (_ path: String) async throws -> T) async throws -> T {
    var template = Array("/tmp/haneul-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw CloudError(.bug, "mkdtemp failed", cause: "errno \(errno)") }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { removeTree(path) }
    return try await body(path)
}

/// Best effort: a left-over in /tmp is no failure of the test.
private func removeTree(_ path: String) {
    if let directory = opendir(path) {
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                tuple.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { removeTree("\(path)/\(name)") }
        }
        closedir(directory)
    }
    remove(path)
}

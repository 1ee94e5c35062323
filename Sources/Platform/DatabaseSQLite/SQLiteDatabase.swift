// SPDX-License-Identifier: Apache-2.0
import BaseKit
import DatabaseKit
import Glibc

/// A database in one file (and its `-wal` and `-shm`): one writer, several readers, each on a thread of its own.
///
/// A write is on the disk when it returns. A write runs to its end even when its caller is cancelled; a read that
/// has not begun then throws `CancellationError`.
package final class SQLiteDatabase: Database {
    private let writer: SQLiteWriter
    /// Nil: the database lives in the memory of one connection, so reads run on the writer's thread.
    private let readers: SQLiteReaders?

    package let dialect = SQLDialect.sqlite

    /// Opens, or creates, the file. Blocks for a moment: call it once, at the start.
    package init(path: String, readers: Int = 4) throws {
        precondition(readers > 0)
        Self.makePrivateFile(path)
        writer = SQLiteWriter(try SQLiteConnection(path: path, role: .writer))
        self.readers = SQLiteReaders(path: path, count: readers)
    }

    /// The file holds secrets. SQLite gives its `-wal` and `-shm` the same mode. Never opens a file that exists:
    /// closing it would drop the locks that this process has on it. A failure shows when SQLite opens the file.
    private static func makePrivateFile(_ path: String) {
        let descriptor = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { Glibc.close(descriptor) }
    }

    private init(memory connection: SQLiteConnection) {
        writer = SQLiteWriter(connection)
        readers = nil
    }

    /// An empty database that ends with this object, for tests. Reads and writes take turns.
    package static func inMemory() throws -> SQLiteDatabase {
        SQLiteDatabase(memory: try SQLiteConnection(path: ":memory:", role: .writer))
    }

    deinit { writer.close() }

    package func read<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        if let readers { return try await readers.read(body) }
        return try await writer.call(isWrite: false, body)
    }

    @discardableResult
    package func write<T: Sendable>(_ body: @escaping @Sendable (any Transaction) throws -> T) async throws -> T {
        try await writer.call(isWrite: true, body)
    }

    /// Ends the threads after the work they have. The log is merged into the file, so that one file is the database.
    package func close() async {
        readers?.close()
        writer.close()
        await writer.ended()
    }
}

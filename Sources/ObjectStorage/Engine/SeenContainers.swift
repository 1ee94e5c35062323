// SPDX-License-Identifier: Apache-2.0
import ObjectStorageContract
import Synchronization

/// The containers that one request has looked at: several features ask for the same one, and see the same.
package final class SeenContainers: Sendable {
    private static let limit = 64
    private let records = Mutex<[ObjectPath: Found]>([:])

    /// Nil inside: it was looked for and is not there.
    package struct Found: Sendable { package let record: IndexRecord? }

    package init() {}

    func record(_ path: ObjectPath) -> Found? { records.withLock { $0[path] } }

    func put(_ path: ObjectPath, _ record: IndexRecord?) {
        records.withLock { records in
            if records.count >= Self.limit { records.removeAll() }
            records[path] = Found(record: record)
        }
    }

    /// After it was made, changed or deleted.
    package func forget(_ path: ObjectPath) { records.withLock { $0[path.ofContainer] = nil } }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LifecycleKit
import LogKit
import Synchronization

/// Opens the store of backups when the process starts, looks after it, and knows how it is: nobody who asks for that
/// makes this host mount anything.
package final class BackupStoreWatch: Service {
    package let name = "backup store"
    private static let interval = Duration.seconds(15)
    /// A check that takes longer hangs in the store.
    private static let patience = Duration.seconds(60)

    private struct Knowledge {
        var report: Result<String, CloudError>
        var checkedAt: ContinuousClock.Instant
    }

    private let store: any BackupStore
    private let knowledge = Mutex<Knowledge?>(nil)
    private let log = Logger("backup-store")

    package init(_ store: any BackupStore) { self.store = store }

    package func run() async throws {
        var wasThere: Bool?
        while !Task.isCancelled {
            do {
                let report = try await store.check()
                note(.success(report))
                if wasThere != true { log.info("backup store is there", ["store": report]) }
                wasThere = true
            } catch is CancellationError {
                return
            } catch {
                note(.failure(CloudError(describing: error)))
                if wasThere != false { log.error("backup store cannot be reached", ["error": "\(error)"]) }
                wasThere = false
            }
            do { try await Task.sleep(for: Self.interval) } catch { return }
        }
    }

    private func note(_ report: Result<String, CloudError>) {
        knowledge.withLock { $0 = Knowledge(report: report, checkedAt: .now) }
    }

    /// How the store is, as of the last check.
    package func report() throws -> String {
        guard let known = knowledge.withLock({ $0 }), ContinuousClock.now - known.checkedAt < Self.patience else {
            throw CloudError(.unavailable, "does not answer")
        }
        return try known.report.get()
    }
}

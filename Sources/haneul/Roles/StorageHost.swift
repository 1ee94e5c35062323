// SPDX-License-Identifier: Apache-2.0
import BaseKit
import HTTPServer
import LifecycleKit
import LogKit
import ObjectStorageDriverDisk
import ObjectStorageDriverRemote

/// The role `storage`: disks of one host, served to the controllers of a cloud.
package struct StorageHost: Sendable {
    package struct Settings: Sendable {
        /// What the rings call this host.
        package var endpoint: String
        package var directories: [String]
        package var key: ClusterKey
        package var limits = HTTPLimits()

        package init(endpoint: String, directories: [String], key: ClusterKey) {
            self.endpoint = endpoint
            self.directories = directories
            self.key = key
        }
    }

    /// What runs, in the order of starting: the disks end after the last request.
    package let services: [any Service]

    package init(_ settings: Settings, listener: Listener) {
        let handler = StorageDeviceHandler(endpoint: settings.endpoint, key: settings.key)
        var limits = settings.limits
        // The controllers are who sees to slow clients: an object comes as fast as its own client sends it.
        limits.bodyProgressTime = .seconds(300)
        limits.idleTime = .seconds(300)
        let server = HTTPServer(listeners: [listener], handler: handler, limits: limits)
        let disks = settings.directories.map { ServedDisk(path: $0, handler: handler) }
        services = disks + [HandleTimer(handler: handler), server]
    }
}

/// One disk, from when it is there. A host with a disk that is gone serves the others.
private struct ServedDisk: Service {
    private static let retryTime = Duration.seconds(10)

    let path: String
    let handler: StorageDeviceHandler
    private let log = Logger("object-storage")

    init(path: String, handler: StorageDeviceHandler) {
        self.path = path
        self.handler = handler
    }

    var name: String { "served disk \(path)" }

    func run() async throws {
        var isTold = false
        while !Task.isCancelled {
            do {
                let disk = try await DiskDevice.open(path)
                handler.attach(disk, path: path)
                log.info("device served", ["path": path])
                try await disk.run()
                handler.detach(path: path)
            } catch {
                if !isTold, !Task.isCancelled {
                    log.error("device not opened; it is tried again", ["path": path, "error": "\(error)"])
                    isTold = true
                }
            }
            if Task.isCancelled { break }
            try? await Task.sleep(for: Self.retryTime)  // an early end means cancellation, which the loop sees
        }
    }
}

/// Closes what readers have left open.
private struct HandleTimer: Service {
    let name = "object-storage-handles"
    let handler: StorageDeviceHandler

    func run() async throws {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(30))  // an early end means cancellation, which the loop sees
            await handler.closeIdleObjects()
        }
    }
}

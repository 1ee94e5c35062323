// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import DatabaseKit
import ImageContract
import PolicyKit
import TaskKit

/// Help for guests that are in trouble.
extension ServerEngine {
    /// Accepts a boot from another disk: of `image`, or of the one that the server was made of (nova: compute/api.py,
    /// `rescue`). `allowsVolume`: servers that boot from volumes, too (2.87).
    package func rescue(
        _ id: ServerID, image: String?, adminPassword: String, allowsVolume: Bool, for context: CallContext
    ) async throws {
        let server = try await server(id, for: .rescue, context, as: "os_compute_api:os-rescue")
        let image = try await rescueImage(image, server, context)
        let stores = stores
        let devices = try await parts.database.read { try stores.blockDevices.of(id, $0) }
        do {
            try await checkAttached(devices, context)
        } catch let error as CloudError where error.kind == "InvalidVolume" {
            throw CloudError.conflict(error.message, kind: error.kind)
        }
        let (device, bus) = (image?.properties["hw_rescue_device"], image?.properties["hw_rescue_bus"])
        if devices.contains(where: { $0.isRoot && $0.isVolume }) {
            guard allowsVolume, device != nil, bus != nil else {
                throw CloudError.badRequest(
                    "Instance \(id) cannot be rescued: Cannot rescue a volume-backed instance",
                    kind: "InstanceNotRescuable")
            }
        }
        guard let host = server.host else { throw Self.notReady(id) }
        guard let image else { throw Self.unsupportedImage(server.imageID?.rawValue ?? "") }
        let ledger = RescueServerSaga.Ledger(
            server: id, requestID: context.requestID, host: host,
            rescue: .init(
                image: .init(
                    imageID: image.id.rawValue, format: image.diskFormat ?? "raw",
                    virtualSizeBytes: image.virtualSizeBytes, properties: image.properties),
                isStable: device != nil || bus != nil, bus: bus, device: device ?? "disk"),
            adminPassword: server.hasConfigDrive ? adminPassword : nil,
            graceSeconds: server.state.vm == .active ? Int(parts.config.shutdownGrace.components.seconds) : 0)
        let sagas = sagas
        try await begin(.rescue, on: id, for: context) { _, run, transaction in
            try sagas.start(RescueServerSaga.self, id: run, ledger: ledger, in: transaction)
        }
    }

    private func rescueImage(
        _ wanted: String?, _ server: Server, _ context: CallContext
    ) async throws -> ImageInfo? {
        guard let wanted else { return try await imageSource(of: server) }
        guard let image = try await parts.images.image(ID(wanted), for: context.principal), image.status == "active",
            let container = image.containerFormat, Self.bootableContainers.contains(container),
            // An image that names snapshots of volumes has no bytes of its own.
            image.properties["block_device_mapping"] == nil
        else { throw Self.unsupportedImage(wanted) }
        return image
    }

    private static func unsupportedImage(_ image: String) -> CloudError {
        .badRequest("Requested rescue image '\(image.prefix(64))' is not supported", kind: "UnsupportedRescueImage")
    }

    package func unrescue(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: .unrescue, context, as: "os_compute_api:os-unrescue")
        guard let host = server.host else { throw Self.notReady(id) }
        let (sagas, request) = (sagas, context.requestID)
        try await begin(.unrescue, on: id, for: context) { server, run, transaction in
            try sagas.start(
                UnrescueServerSaga.self, id: run, ledger: .init(server: server.id, requestID: request, host: host),
                in: transaction)
        }
    }

    // MARK: Inside

    /// nova: vm_states.py, `ALLOW_TRIGGER_CRASH_DUMP`.
    private static let crashableStates: Set<VMState> = [.active, .paused, .rescued, .resized, .error]

    /// The guest decides what comes of it, so the server stays what it is.
    package func triggerCrashDump(_ id: ServerID, for context: CallContext) async throws {
        let server = try await server(id, for: context, as: "os_compute_api:servers:trigger_crash_dump")
        try Self.checkLock(server, context)
        guard let host = server.host else { throw Self.notReady(id) }
        guard server.state.task == nil, Self.crashableStates.contains(server.state.vm) else {
            throw Self.invalidState(server, "trigger_crash_dump")
        }
        let (stores, clock, request, user) = (stores, parts.clock, context.requestID, context.principal.userID)
        try await parts.database.write {
            try stores.actions.begin(
                id, action: "trigger_crash_dump", event: "compute_trigger_crash_dump", request: request, user: user,
                project: server.projectID, at: clock.now(), $0)
        }
        var failure: CloudError?
        do {
            _ = try await parts.call(host, TriggerCrashDump(server: id), timeout: .seconds(30))
        } catch let error as CloudError {
            failure = error
        }
        let outcome = failure
        try await parts.database.write {
            try stores.actions.finish(id, request: request, error: outcome, host: host, at: clock.now(), $0)
        }
        if let outcome { throw outcome }
    }

    /// Returns when the guest has the password. The row says so meanwhile; a process that dies in between leaves that to
    /// the reconciler, and the password nowhere.
    package func changePassword(_ id: ServerID, to password: String, for context: CallContext) async throws {
        let server = try await server(id, for: .changePassword, context, as: "os_compute_api:os-admin-password")
        let properties = try await imageProperties(of: server)
        guard let host = server.host else { throw Self.notReady(id) }
        // nova: virt/libvirt/driver.py, `_can_set_admin_password`.
        guard ["yes", "true", "1", "on"].contains(properties["hw_qemu_guest_agent"]?.lowercased() ?? "") else {
            throw CloudError.conflict("QEMU guest agent is not enabled", kind: "QemuGuestAgentNotEnabled")
        }
        let user = properties["os_admin_user"] ?? (properties["os_type"] == "windows" ? "Administrator" : "root")
        let run: SagaRunID = parts.ids.next()
        try await begin(.changePassword, on: id, for: context, run: run) { _, _, _ in }
        var failure: CloudError?
        do {
            _ = try await parts.call(
                host, SetGuestPassword(server: id, user: user, password: password), timeout: .seconds(60))
        } catch let error as CloudError {
            failure = error
        }
        try await endPasswordChange(id, run, failure, host, request: context.requestID)
        if let failure { throw failure }
    }

    private func endPasswordChange(
        _ id: ServerID, _ run: SagaRunID, _ failure: CloudError?, _ host: String, request: String
    ) async throws {
        let (stores, now) = (stores, parts.clock.now())
        try await parts.database.write { transaction in
            if let server = try stores.servers.server(id, transaction), server.sagaRun == run,
                let state = server.state.after(.workFinished(.changePassword, server.state.vm))
            {
                _ = try stores.servers.move(server, to: state, run: nil, at: now, transaction)
            }
            try stores.actions.finish(id, request: request, error: failure, host: host, at: now, transaction)
        }
    }
}

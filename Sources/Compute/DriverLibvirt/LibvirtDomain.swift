// SPDX-License-Identifier: Apache-2.0
import BaseKit
import CLibvirt
import ComputeContract
import Glibc

/// One domain of libvirt. Every call blocks.
struct LibvirtDomain: ~Copyable {
    /// Names our part of a domain's `<metadata>`; a domain without it is somebody else's.
    static let metadataNamespace = "urn:haneul:instance:1"

    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { virDomainFree(pointer) }

    func serverID() throws(LibvirtError) -> ServerID {
        guard let text = Self.uuid(of: pointer) else { throw LibvirtError.last() }
        return ServerID(text)
    }

    /// Also for domains that somebody else owns, as in an event.
    static func uuid(of pointer: OpaquePointer?) -> String? {
        let length = Int(VIR_UUID_STRING_BUFLEN)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: length) { buffer in
            guard let start = buffer.baseAddress, virDomainGetUUIDString(pointer, start) == 0 else { return nil }
            return String(cString: start)
        }
    }

    func powerState() throws(LibvirtError) -> PowerState {
        var state: Int32 = 0
        var reason: Int32 = 0
        try succeed(virDomainGetState(pointer, &state, &reason, 0))
        switch virDomainState(rawValue: UInt32(state)) {
        // A guest that is shutting down still runs until it is off.
        case VIR_DOMAIN_RUNNING, VIR_DOMAIN_BLOCKED, VIR_DOMAIN_SHUTDOWN: return .running
        case VIR_DOMAIN_PAUSED: return .paused
        case VIR_DOMAIN_CRASHED: return .crashed
        case VIR_DOMAIN_PMSUSPENDED: return .suspended
        case VIR_DOMAIN_SHUTOFF: return try hasSavedState() ? .suspended : .shutdown
        default: return .noState
        }
    }

    /// Nil when the domain is not ours, or went away while it was looked at.
    func ownPowerState() throws(LibvirtError) -> PowerState? {
        do throws(LibvirtError) {
            return try isOurs() ? try powerState() : nil
        } catch {
            guard error.isCode(VIR_ERR_NO_DOMAIN) else { throw error }
            return nil
        }
    }

    private func isOurs() throws(LibvirtError) -> Bool {
        let kind = Int32(VIR_DOMAIN_METADATA_ELEMENT.rawValue)
        guard let text = virDomainGetMetadata(pointer, kind, Self.metadataNamespace, 0) else {
            let error = LibvirtError.last()
            guard error.isCode(VIR_ERR_NO_DOMAIN_METADATA) else { throw error }
            return false
        }
        free(text)
        return true
    }

    /// Whether its memory lies on disk, so that the next start goes on where it was.
    func hasSavedState() throws(LibvirtError) -> Bool { try succeed(virDomainHasManagedSaveImage(pointer, 0)) == 1 }

    func dropSavedState() throws(LibvirtError) { try succeed(virDomainManagedSaveRemove(pointer, 0)) }

    func start() throws(LibvirtError) { try succeed(virDomainCreate(pointer)) }

    /// Presses the power button.
    func askToPowerOff() throws(LibvirtError) {
        try succeed(virDomainShutdownFlags(pointer, UInt32(VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN.rawValue)))
    }

    /// Pulls the plug. Not an error when it is off.
    func powerOff() throws(LibvirtError) {
        do throws(LibvirtError) {
            try succeed(virDomainDestroy(pointer))
        } catch {
            guard error.isCode(VIR_ERR_OPERATION_INVALID) || error.isCode(VIR_ERR_NO_DOMAIN) else { throw error }
        }
    }

    func pause() throws(LibvirtError) { try succeed(virDomainSuspend(pointer)) }

    func unpause() throws(LibvirtError) { try succeed(virDomainResume(pointer)) }

    /// Writes the memory to disk and ends the process. The next start goes on running.
    func save() throws(LibvirtError) {
        try succeed(virDomainManagedSave(pointer, UInt32(VIR_DOMAIN_SAVE_RUNNING.rawValue)))
    }

    /// Makes libvirt forget it, with saved memory and firmware variables. Not an error when it is gone.
    func undefine() throws(LibvirtError) {
        let flags =
            VIR_DOMAIN_UNDEFINE_MANAGED_SAVE.rawValue | VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA.rawValue
            | VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA.rawValue | VIR_DOMAIN_UNDEFINE_NVRAM.rawValue
        do throws(LibvirtError) {
            try succeed(virDomainUndefineFlags(pointer, UInt32(flags)))
        } catch {
            guard error.isCode(VIR_ERR_NO_DOMAIN) else { throw error }
        }
    }
}

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

    /// For calls that are declared elsewhere; valid as long as this domain is.
    var handle: OpaquePointer { pointer }

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

    // MARK: Disks

    var isActive: Bool { get throws(LibvirtError) { try succeed(virDomainIsActive(pointer)) == 1 } }

    /// What the next start makes of it.
    func definition() throws(LibvirtError) -> DomainDocument {
        try document(
            virDomainGetXMLDesc(
                pointer, UInt32(VIR_DOMAIN_XML_INACTIVE.rawValue | VIR_DOMAIN_XML_SECURE.rawValue)))
    }

    /// What runs now.
    func liveDocument() throws(LibvirtError) -> DomainDocument {
        try document(virDomainGetXMLDesc(pointer, UInt32(VIR_DOMAIN_XML_SECURE.rawValue)))
    }

    /// What a start from the saved memory makes of it.
    func savedDocument() throws(LibvirtError) -> DomainDocument {
        try document(
            virDomainManagedSaveGetXMLDesc(pointer, UInt32(VIR_DOMAIN_SAVE_IMAGE_XML_SECURE.rawValue)))
    }

    func setSavedDocument(_ document: DomainDocument) throws(LibvirtError) {
        try succeed(virDomainManagedSaveDefineXML(pointer, document.text, 0))
    }

    private func document(_ text: UnsafeMutablePointer<CChar>?) throws(LibvirtError) -> DomainDocument {
        guard let text else { throw LibvirtError.last() }
        defer { free(text) }
        do {
            return DomainDocument(try XMLReader.read(String(cString: text)))
        } catch {
            throw LibvirtError(code: 0, message: "\(error)")
        }
    }

    func plug(_ disk: String) throws(LibvirtError) {
        try succeed(virDomainAttachDeviceFlags(pointer, disk, UInt32(VIR_DOMAIN_AFFECT_LIVE.rawValue)))
    }

    /// Asks the guest to let the disk go. It is gone when it is in `liveDocument` no more.
    func unplug(_ disk: String) throws(LibvirtError) {
        try succeed(virDomainDetachDeviceFlags(pointer, disk, UInt32(VIR_DOMAIN_AFFECT_LIVE.rawValue)))
    }

    /// Disks go on in files that are there already and read as the old ones.
    func switchDisks(_ snapshot: String) throws(LibvirtError) {
        let flags =
            VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY.rawValue | VIR_DOMAIN_SNAPSHOT_CREATE_REUSE_EXT.rawValue
            | VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA.rawValue | VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC.rawValue
        guard let result = virDomainSnapshotCreateXML(pointer, snapshot, UInt32(flags)) else {
            throw LibvirtError.last()
        }
        virDomainSnapshotFree(result)
    }

    func beginCopy(of target: String, xml: String) throws(LibvirtError) {
        // A job that goes with the process of a guest that libvirt keeps.
        let flags = VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB.rawValue
        try succeed(virDomainBlockCopy(pointer, target, xml, nil, 0, UInt32(flags)))
    }

    /// To what is there already, empty and as large as the disk. Once both are equal, a write ends when both have it, so
    /// that a guest which writes much cannot keep the copy from becoming equal.
    func beginMove(of target: String, xml: String) throws(LibvirtError) {
        let flags =
            VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB.rawValue | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT.rawValue
            | VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES.rawValue
        try succeed(virDomainBlockCopy(pointer, target, xml, nil, 0, UInt32(flags)))
    }

    /// Bytes that are copied; nil: nothing is.
    func copiedBytes(of target: String) throws(LibvirtError) -> Int64? {
        var info = virDomainBlockJobInfo()
        guard try succeed(virDomainGetBlockJobInfo(pointer, target, &info, 0)) == 1 else { return nil }
        return Int64(clamping: info.cur)
    }

    /// The disk goes on in the copy; returns when the old place is closed.
    func endMove(of target: String) throws(LibvirtError) {
        try succeed(virDomainBlockJobAbort(pointer, target, UInt32(VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT.rawValue)))
    }

    /// Whether the copy is equal to the disk; nil: nothing is copied.
    func isCopyReady(of target: String) throws(LibvirtError) -> Bool? {
        var info = virDomainBlockJobInfo()
        guard try succeed(virDomainGetBlockJobInfo(pointer, target, &info, 0)) == 1 else { return nil }
        // The numbers may agree for a moment before that.
        guard info.cur == info.end, info.end > 0 else { return false }
        let disk = try liveDocument().disks.first { DomainDocument.target($0) == target }
        return disk?.first("mirror")?["ready"] == "yes"
    }

    /// The disk goes on where it was; the copy is what it was at this moment.
    func endCopy(of target: String) throws(LibvirtError) {
        try succeed(virDomainBlockJobAbort(pointer, target, 0))
    }

    func resize(_ target: String, toBytes size: Int64) throws(LibvirtError) {
        try succeed(
            virDomainBlockResize(
                pointer, target, UInt64(size), UInt32(VIR_DOMAIN_BLOCK_RESIZE_BYTES.rawValue)))
    }

    // MARK: Counters

    /// In KiB, and the number of virtual processors.
    func memory() throws(LibvirtError) -> (maximum: Int64, used: Int64, cpus: Int) {
        var info = virDomainInfo()
        try succeed(virDomainGetInfo(pointer, &info))
        return (Int64(info.maxMem), Int64(info.memory), Int(info.nrVirtCpu))
    }

    /// By libvirt's names. Empty: the guest does not tell.
    func memoryStatistics() -> [String: Int64] {
        let names = [
            "swap_in", "swap_out", "major_fault", "minor_fault", "unused", "available", "actual", "rss", "usable",
            "last_update", "disk_caches", "hugetlb_pgalloc", "hugetlb_pgfail",
        ]
        var statistics = [virDomainMemoryStatStruct](repeating: .init(), count: names.count)
        // SAFETY: the array has room for as many as are asked for, and lives through the call.
        let count = virDomainMemoryStats(pointer, &statistics, UInt32(names.count), 0)
        guard count > 0 else { return [:] }
        var values: [String: Int64] = [:]
        for statistic in statistics.prefix(Int(count)) where statistic.tag >= 0 && statistic.tag < names.count {
            values[names[Int(statistic.tag)]] = Int64(clamping: statistic.val)
        }
        return values
    }

    func cpus(_ count: Int) -> [GuestDiagnostics.CPU] {
        var infos = [virVcpuInfo](repeating: .init(), count: max(count, 1))
        // SAFETY: the array has room for as many as are asked for, and lives through the call.
        let found = virDomainGetVcpus(pointer, &infos, Int32(infos.count), nil, 0)
        guard found > 0 else { return (0..<count).map { .init(id: $0, timeNanoseconds: nil) } }
        return infos.prefix(Int(found)).map {
            .init(id: Int($0.number), timeNanoseconds: Int64(clamping: $0.cpuTime))
        }
    }

    func disk(_ target: String) -> GuestDiagnostics.Disk {
        var disk = GuestDiagnostics.Disk(device: target)
        var statistics = virDomainBlockStatsStruct()
        guard virDomainBlockStats(pointer, target, &statistics, MemoryLayout.size(ofValue: statistics)) == 0 else {
            return disk
        }
        func known(_ value: Int64) -> Int64? { value < 0 ? nil : value }
        disk.readRequests = known(statistics.rd_req)
        disk.readBytes = known(statistics.rd_bytes)
        disk.writeRequests = known(statistics.wr_req)
        disk.writeBytes = known(statistics.wr_bytes)
        disk.errors = known(statistics.errs)
        return disk
    }

    func nic(_ macAddress: String, _ device: String?) -> GuestDiagnostics.NIC {
        var nic = GuestDiagnostics.NIC(macAddress: macAddress, device: device)
        var statistics = virDomainInterfaceStatsStruct()
        guard let device,
            virDomainInterfaceStats(pointer, device, &statistics, MemoryLayout.size(ofValue: statistics)) == 0
        else { return nic }
        nic.received = .init(
            bytes: statistics.rx_bytes, packets: statistics.rx_packets, errors: statistics.rx_errs,
            drops: statistics.rx_drop)
        nic.sent = .init(
            bytes: statistics.tx_bytes, packets: statistics.tx_packets, errors: statistics.tx_errs,
            drops: statistics.tx_drop)
        return nic
    }
}

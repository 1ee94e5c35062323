// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract
import CLibvirt
import ComputeContract
import Glibc

/// libvirt's calls about the host, on one open connection. Every call blocks.
struct LibvirtHost: ~Copyable {
    private let connection: OpaquePointer

    init(_ connection: OpaquePointer) { self.connection = connection }

    /// Nil when there is no such domain.
    func domain(_ server: ServerID) throws(LibvirtError) -> LibvirtDomain? {
        if let pointer = virDomainLookupByUUIDString(connection, server.rawValue) { return LibvirtDomain(pointer) }
        let error = LibvirtError.last()
        guard error.isCode(VIR_ERR_NO_DOMAIN) else { throw error }
        return nil
    }

    /// Makes the domain known, or changes the one with the same id.
    func define(_ xml: String) throws(LibvirtError) -> LibvirtDomain {
        guard let pointer = virDomainDefineXML(connection, xml) else { throw LibvirtError.last() }
        return LibvirtDomain(pointer)
    }

    /// Every guest that carries our mark, running or not.
    func guests() throws(LibvirtError) -> [ServerID: PowerState] {
        var list: UnsafeMutablePointer<OpaquePointer?>?
        let count = try succeed(virConnectListAllDomains(connection, &list, 0))
        defer { free(list) }
        var guests: [ServerID: PowerState] = [:]
        for index in 0..<Int(count) {
            guard let pointer = list?[index] else { continue }
            // Owned from here on, so that an early throw leaks only what is left of a list that nobody can use.
            let domain = LibvirtDomain(pointer)
            guard let state = try domain.ownPowerState() else { continue }
            guests[try domain.serverID()] = state
        }
        return guests
    }

    // MARK: Secrets

    /// Makes the secret known, or gives the one with the same id its value.
    func setSecret(_ secret: VolumeSecret) throws(LibvirtError) {
        guard let pointer = virSecretDefineXML(connection, secret.xml(), 0) else { throw LibvirtError.last() }
        defer { virSecretFree(pointer) }
        let result = secret.value.withUnsafeBufferPointer { virSecretSetValue(pointer, $0.baseAddress, $0.count, 0) }
        try succeed(result)
    }

    /// Not an error when there is none.
    func removeSecret(_ id: String) throws(LibvirtError) {
        guard let pointer = virSecretLookupByUUIDString(connection, id) else {
            let error = LibvirtError.last()
            guard error.isCode(VIR_ERR_NO_SECRET) else { throw error }
            return
        }
        defer { virSecretFree(pointer) }
        do throws(LibvirtError) {
            try succeed(virSecretUndefine(pointer))
        } catch {
            guard error.isCode(VIR_ERR_NO_SECRET) else { throw error }
        }
    }

    func removeSecrets(of volume: VolumeID) throws(LibvirtError) {
        for kind in VolumeSecret.Kind.allCases { try removeSecret(VolumeSecret.id(kind, volume)) }
    }

    // MARK: Facts

    func nodeInfo() throws(LibvirtError) -> virNodeInfo {
        var info = virNodeInfo()
        try succeed(virNodeGetInfo(connection, &info))
        return info
    }

    /// What guests may have that `emulator` runs with the default machine.
    func guestCapabilities(
        emulator: String, _ virtualization: LibvirtConfig.Virtualization
    ) throws -> GuestCapabilities {
        guard let text = virConnectGetDomainCapabilities(connection, emulator, nil, nil, virtualization.rawValue, 0)
        else { throw LibvirtError.last() }
        defer { free(text) }
        return GuestCapabilities(try XMLReader.read(String(cString: text)))
    }

    /// What a processor has in guests that `emulator` runs, by libvirt's names: less than its model says when the host
    /// or QEMU lacks something. Nil when libvirt does not know it.
    func features(
        of processor: String, emulator: String, _ virtualization: LibvirtConfig.Virtualization
    ) throws -> Set<String>? {
        let text = processor.withCString { processor in
            var list: [UnsafePointer<CChar>?] = [processor]
            return virConnectBaselineHypervisorCPU(
                connection, emulator, nil, nil, virtualization.rawValue, &list, 1,
                UInt32(VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES.rawValue))
        }
        guard let text else {
            let error = LibvirtError.last()
            // Its word for an unknown model is the first, which it also uses when a connection breaks.
            let codes = [
                VIR_ERR_INTERNAL_ERROR, VIR_ERR_NO_SUPPORT, VIR_ERR_CONFIG_UNSUPPORTED, VIR_ERR_OPERATION_UNSUPPORTED,
                VIR_ERR_CPU_INCOMPATIBLE,
            ]
            guard codes.contains(where: { error.isCode($0) }), virConnectIsAlive(connection) == 1 else { throw error }
            return nil
        }
        defer { free(text) }
        return GuestCapabilities.features(of: try XMLReader.read(String(cString: text)))
    }

    /// QEMU's version: 1,000,000 × major + 1,000 × minor + release.
    func version() throws(LibvirtError) -> Int {
        var version: UInt = 0
        try succeed(virConnectGetVersion(connection, &version))
        return Int(version)
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
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

    func nodeInfo() throws(LibvirtError) -> virNodeInfo {
        var info = virNodeInfo()
        try succeed(virNodeGetInfo(connection, &info))
        return info
    }

    /// QEMU's version: 1,000,000 × major + 1,000 × minor + release.
    func version() throws(LibvirtError) -> Int {
        var version: UInt = 0
        try succeed(virConnectGetVersion(connection, &version))
        return Int(version)
    }
}

// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import ComputeCore
import NetworkContract
import PolicyKit

/// Writes servers as one call shall see them. What is the same for all of a list is decided once, here; the rest goes
/// straight into the bytes (nova: views/servers.py).
struct ServerView {
    private let minor: Int
    private let isAdmin: Bool
    private let showsExtended: Bool
    private let showsExtraSpecs: Bool
    private let showsHostStatus: Bool
    private let selfPrefix: String
    private let bookmarkPrefix: String
    private let flavorPrefix: String
    private let imagePrefix: String
    private let hosts: [String: ComputeHost]
    private let defaultZone: String
    private let now: Timestamp
    private let hostTimeout: Duration
    /// `hostId` by host and project.
    private var hostIDs: [String: String] = [:]

    init(
        _ request: APIRequest, _ context: CallContext, hosts: [String: ComputeHost], _ parts: ComputeParts,
        project: ProjectID? = nil
    ) {
        minor = context.microversion.minor
        isAdmin = context.isAdmin
        let target = PolicyTarget(project: project ?? context.projectID)
        showsExtended = context.allows("os_compute_api:os-extended-server-attributes", target)
        showsExtraSpecs = minor >= 47 && context.allows("os_compute_api:servers:show:flavor-extra-specs", target)
        showsHostStatus = minor >= 16 && context.allows("os_compute_api:servers:show:host_status", target)
        selfPrefix = "\(request.versionURL)/servers/"
        bookmarkPrefix = "\(request.bookmarkURL)/servers/"
        flavorPrefix = "\(request.bookmarkURL)/flavors/"
        imagePrefix = "\(request.bookmarkURL)/images/"
        self.hosts = hosts
        defaultZone = parts.config.defaultZone
        now = parts.clock.now()
        hostTimeout = parts.config.hostTimeout
    }

    func basic(_ writer: inout JSONWriter, _ server: Server) {
        writer.beginObject()
        writer.field("id", server.id.rawValue)
        writer.field("name", server.name)
        links(&writer, server)
        writer.endObject()
    }

    private func links(_ writer: inout JSONWriter, _ server: Server) {
        writer.array("links") { writer in
            Links.write(&writer, "self", selfPrefix + server.id.rawValue)
            Links.write(&writer, "bookmark", bookmarkPrefix + server.id.rawValue)
        }
    }

    /// The open object of a detailed server; `group` is there on the view of one server.
    ///
    /// `isBrief`: the answer of an update before 2.75. `rebuiltWith`: the password in the answer of a rebuild.
    mutating func detail(
        _ writer: inout JSONWriter, _ server: Server, _ ports: [ServerPort], _ disks: [ServerBlockDevice],
        group: ServerGroupID?? = nil, isBrief: Bool = false, rebuiltWith password: String? = nil
    ) {
        writer.beginObject()
        writer.field("id", server.id.rawValue)
        writer.field("name", server.name)
        let status = server.isDeleted ? "DELETED" : server.state.status
        writer.field("status", status)
        writer.field("tenant_id", server.projectID.rawValue)
        writer.field("user_id", server.userID.rawValue)
        writer.key("metadata")
        writer.raw(server.metadata)
        writer.field("hostId", hostID(server))
        image(&writer, server)
        flavor(&writer, server)
        writer.field("created", server.createdAt.iso8601())
        writer.field("updated", server.updatedAt.iso8601())
        addresses(&writer, server, ports, isBrief: isBrief)
        writer.field("accessIPv4", server.accessIPv4)
        writer.field("accessIPv6", server.accessIPv6)
        links(&writer, server)
        writer.field("OS-DCF:diskConfig", server.diskConfig)
        if Self.progressStatuses.contains(status) { writer.field("progress", 0) }
        if let fault = server.fault, status == "ERROR" || status == "DELETED" { self.fault(&writer, fault) }
        if !isBrief { extensions(&writer, server, ports, disks, isRebuild: password != nil) }
        versioned(&writer, server, group, isBrief: isBrief)
        if let password {
            if minor >= 54, isBrief { writer.field("key_name", server.keyName) }
            if minor >= 57 { writer.field("user_data", server.userData) }
            writer.field("adminPass", password)
        }
        writer.endObject()
    }

    /// nova: views/servers.py, `_progress_statuses`.
    private static let progressStatuses: Set<String> = [
        "ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING",
    ]

    // MARK: Parts

    private mutating func hostID(_ server: Server) -> String {
        guard let host = server.host else { return "" }
        let key = server.projectID.rawValue + host
        if let known = hostIDs[key] { return known }
        let id = ServerIdentity.hostID(host, server.projectID)
        hostIDs[key] = id
        return id
    }

    private func image(_ writer: inout JSONWriter, _ server: Server) {
        guard let id = server.imageID else { return writer.field("image", "") }
        writer.key("image")
        writer.beginObject()
        writer.field("id", id.rawValue)
        writer.array("links") { Links.write(&$0, "bookmark", imagePrefix + id.rawValue) }
        if minor >= 98 {
            writer.key("properties")
            writer.raw(server.imageProperties)
        }
        writer.endObject()
    }

    private func flavor(_ writer: inout JSONWriter, _ server: Server) {
        writer.key("flavor")
        writer.beginObject()
        if minor >= 47 {
            writer.field("vcpus", server.flavor.vcpus)
            writer.field("ram", server.flavor.memoryMiB)
            writer.field("disk", server.flavor.rootGiB)
            writer.field("ephemeral", server.flavor.ephemeralGiB)
            writer.field("swap", server.flavor.swapMiB)
            writer.field("original_name", server.flavor.name)
            if showsExtraSpecs {
                writer.key("extra_specs")
                writer.raw(server.flavor.extraSpecs)
            }
        } else {
            writer.field("id", server.flavor.id)
            writer.array("links") { Links.write(&$0, "bookmark", flavorPrefix + server.flavor.id) }
        }
        writer.endObject()
    }

    private func addresses(_ writer: inout JSONWriter, _ server: Server, _ ports: [ServerPort], isBrief: Bool) {
        writer.key("addresses")
        writer.beginObject()
        // A building server shows none.
        if server.state.vm != .building { Self.networks(&writer, ports, isExtended: !isBrief) }
        writer.endObject()
    }

    /// The fields of an open object: addresses by network name, in the order of the ports.
    static func networks(_ writer: inout JSONWriter, _ ports: [ServerPort], isExtended: Bool) {
        if ports.count == 1 {
            writer.key(dynamic: ports[0].networkName)
            writer.beginArray()
            addresses(&writer, of: ports[0], isExtended: isExtended)
            writer.endArray()
            return
        }
        var names: [String] = []
        for port in ports where !names.contains(port.networkName) { names.append(port.networkName) }
        for name in names {
            writer.key(dynamic: name)
            writer.beginArray()
            for port in ports where port.networkName == name { addresses(&writer, of: port, isExtended: isExtended) }
            writer.endArray()
        }
    }

    private static func addresses(_ writer: inout JSONWriter, of port: ServerPort, isExtended: Bool) {
        for fixed in port.fixedAddresses {
            address(&writer, fixed.address, "fixed", port.macAddress, isExtended)
            for floating in port.floatingAddresses[fixed.address] ?? [] {
                address(&writer, floating, "floating", port.macAddress, isExtended)
            }
        }
    }

    private static func address(
        _ writer: inout JSONWriter, _ address: String, _ type: String, _ mac: String, _ isExtended: Bool
    ) {
        writer.beginObject()
        writer.field("version", address.utf8.contains(UInt8(ascii: ":")) ? 6 : 4)
        writer.field("addr", address)
        if isExtended {
            writer.field("OS-EXT-IPS:type", type)
            writer.field("OS-EXT-IPS-MAC:mac_addr", mac)
        }
        writer.endObject()
    }

    private func fault(_ writer: inout JSONWriter, _ fault: ServerFault) {
        writer.key("fault")
        writer.beginObject()
        writer.field("code", fault.code)
        writer.field("created", fault.at.iso8601())
        writer.field("message", fault.message)
        if isAdmin, !fault.details.isEmpty { writer.field("details", fault.details) }
        writer.endObject()
    }

    /// What began as extensions and is in every version.
    private func extensions(
        _ writer: inout JSONWriter, _ server: Server, _ ports: [ServerPort], _ disks: [ServerBlockDevice],
        isRebuild: Bool
    ) {
        writer.field("OS-EXT-AZ:availability_zone", server.zone ?? server.pinnedZone ?? "")
        writer.field("config_drive", server.hasConfigDrive ? "True" : "")
        writer.field("key_name", server.keyName)
        writer.field("OS-SRV-USG:launched_at", server.launchedAt?.iso8601(fraction: true, zone: false))
        writer.field("OS-SRV-USG:terminated_at", server.terminatedAt?.iso8601(fraction: true, zone: false))
        securityGroups(&writer, ports)
        writer.field("OS-EXT-STS:task_state", server.state.task?.rawValue)
        writer.field("OS-EXT-STS:vm_state", server.state.vm.rawValue)
        writer.field("OS-EXT-STS:power_state", server.power.rawValue)
        volumes(&writer, disks)
        if showsExtended { extended(&writer, server, disks, isRebuild: isRebuild) }
        if showsHostStatus { writer.field("host_status", hostStatus(server)) }
    }

    private func volumes(_ writer: inout JSONWriter, _ disks: [ServerBlockDevice]) {
        writer.key("os-extended-volumes:volumes_attached")
        writer.beginArray()
        for disk in disks where disk.isShown {
            writer.beginObject()
            writer.field("id", disk.volume)
            if minor >= 3 { writer.field("delete_on_termination", disk.deletesOnTermination) }
            writer.endObject()
        }
        writer.endArray()
    }

    private func securityGroups(_ writer: inout JSONWriter, _ ports: [ServerPort]) {
        let names = ports.count == 1 ? ports[0].securityGroupNames : ports.groupNames
        guard !names.isEmpty else { return }
        writer.key("security_groups")
        writer.beginArray()
        for name in names {
            writer.beginObject()
            writer.field("name", name)
            writer.endObject()
        }
        writer.endArray()
    }

    private func extended(
        _ writer: inout JSONWriter, _ server: Server, _ disks: [ServerBlockDevice], isRebuild: Bool
    ) {
        writer.field("OS-EXT-SRV-ATTR:host", server.host)
        writer.field("OS-EXT-SRV-ATTR:instance_name", server.instanceName)
        writer.field("OS-EXT-SRV-ATTR:hypervisor_hostname", server.hypervisorHostname)
        guard minor >= 3 else { return }
        writer.field("OS-EXT-SRV-ATTR:hostname", server.hostname)
        writer.field("OS-EXT-SRV-ATTR:kernel_id", "")
        writer.field("OS-EXT-SRV-ATTR:ramdisk_id", "")
        writer.field("OS-EXT-SRV-ATTR:launch_index", server.launchIndex)
        writer.field("OS-EXT-SRV-ATTR:reservation_id", server.reservationID)
        writer.field("OS-EXT-SRV-ATTR:root_device_name", disks.first { $0.isRoot }?.device ?? "/dev/vda")
        // A rebuild's answer has it by its other name alone (nova: views/servers.py, `show_user_data`).
        if !isRebuild { writer.field("OS-EXT-SRV-ATTR:user_data", server.userData) }
    }

    private func hostStatus(_ server: Server) -> String {
        guard let name = server.host else { return "" }
        return hosts[name]?.status(at: now, limit: hostTimeout) ?? "UNKNOWN"
    }

    private func versioned(
        _ writer: inout JSONWriter, _ server: Server, _ group: ServerGroupID??, isBrief: Bool
    ) {
        if minor >= 9 { writer.field("locked", server.lockedBy != nil) }
        if minor >= 19 { writer.field("description", server.description) }
        if minor >= 26 {
            writer.key("tags")
            writer.raw(server.tags)
        }
        if minor >= 63 {
            writer.key("trusted_image_certificates")
            writer.raw(server.trustedCertificates ?? "null")
        }
        if minor >= 71, let group {
            writer.key("server_groups")
            writer.beginArray()
            if let group { writer.value(group.rawValue) }
            writer.endArray()
        }
        if minor >= 73 { writer.field("locked_reason", server.lockedReason) }
        // Everybody sees the host name from 2.90; administrators have seen it above.
        if minor >= 90, !showsExtended || isBrief { writer.field("OS-EXT-SRV-ATTR:hostname", server.hostname) }
        if minor >= 96 { writer.field("pinned_availability_zone", server.pinnedZone) }
        if minor >= 100 {
            writer.key("scheduler_hints")
            writer.raw(server.schedulerHints)
        }
    }
}

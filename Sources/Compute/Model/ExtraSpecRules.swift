// SPDX-License-Identifier: Apache-2.0

/// Which extra specs of flavors mean something, and what their values may be; checked from 2.86 on (nova:
/// api/validation/extra_specs). What has no known scope may be anything.
package enum ExtraSpecRules {
    private enum Value {
        case any
        case flag
        case number(ClosedRange<Int64>)
        case word([String])
        /// `0-3,^2`
        case cpuMask
        case pageSize
        /// `name:2,other:1`
        case aliases
        case names
    }

    private static let positive = Value.number(1...Int64.max)
    private static let natural = Value.number(0...Int64.max)
    private static let integer = Value.number(Int64.min...Int64.max)

    private static let named: [String: Value] = [
        "accel:device_profile": .any, "group_policy": .word(["isolate", "none"]), "hide_hypervisor_id": .flag,
        "hw:boot_menu": .flag, "hw:cpu_cores": positive, "hw:cpu_dedicated_mask": .cpuMask,
        "hw:cpu_max_cores": positive, "hw:cpu_max_sockets": positive, "hw:cpu_max_threads": positive,
        "hw:cpu_policy": .word(["dedicated", "shared", "mixed"]), "hw:cpu_realtime": .flag,
        "hw:cpu_realtime_mask": .cpuMask, "hw:cpu_sockets": positive,
        "hw:cpu_thread_policy": .word(["prefer", "isolate", "require"]), "hw:cpu_threads": positive,
        "hw:emulator_threads_policy": .word(["isolate", "share"]), "hw:ephemeral_encryption": .flag,
        "hw:ephemeral_encryption_format": .word(["plain", "luks", "luksv2"]), "hw:hide_hypervisor_id": .flag,
        "hw:locked_memory": .flag, "hw:maxphysaddr_bits": natural,
        "hw:maxphysaddr_mode": .word(["passthrough", "emulate"]), "hw:mem_encryption": .flag,
        "hw:mem_encryption_model": .word(["amd-sev", "amd-sev-es", "amd-sev-snp"]), "hw:mem_page_size": .pageSize,
        "hw:numa_nodes": positive,
        "hw:pci_numa_affinity_policy": .word(["required", "preferred", "legacy", "socket"]), "hw:pmem": .names,
        "hw:pmu": .flag, "hw:redirected_usb_ports": .number(0...15), "hw:serial_port_count": natural,
        "hw:sound_model": .any, "hw:tpm_model": .word(["tpm-tis", "tpm-crb"]),
        "hw:tpm_secret_security": .word(["user", "host", "deployment"]), "hw:tpm_version": .word(["1.2", "2.0"]),
        "hw:usb_model": .any, "hw:vif_multiqueue_enabled": .flag,
        "hw:viommu_model": .word(["intel", "smmuv3", "virtio", "auto"]), "hw:virtio_packed_ring": .flag,
        "hw:watchdog_action": .word(["none", "pause", "poweroff", "reset", "disabled"]), "hw_rng:allowed": .flag,
        "hw_rng:rate_bytes": natural, "hw_rng:rate_period": natural, "hw_video:ram_max_mb": natural,
        "os:secure_boot": .word(["disabled", "required"]), "pci_passthrough:alias": .aliases,
        "quota:cpu_period": natural, "quota:cpu_quota": integer, "quota:cpu_shares": natural,
        "vmware:hw_version": .any, "vmware:storage_policy": .any,
    ]

    private static let scopes: Set<String> = [
        "accel", "aggregate_instance_extra_specs", "capabilities", "hw", "hw_rng", "hw_video", "os",
        "pci_passthrough", "quota", "vmware",
    ]

    private static let capabilities: Set<String> = [
        "id", "uuid", "service_id", "host", "vcpus", "memory_mb", "local_gb", "vcpus_used", "memory_mb_used",
        "local_gb_used", "hypervisor_type", "hypervisor_version", "hypervisor_hostname", "free_ram_mb",
        "free_disk_gb", "current_workload", "running_vms", "disk_available_least", "host_ip", "mapped",
        "cpu_allocation_ratio", "ram_allocation_ratio", "disk_allocation_ratio", "total_usable_ram_mb",
        "total_usable_disk_gb", "disk_mb_used", "free_disk_mb", "vcpus_total", "num_instances", "num_io_ops",
        "failed_builds", "aggregates", "cell_uuid", "updated",
    ]
    /// These go on: `capabilities:cpu_info:features`.
    private static let nestedCapabilities: Set<String> = [
        "cpu_info", "metrics", "stats", "numa_topology", "supported_hv_specs", "pci_device_pools", "nodename",
        "pci_stats", "supported_instances", "limits", "instances",
    ]

    private static let resourceClasses: Set<String> = [
        "VCPU", "PCPU", "MEMORY_MB", "DISK_GB", "PCI_DEVICE", "SRIOV_NET_VF", "NUMA_SOCKET", "NUMA_CORE",
        "NUMA_THREAD", "NUMA_MEMORY_MB", "IPV4_ADDRESS", "VGPU", "VGPU_DISPLAY_HEAD", "PGPU", "FPGA",
        "NET_BW_EGR_KILOBIT_PER_SEC", "NET_BW_IGR_KILOBIT_PER_SEC", "MEM_ENCRYPTION_CONTEXT",
        "NET_PACKET_RATE_KILOPACKET_PER_SEC", "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
        "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
    ]

    /// Nil: the spec may be. Otherwise why not.
    package static func refusal(_ name: String, _ value: String) -> String? {
        if let rule = named[name] { return refusal(value, rule) }
        guard let colon = name.firstIndex(of: ":") else { return nil }
        let (scope, rest) = (String(name[..<colon]), String(name[name.index(after: colon)...]))
        if let rule = rule(scope, rest) { return refusal(value, rule) }
        let isKnown = scopes.contains(scope) || isGroup(scope, of: "resources") || isGroup(scope, of: "trait")
        return isKnown ? "Validation failed; extra spec '\(name)' does not appear to be a valid extra spec." : nil
    }

    /// Of names with a part that varies.
    private static func rule(_ scope: String, _ rest: String) -> Value? {
        switch scope {
        case "aggregate_instance_extra_specs": return rest.isEmpty ? nil : .any
        case "capabilities":
            let words = rest.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            if words.count == 1, capabilities.contains(rest) { return .any }
            return nestedCapabilities.contains(words[0]) && words.allSatisfy(isWord) ? .any : nil
        case "hw":
            if rest.hasPrefix("numa_cpus."), isNumber(rest.dropFirst("numa_cpus.".count)) { return .cpuMask }
            return rest.hasPrefix("numa_mem.") && isNumber(rest.dropFirst("numa_mem.".count)) ? positive : nil
        case "quota": return quota(rest)
        default: break
        }
        if isGroup(scope, of: "resources") {
            let isCustom = rest.hasPrefix("CUSTOM_") && isTrait(rest.dropFirst("CUSTOM_".count))
            return isCustom || resourceClasses.contains(rest) ? integer : nil
        }
        return isGroup(scope, of: "trait") && isTrait(rest[...]) ? .word(["required", "forbidden"]) : nil
    }

    private static func quota(_ rest: String) -> Value? {
        let parts = rest.split(separator: "_", omittingEmptySubsequences: false).map(String.init)
        for subject in ["cpu", "memory", "disk_io", "vif"] where rest.hasPrefix(subject + "_") {
            switch rest.dropFirst(subject.count + 1) {
            case "limit", "shares_share": return natural
            case "reservation": return integer
            case "shares_level": return .word(["custom", "high", "normal", "low"])
            default: continue
            }
        }
        if parts.count == 4, parts[0] == "disk", ["read", "write", "total"].contains(parts[1]),
            ["bytes", "iops"].contains(parts[2]), parts[3] == "sec"
        {
            return natural
        }
        let isFlow = parts.count == 3 && parts[0] == "vif" && ["inbound", "outbound"].contains(parts[1])
        return isFlow && ["average", "peak", "burst"].contains(parts[2]) ? natural : nil
    }

    // MARK: Names

    private static func isWord(_ text: String) -> Bool {
        !text.isEmpty && text.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }

    private static func isNumber(_ text: Substring) -> Bool { !text.isEmpty && text.utf8.allSatisfy(isDigit) }

    private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

    private static func isTrait(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isDigit($0) || (0x41...0x5A).contains($0) || $0 == 0x5F }
    }

    /// `resources`, `resources1`, `resources_net`.
    private static func isGroup(_ scope: String, of prefix: String) -> Bool {
        guard scope.hasPrefix(prefix) else { return false }
        let group = scope.utf8.dropFirst(prefix.utf8.count)
        return group.count <= 64
            && group.allSatisfy { byte in
                isDigit(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
                    || byte == 0x2D
            }
    }

    // MARK: Values

    private static func refusal(_ value: String, _ rule: Value) -> String? {
        switch rule {
        case .any: return nil
        case .flag:
            let words = ["1", "t", "true", "on", "y", "yes", "0", "f", "false", "off", "n", "no"]
            return words.contains(value.lowercased())
                ? nil : "Validation failed; '\(value)' is not a valid boolean-like value."
        case .number(let range):
            guard let number = Int64(value) else {
                return "Validation failed; '\(value)' is not a valid integer value."
            }
            if number > range.upperBound {
                return "Validation failed; '\(value)' is greater than the max value of '\(range.upperBound)'."
            }
            return number >= range.lowerBound
                ? nil : "Validation failed; '\(value)' is less than the min value of '\(range.lowerBound)'."
        case .word(let words):
            return words.contains(value)
                ? nil : "Validation failed; '\(value)' is not one of: \(words.joined(separator: ", "))."
        case .cpuMask: return format(value, isCPUMask(value), "a list of CPUs such as '0-3,^2'")
        case .pageSize: return format(value, isPageSize(value), "'large', 'small', 'any' or a size such as '2MB'")
        case .aliases: return format(value, isAliases(value), "a list of aliases with counts such as 'a1:2,b1:1'")
        case .names:
            let isList = value.split(separator: ",", omittingEmptySubsequences: false).dropLast(
                value.hasSuffix(",") ? 1 : 0)
            return format(
                value,
                !isList.isEmpty
                    && isList.allSatisfy { name in
                        !name.isEmpty
                            && name.utf8.allSatisfy {
                                isDigit($0) || (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x5F
                            }
                    }, "a list of names")
        }
    }

    private static func format(_ value: String, _ isValid: Bool, _ form: String) -> String? {
        isValid ? nil : "Validation failed; '\(value)' is not of the format: \(form)."
    }

    private static func isCPUMask(_ value: String) -> Bool {
        value.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let range = (part.first == "^" ? part.dropFirst() : part)
                .split(separator: "-", omittingEmptySubsequences: false)
            return (1...2).contains(range.count) && range.allSatisfy(isNumber)
        }
    }

    private static func isPageSize(_ value: String) -> Bool {
        if ["large", "small", "any"].contains(value) { return true }
        let unit = value.drop { $0.isASCII && $0.isNumber }
        guard unit.count < value.count else { return false }
        var rest = unit
        if let first = rest.first, "kKMGT".contains(first) {
            rest = rest.dropFirst()
            if rest.first == "i" { rest = rest.dropFirst() }
        }
        return ["", "b", "bit", "B"].contains(rest)
    }

    private static func isAliases(_ value: String) -> Bool {
        value.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
            let words = part.drop { $0 == " " }.split(separator: ":", omittingEmptySubsequences: false)
            return words.count == 2 && !words[0].isEmpty && isNumber(words[1].prefix { $0 != " " })
        }
    }
}

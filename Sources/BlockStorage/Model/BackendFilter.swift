// SPDX-License-Identifier: Apache-2.0
import BaseKit
import BlockStorageContract

/// What a volume asks of the backend that holds it.
package struct BackendRequest: Sendable, Codable, Equatable {
    package var sizeGiB: Int
    package var isMultiattach: Bool
    package var extraSpecs: [String: String]
    package var zones: [String]
    /// `host@backend#pool`, when the source's place or a group decides.
    package var pool: String?
    package var hints: VolumeHints
    /// Whose volumes the hints may name: others' are as absent as those that never were.
    package var project: ProjectID?

    package init(
        sizeGiB: Int, isMultiattach: Bool = false, extraSpecs: [String: String] = [:], zones: [String] = [],
        pool: String? = nil, hints: VolumeHints = VolumeHints(), project: ProjectID? = nil
    ) {
        self.project = project
        self.sizeGiB = sizeGiB
        self.isMultiattach = isMultiattach
        self.extraSpecs = extraSpecs
        self.zones = zones
        self.pool = pool
        self.hints = hints
    }
}

/// A backend as the filters see it.
package struct BackendView: Sendable {
    package var backend: VolumeBackend
    package var isUp: Bool
    /// Volumes of the database that are on it, and the GiB that they have.
    package var volumeCount: Int
    package var promisedGiB: Int
    package var oversubscriptionRatio: Double
    package var reservedPercent: Int

    package var provisionedGiB: Double { max(backend.pool.provisionedGiB, Double(promisedGiB)) }

    /// Room for new volumes: what was not promised yet where storage is thin, else what is free.
    package var freeGiB: Double {
        let pool = backend.pool
        let reserved = pool.totalGiB * Double(reservedPercent) / 100
        guard pool.isThin else { return pool.freeGiB - reserved }
        return min((pool.totalGiB - reserved) * oversubscriptionRatio - provisionedGiB,
            (pool.freeGiB - reserved) * oversubscriptionRatio)
    }
}

/// Why a backend cannot hold a volume; all filters must have nothing against it.
package enum BackendFilter {
    /// Nil: it can.
    package static func refusal(
        _ view: BackendView, _ request: BackendRequest, placed: [VolumeID: String]
    ) -> String? {
        let pool = view.backend.pool
        if !view.isUp { return "it does not report" }
        if view.backend.isDisabled { return "it is disabled" }
        if view.backend.isFrozen { return "it is frozen" }
        if let wanted = request.pool, wanted != pool.name { return "the volume belongs to \(wanted)" }
        if !request.zones.isEmpty, !request.zones.contains(view.backend.zone) {
            return "it is in the zone \(view.backend.zone)"
        }
        if request.isMultiattach, !pool.supportsMultiattach { return "it allows one attachment alone" }
        if let spec = mismatch(request.extraSpecs, pool) { return "\(spec) does not match" }
        if Double(request.sizeGiB) > view.freeGiB {
            return "it has \(Int(max(0, view.freeGiB))) GiB left of \(Int(pool.totalGiB))"
        }
        return hintRefusal(view.backend.address, request.hints, placed)
    }

    private static func hintRefusal(
        _ address: String, _ hints: VolumeHints, _ placed: [VolumeID: String]
    ) -> String? {
        let same = hints.sameHost.compactMap { placed[$0] }.map(VolumeBackend.address)
        if !hints.sameHost.isEmpty, !same.contains(address) { return "hint same_host" }
        let different = hints.differentHost.compactMap { placed[$0] }.map(VolumeBackend.address)
        return different.contains(address) ? "hint different_host" : nil
    }

    /// The name of the first specification that the pool does not meet. Names with a scope other than `capabilities`
    /// are for others (cinder: scheduler/filters/capabilities_filter.py).
    package static func mismatch(_ specs: [String: String], _ pool: VolumePool) -> String? {
        for (key, wanted) in specs.sorted(by: { $0.key < $1.key }) {
            let parts = key.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 1 || parts[0] == "capabilities", let name = parts.last else { continue }
            guard let value = capability(name, pool),
                matches(value, wanted) || name == "storage_protocol" && isVariant(value, wanted)
            else { return key }
        }
        return nil
    }

    /// One protocol in two spellings (cinder: common/constants.py).
    private static func isVariant(_ value: String, _ wanted: String) -> Bool {
        let variants = [["iSCSI", "iscsi"], ["NFS", "nfs"]]
        return variants.contains { $0.contains(value) && $0.contains { matches($0, wanted) } }
    }

    private static func capability(_ name: String, _ pool: VolumePool) -> String? {
        switch name {
        case "volume_backend_name": pool.backendName
        case "pool_name": pool.name.split(separator: "#").last.map(String.init)
        case "storage_protocol": pool.storageProtocol
        case "driver_version": pool.driverVersion
        case "vendor_name": VolumePool.vendorName
        case "multiattach": pool.supportsMultiattach ? "True" : "False"
        case "thin_provisioning_support": pool.isThin ? "True" : "False"
        case "thick_provisioning_support": pool.isThin ? "False" : "True"
        case "online_extend_support": pool.supportsOnlineExtend ? "True" : "False"
        case "total_capacity_gb": "\(pool.totalGiB)"
        case "free_capacity_gb": "\(pool.freeGiB)"
        default: nil
        }
    }

    /// cinder: scheduler/filters/extra_specs_ops.py.
    private static func matches(_ value: String, _ wanted: String) -> Bool {
        let words = wanted.split(separator: " ").map(String.init)
        guard let operation = words.first else { return value.isEmpty }
        let rest = words.dropFirst().joined(separator: " ")
        switch operation {
        case "<is>": return truth(value) == truth(rest)
        case "<in>": return contains(value, rest)
        case "<or>":
            return wanted.split(separator: " ").map(String.init).filter { $0 != "<or>" }.contains(value)
        case "s==": return value == rest
        case "s!=": return value != rest
        case "s<": return value < rest
        case "s<=": return value <= rest
        case "s>": return value > rest
        case "s>=": return value >= rest
        case "=", ">=", "==", "!=", "<=", "<", ">":
            guard let left = Double(value), let right = Double(rest) else { return false }
            switch operation {
            case "=", ">=": return left >= right
            case "==": return left == right
            case "!=": return left != right
            case "<=": return left <= right
            case "<": return left < right
            default: return left > right
            }
        default: return value == wanted
        }
    }

    private static func truth(_ text: String) -> Bool {
        ["true", "1", "yes", "on", "t", "y"].contains(text.lowercased())
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        guard !part.isEmpty else { return true }
        let (text, part) = (Array(text.utf8), Array(part.utf8))
        guard text.count >= part.count else { return false }
        return (0...(text.count - part.count)).contains { text[$0..<($0 + part.count)].elementsEqual(part) }
    }
}

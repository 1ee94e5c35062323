// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ComputeContract
import ImageContract
import TaskKit

/// A server as the database holds it. The flavor is a copy: a flavor may change or go while its servers live.
package struct Server: Sendable {
    package var id: ServerID
    /// Counts all servers of the cloud: `instance-00000001`, EC2's `i-00000001`.
    package var number: Int64
    package var projectID: ProjectID
    package var userID: UserID
    package var name: String
    package var hostname: String
    package var description: String?
    package var state: ServerState
    package var power: PowerState
    /// The run that holds this server.
    package var sagaRun: SagaRunID?

    package var host: String?
    package var hypervisorHostname: String?
    package var zone: String?
    /// The zone that the user asked for.
    package var pinnedZone: String?

    package var reservationID: String
    package var launchIndex: Int
    package var imageID: ImageID?
    /// JSON: the image's properties when the server was made.
    package var imageProperties: String
    package var flavor: FlavorSnapshot

    package var keyName: String?
    package var hasConfigDrive: Bool
    /// JSON objects and arrays, as they are shown.
    package var metadata: String
    package var tags: String
    package var accessIPv4: String
    package var accessIPv6: String
    package var diskConfig: String
    /// `owner` or `admin`; nil: not locked.
    package var lockedBy: String?
    package var lockedReason: String?
    /// JSON array or nil.
    package var trustedCertificates: String?
    /// JSON object.
    package var schedulerHints: String
    package var fault: ServerFault?

    package var createdAt: Timestamp
    package var updatedAt: Timestamp
    package var launchedAt: Timestamp?
    package var terminatedAt: Timestamp?
    package var isDeleted: Bool
    /// Base64, as sent.
    package var userData: String?

    package var instanceName: String { Self.instanceName(number) }

    package static func instanceName(_ number: Int64) -> String { "instance-" + hex8(number) }
    package static func ec2ID(_ number: Int64) -> String { "i-" + hex8(number) }

    private static func hex8(_ number: Int64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }
}

/// The flavor of a server as it was when the server got it.
package struct FlavorSnapshot: Sendable, Equatable, Codable {
    package var id: String
    package var name: String
    package var vcpus: Int
    package var memoryMiB: Int
    package var rootGiB: Int
    package var ephemeralGiB: Int
    package var swapMiB: Int
    /// JSON object.
    package var extraSpecs: String

    package init(
        id: String, name: String, vcpus: Int, memoryMiB: Int, rootGiB: Int, ephemeralGiB: Int, swapMiB: Int,
        extraSpecs: String
    ) {
        self.id = id
        self.name = name
        self.vcpus = vcpus
        self.memoryMiB = memoryMiB
        self.rootGiB = rootGiB
        self.ephemeralGiB = ephemeralGiB
        self.swapMiB = swapMiB
        self.extraSpecs = extraSpecs
    }

    /// What placement is asked for. `imageGiB` stands in for a root disk of size 0. `hasRootDisk` false: the root disk is
    /// a volume.
    package func resources(imageGiB: Int, hasRootDisk: Bool = true) -> [String: Int64] {
        let root = hasRootDisk ? (rootGiB == 0 ? imageGiB : rootGiB) : 0
        let disk = root + ephemeralGiB + (swapMiB + 1023) / 1024
        var resources: [String: Int64] = ["VCPU": Int64(vcpus), "MEMORY_MB": Int64(memoryMiB)]
        if disk > 0 { resources["DISK_GB"] = Int64(disk) }
        return resources
    }
}

/// Why a server is in ERROR, or why its last action failed.
package struct ServerFault: Sendable, Equatable, Codable {
    package var code: Int
    /// For the owner: names no host.
    package var message: String
    /// For administrators.
    package var details: String
    package var at: Timestamp

    package init(code: Int, message: String, details: String, at: Timestamp) {
        self.code = code
        self.message = message
        self.details = details
        self.at = at
    }
}

/// What a new server is to be: the request, checked and resolved.
package struct ServerDraft: Sendable {
    package enum Networks: Sendable, Equatable {
        /// The request says nothing, or `auto`.
        case automatic(isExplicit: Bool)
        case none
        case requested([NetworkRequest])
    }
    package struct NetworkRequest: Sendable, Equatable, Codable {
        package var network: String?
        package var port: String?
        package var fixedIP: String?
        package var tag: String?
        package init(network: String? = nil, port: String? = nil, fixedIP: String? = nil, tag: String? = nil) {
            self.network = network
            self.port = port
            self.fixedIP = fixedIP
            self.tag = tag
        }
    }
    /// A file for the guest (`personality`, until 2.56).
    package struct File: Sendable, Equatable, Codable {
        package var path: String
        package var content: [UInt8]
        package init(path: String, content: [UInt8]) {
            self.path = path
            self.content = content
        }
    }

    package var name: String
    package var description: String?
    package var hostname: String?
    package var imageID: String?
    package var flavorID: String
    package var networks: Networks = .automatic(isExplicit: false)
    package var securityGroups: [String]?
    package var metadata: [String: String] = [:]
    package var tags: [String] = []
    package var userData: String?
    package var keyName: String?
    package var hasConfigDrive = false
    package var files: [File] = []
    package var adminPassword: String?
    package var accessIPv4 = ""
    package var accessIPv6 = ""
    package var diskConfig = "MANUAL"
    package var zone: String?
    package var forcedHost: String?
    package var forcedNode: String?
    package var requestedHost: String?
    package var requestedNode: String?
    package var trustedCertificates: [String]?
    package var schedulerHints: JSON = .object([:])
    package var blockDevices: [BlockDeviceDraft] = []
    /// Sent in the older syntax, where names say which disk is the root.
    package var usesLegacyMapping = false
    package var minCount = 1
    package var maxCount = 1

    package init(name: String, flavorID: String, imageID: String?) {
        self.name = name
        self.flavorID = flavorID
        self.imageID = imageID
    }
}

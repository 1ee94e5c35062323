// SPDX-License-Identifier: Apache-2.0
import BaseKit
import ConfigKit

/// The options of Object Storage, with upstream's defaults where it has them.
package struct ObjectStorageConfig: ConfigSection {
    package static let section = "object-storage"
    package static let title = "Object Storage"

    @ConfigOption(
        "Where this host keeps objects: one directory for each disk. When unset, 'objects' in the state folder. More "
            + "are added with 'haneul ring'.")
    package var directories: [String] = []
    @ConfigOption("Replicas of each object of the first policy.", range: RingBuilder.replicaRange)
    package var replicas = 1
    @ConfigOption(
        "Replicas of the lists of accounts and containers; 0: as many as the policy with most has.", range: 0...16)
    package var indexReplicas = 0
    @ConfigOption(
        "The rings have 2 to this power partitions. Some hundred for each device of the largest cluster to come; it "
            + "cannot be changed once there are objects.", range: RingBuilder.partitionPowers)
    package var partitionPower = 12
    @ConfigOption(
        "Storage policies beside the first: name, or name:replicas, or name:replicas:class for devices of that class "
            + "alone. The first in the list has index 1; the order must stay.",
        bounds: "distinct names", check: ObjectStorageConfig.areSpecs)
    package var policies: [String] = []
    @ConfigOption("The name of the first policy, of index 0.", length: 1...64)
    package var firstPolicy = "Policy-0"
    @ConfigOption("The policy of containers that ask for none; when unset, the first.")
    package var defaultPolicy: String?
    @ConfigOption("Policies that no new container gets.") package var deprecatedPolicies: [String] = []

    @ConfigOption("A device that did not answer is asked last for so long.", range: .seconds(0)...(.seconds(3600)))
    package var awayTime = Duration.seconds(5)
    @ConfigOption("How long a device may take for a call.", range: .seconds(1)...(.seconds(600)))
    package var deviceTimeout = Duration.seconds(15)
    @ConfigOption(
        "How long an answer waits for replicas beyond the majority.", range: .milliseconds(0)...(.seconds(60)))
    package var replicaGrace = Duration.milliseconds(500)
    @ConfigOption(
        "From the end of a pass of the replicator to the next.", range: .seconds(1)...(.seconds(86_400)))
    package var replicationInterval = Duration.seconds(60)
    @ConfigOption(
        "The replicator's rest between two partitions.", range: .milliseconds(0)...(.seconds(60)))
    package var replicationPause = Duration.milliseconds(2)
    @ConfigOption(
        "When a device is away for so long, other devices get replicas in its place.",
        range: .seconds(1)...(.seconds(7 * 86_400)))
    package var standInAfter = Duration.seconds(600)
    @ConfigOption("Bytes of each device that the auditor reads in a second; 0: none.", range: 0...(1 << 40))
    package var auditBytesPerSecond: Int64 = 10 << 20
    @ConfigOption(
        "How long deletions are remembered. A device that was away longer must come back empty.",
        range: .seconds(60)...(.seconds(3650 * 86_400)))
    package var reclaimAge = Duration.seconds(7 * 86_400)
    @ConfigOption(
        "Containers' totals are brought to their accounts so often.", range: .milliseconds(10)...(.seconds(3600)))
    package var accountUpdateInterval = Duration.seconds(1)

    @ConfigOption("Origins whose pages may read what a browser asks for, whatever its container says; * for all.")
    package var corsOrigins: [String] = []
    @ConfigOption(
        "How many containers of an account may be made or deleted in a second; 0: as many as come.", range: 0...1_000_000)
    package var accountContainerWrites = 0
    @ConfigOption("Users may log in at /auth/v1.0 with project:user and password.")
    package var legacyAuth = true
    @ConfigOption("The region that S3 clients are told; they may sign for any.", length: 1...64)
    package var s3Region = "us-east-1"
    @ConfigOption("Hosts below which a name is an S3 bucket's: with 's3.cloud', bucket.s3.cloud is a bucket.")
    package var s3Domains: [String] = []

    package init() {}

    // MARK: What engines take

    package var storagePolicies: StoragePolicies {
        let specs =
            [(name: firstPolicy, replicas: replicas, deviceClass: String?.none)] + policies.compactMap(Self.spec)
        return StoragePolicies(
            specs.enumerated().map { index, spec in
                StoragePolicy(
                    index: index, name: spec.name, isDefault: spec.name == defaultPolicy,
                    isDeprecated: deprecatedPolicies.contains(spec.name), replicas: spec.replicas,
                    deviceClass: spec.deviceClass)
            })
    }

    package var replicasOfIndexes: Int {
        indexReplicas > 0 ? indexReplicas : storagePolicies.all.map(\.replicas).max() ?? replicas
    }

    package var cluster: StorageCluster.Limits {
        var limits = StorageCluster.Limits()
        limits.grace = replicaGrace
        limits.deviceTimeout = deviceTimeout
        return limits
    }

    package var replicator: Replicator.Limits {
        var limits = Replicator.Limits()
        limits.interval = replicationInterval
        limits.pause = replicationPause
        limits.reclaimAge = reclaimAge
        limits.standInAfter = standInAfter
        return limits
    }

    package var auditor: Auditor.Limits {
        var limits = Auditor.Limits()
        limits.bytesPerSecond = auditBytesPerSecond
        return limits
    }

    private static func spec(_ text: String) -> (name: String, replicas: Int, deviceClass: String?)? {
        let parts = text.split(byte: ":", omittingEmptySubsequences: false).map(String.init)
        guard (1...3).contains(parts.count), !parts[0].isEmpty else { return nil }
        let replicas = parts.count > 1 ? Int(parts[1]) : 1
        guard let replicas, RingBuilder.replicaRange.contains(replicas) else { return nil }
        return (parts[0], replicas, parts.count > 2 && !parts[2].isEmpty ? parts[2] : nil)
    }

    private static func areSpecs(_ texts: [String]) -> Bool {
        let specs = texts.compactMap(spec)
        return specs.count == texts.count && Set(specs.map { $0.name.asciiLowercased() }).count == specs.count
    }
}

// SPDX-License-Identifier: Apache-2.0
import BaseKit
import LogKit
import NetworkContract

/// Where networks have their metadata service on this host.
protocol MetadataPlaces: Sendable {
    /// Builds it anew, whatever was there.
    func build(_ wanted: MetadataNetwork) async throws
    /// Not an error when there is nothing.
    func remove(_ network: NetworkID) async throws
    /// Networks that have a place now, whole or not.
    func existing() throws -> [NetworkID]
    /// What is missing of each place that is not whole.
    func missing(of networks: [MetadataNetwork]) async throws -> [NetworkID: String]
}

/// Makes the places what the networks with guests here ask for. It remembers what it built, so that a round without
/// news costs nothing, and looks from time to time whether that is still there: hands and restarts of the switch take
/// things away.
struct MetadataKeeper: Sendable {
    static let scanInterval = Duration.seconds(60)
    /// How long what was built is believed to be there.
    private static let trustLimit = Duration.seconds(20)
    /// A network keeps its place for so long after its last port left: guests that restart come back at once.
    private static let idleLimit = Duration.seconds(5)

    let places: any MetadataPlaces
    private var built: [NetworkID: MetadataNetwork] = [:]
    private var idleSince: [NetworkID: ContinuousClock.Instant] = [:]
    private var lookedAt: ContinuousClock.Instant?
    private let log = Logger("network-agent")

    init(_ places: any MetadataPlaces) { self.places = places }

    /// One comparison. Returns when the next is due.
    mutating func round(
        _ wanted: [NetworkID: MetadataNetwork], now: ContinuousClock.Instant = .now
    ) async throws -> Duration {
        await forgetBroken(now)
        var failure: (any Error)?
        for (id, network) in wanted {
            idleSince[id] = nil
            guard built[id] != network else { continue }
            do {
                try await places.build(network)
                built[id] = network
                log.info("metadata on", ["network": id])
            } catch {
                // The other networks must not wait for this one.
                log.warning("metadata not built", ["network": id, "error": "\(error)"])
                failure = error
            }
        }
        let pause = try await removeIdle(wanted, now)
        if let failure { throw failure }
        return pause
    }

    private mutating func forgetBroken(_ now: ContinuousClock.Instant) async {
        if let lookedAt, now - lookedAt < Self.trustLimit { return }
        lookedAt = now
        do {
            for (id, part) in try await places.missing(of: Array(built.values)) {
                log.warning("metadata was taken apart", ["network": id, "missing": part])
                built[id] = nil
            }
        } catch {
            // The round is for new networks, too.
            log.warning("metadata not looked at", ["error": "\(error)"])
        }
    }

    /// Removes what no guest has needed for a while. Returns when the next will be due.
    private mutating func removeIdle(
        _ wanted: [NetworkID: MetadataNetwork], _ now: ContinuousClock.Instant
    ) async throws -> Duration {
        var pause = Self.scanInterval
        for id in try places.existing() where wanted[id] == nil {
            let since = idleSince[id] ?? now
            idleSince[id] = since
            guard now - since >= Self.idleLimit else {
                pause = min(pause, Self.idleLimit - (now - since) + .milliseconds(10))
                continue
            }
            try await places.remove(id)
            built[id] = nil
            idleSince[id] = nil
            log.info("metadata off", ["network": id])
        }
        return pause
    }
}

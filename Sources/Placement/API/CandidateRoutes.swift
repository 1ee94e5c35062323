// SPDX-License-Identifier: Apache-2.0
import APIKit
import BaseKit
import HTTPKit
import PlacementContract
import PlacementCore
import PolicyKit

/// /allocation_candidates
struct CandidateRoutes: Sendable {
    let engine: PlacementEngine
    let clock: WallClock

    func register(on routing: inout PlacementRouting) {
        routing.add(.get, "/allocation_candidates", "placement:allocation_candidates:list", since: 10, list)
    }

    private func list(_ request: APIRequest, _ context: CallContext) async throws -> HTTPResponse {
        let minor = context.microversion.minor
        let wanted = try CandidateQuery.read(request, minor: minor)
        let answer = try await engine.candidates(wanted)
        let requested = Set(wanted.groups.values.flatMap(\.resources.keys))
        let bytes = JSONWriter.object(capacity: 1024 + 256 * answer.allocations.count) { writer in
            writer.array("allocation_requests") { requests in
                for allocation in answer.allocations { Self.write(allocation, minor: minor, to: &requests) }
            }
            writer.object("provider_summaries") { summaries in
                for summary in answer.summaries {
                    summaries.key(dynamic: summary.id.rawValue)
                    Self.write(summary, minor: minor, requested: requested, to: &summaries)
                }
            }
        }
        return PlacementRouting.json(200, bytes, modified: clock.now(), context)
    }

    private static func write(_ allocation: CandidateAllocation, minor: Int, to writer: inout JSONWriter) {
        let byProvider = Dictionary(grouping: allocation.amounts, by: \.key.provider).sorted { $0.key < $1.key }
        func resources(_ entries: [(key: CandidateAllocation.Place, value: Int64)], _ writer: inout JSONWriter) {
            writer.object("resources") { resources in
                for (place, amount) in entries.sorted(by: { $0.key.resourceClass < $1.key.resourceClass }) {
                    resources.key(dynamic: place.resourceClass)
                    resources.value(amount)
                }
            }
        }
        writer.beginObject()
        if minor < 12 {
            writer.array("allocations") { list in
                for (provider, entries) in byProvider {
                    list.beginObject()
                    list.object("resource_provider") { $0.field("uuid", provider) }
                    resources(entries, &list)
                    list.endObject()
                }
            }
        } else {
            writer.object("allocations") { map in
                for (provider, entries) in byProvider {
                    map.key(dynamic: provider.rawValue)
                    map.beginObject()
                    resources(entries, &map)
                    map.endObject()
                }
            }
        }
        if minor >= 34 {
            writer.object("mappings") { mappings in
                for (suffix, providers) in allocation.mappings.sorted(by: { $0.key < $1.key }) {
                    mappings.key(dynamic: suffix)
                    mappings.beginArray()
                    for provider in providers.sorted() { mappings.value(provider.rawValue) }
                    mappings.endArray()
                }
            }
        }
        writer.endObject()
    }

    private static func write(
        _ summary: ProviderSummary, minor: Int, requested: Set<String>, to writer: inout JSONWriter
    ) {
        writer.beginObject()
        writer.object("resources") { resources in
            for room in summary.resources where minor >= 27 || requested.contains(room.resourceClass) {
                resources.key(dynamic: room.resourceClass)
                resources.beginObject()
                resources.field("capacity", room.capacity)
                resources.field("used", room.used)
                resources.endObject()
            }
        }
        if minor >= 17 {
            // Upstream's order: the standard ones are older than the cloud's own.
            let (standard, own) = (summary.traits.filter { !Self.isOwn($0) }, summary.traits.filter(Self.isOwn))
            writer.field("traits", standard + own)
        }
        if minor >= 29 {
            writer.field("parent_provider_uuid", summary.parent)
            writer.field("root_provider_uuid", summary.root)
        }
        writer.endObject()
    }

    private static func isOwn(_ trait: String) -> Bool { trait.hasPrefix("CUSTOM_") }
}
